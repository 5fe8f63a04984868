"""A camera of another host that comes by a hub: what its clients see, beside one that asks that
host itself.

Camera, `eyelid-relay share` and the hub are on this side of the links, `fetch` and the near server
on the other. Both clients have links of the same rate, so all of these times are the links', and
the ratio says nothing of how fast the machine is. A frame that was asked for too early is older by
what it waits, one asked for too late leaves the link idle.
"""

import shutil
import time
from contextlib import ExitStack

import pytest
from camera import Camera
from priority import first
from test_slow_links import FRAME_BYTES, ROUND_S, ROUNDS, WARM_UP_S
from test_two_hops import Hops
from watching import Watcher

from harness.http import wait_listening
from harness.programs import binary
from harness.slow_links import HERE
from harness.waiting import wait_for

# 1.16 and 1.05 times as old and 0.98 and 1.00 times as many were seen.
YOUNGER = 0.85
OLDER = 1.3
FEWER = 0.9
NATS_SERVER = shutil.which("nats-server", path="/usr/sbin:/usr/bin")
PORT = 4222


@pytest.fixture
def hops(slow_clients, start, directory):
    """Gives for each rate its two clients, which look from then on."""
    hub = f"nats://{HERE}:{PORT}"
    far = directory / "far"
    with ExitStack() as stack:
        hops = []
        with first():
            stack.enter_context(Camera(far, FRAME_BYTES))
            server = start("eyelid-server", "--slots", far, "--listen", f"{HERE}:0")
            direct_url = server.wait_log(r"http://[\d.]+:\d+")[0]
            start(NATS_SERVER, "--addr", HERE, "--port", PORT)
            wait_listening(f"http://{HERE}:{PORT}")
            start("eyelid-relay", "share", "--slots", far, "--as", "far", "--connect", hub)
            for mbit, near, direct in slow_clients:
                slots = directory / f"near-{mbit}"

                def start_near(program, *arguments, host=near):
                    return start("ip", "netns", "exec", host, binary(program), *arguments)

                start_near("eyelid-relay", "fetch", "--slots", slots, "--connect", hub)
                wait_for((slots / "far.default").is_dir, "a slot")
                server = start_near("eyelid-server", "--slots", slots, "--listen", "127.0.0.1:0")
                url = server.wait_log(r"http://[\d.]+:\d+")[0]
                fetched = Watcher(url, near, "/far.default/stream")
                watchers = (fetched, Watcher(direct_url, direct))
                hops.append(Hops(mbit, *map(stack.enter_context, watchers)))
        yield hops


def test_a_hub_makes_pictures_no_older(hops):
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
