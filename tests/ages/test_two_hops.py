"""A camera of another host: what a client of the near host sees, beside one that asks the far host.

Both have links of the same rate, so all of these times are the links', and the ratio says nothing
of how fast the machine is. Where a hop kept frames for later it would be far from 1: one frame more
on the way is 1.8 times as old. Nor are frames younger, for the moment of capture is the far host's:
by `command:curl`, which does not know it, they seem 0.84 times as old with 10 Mbit/s.
"""

import statistics
import time
from contextlib import ExitStack

import pytest
from camera import Camera
from priority import first
from test_slow_links import FRAME_BYTES, ROUND_S, ROUNDS, WARM_UP_S
from watching import Watcher

from harness.programs import binary
from harness.slow_links import HERE

# 1.00 and 1.06 times as old and 1.00 and 1.02 times as many were seen.
YOUNGER = 0.9
OLDER = 1.3
FEWER = 0.9


class Hops:
    """What both clients of a rate see."""

    def __init__(self, mbit, near, direct):
        self.mbit = mbit
        self.near = near
        self.direct = direct

    def age(self):
        """Gives the near client's median age for each second of the direct one's."""
        return statistics.median(self.near.ages) / statistics.median(self.direct.ages)

    def rate(self):
        """Gives the near client's frames for each of the direct one's."""
        return len(self.near.ages) / len(self.direct.ages)

    def __str__(self):
        return f"{self.mbit} Mbit/s: {self.age():.2f} times as old, {self.rate():.2f} times as many"


@pytest.fixture
def hops(slow_clients, start, directory):
    """Gives for each rate its two clients, which look from then on."""
    with ExitStack() as stack:
        hops = []
        with first():
            stack.enter_context(Camera(directory / "far", FRAME_BYTES))
            server = start("eyelid-server", "--slots", directory / "far", "--listen", f"{HERE}:0")
            far = server.wait_log(r"http://[\d.]+:\d+")[0]
            for mbit, near, direct in slow_clients:
                slot = directory / f"near-{mbit}"

                def start_near(program, *arguments, host=near):
                    return start("ip", "netns", "exec", host, binary(program), *arguments)

                start_near("eyelid-capture", "--slot", slot, "--source", f"{far}/stream")
                server = start_near("eyelid-server", "--slots", slot, "--listen", "127.0.0.1:0")
                url = server.wait_log(r"http://[\d.]+:\d+")[0]
                watchers = (Watcher(url, near), Watcher(far, direct))
                hops.append(Hops(mbit, *map(stack.enter_context, watchers)))
        yield hops


def test_another_host_makes_pictures_no_older(hops):
    time.sleep(WARM_UP_S)
    for each in hops:
        each.near.forget()
        each.direct.forget()
    for _ in range(ROUNDS):
        time.sleep(ROUND_S)
        print(*hops, sep="\n")
        if all(YOUNGER < each.age() < OLDER and each.rate() > FEWER for each in hops):
            return
    pytest.fail("; ".join(map(str, hops)))
