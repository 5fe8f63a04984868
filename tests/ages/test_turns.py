"""Viewers behind one link: each sees pictures about as young as one of them alone would.

A frame takes 0.08 s on the wire at 10 Mbit/s. Sent to five at once, five frames share the wire, and
are 0.24 to 0.45 s old when they have come; one after the other, 0.09 to 0.11 s.
"""

import statistics
import time
from contextlib import ExitStack

import pytest
from camera import Camera
from priority import first
from watching import Watcher

from harness.slow_links import HERE

FRAME_BYTES = 98_000
MBIT = 10
VIEWERS = 5
ROUND_S = 6.0
ROUNDS = 5  # at most: they find out in 3 to 4 s that they share a link, later if somebody disturbs
OLDEST_S = 0.15  # the median of all
LEAST_SHARE = 0.9  # the frames of the viewer that gets the fewest, for each of the median's


def test_viewers_of_one_link_take_turns(slow_clients, start, directory):
    computer = next(ours for mbit, ours, _ in slow_clients if mbit == MBIT)
    slots = directory / "slots"
    with ExitStack() as stack:
        with first():
            stack.enter_context(Camera(slots, FRAME_BYTES))
            server = start("eyelid-server", "--slots", slots, "--listen", f"{HERE}:0")
            url = server.wait_log(r"http://[\d.]+:\d+")[0]
            viewers = [stack.enter_context(Watcher(url, computer)) for _ in range(VIEWERS)]
        for _ in range(ROUNDS):
            for viewer in viewers:
                viewer.forget()
            time.sleep(ROUND_S)
            ages = [list(viewer.ages) for viewer in viewers]
            age = statistics.median(age for each in ages for age in each)
            counts = [len(each) for each in ages]
            share = min(counts) / statistics.median(counts)
            said = f"{1000 * age:.0f} ms; frames of each: {counts}"
            print(said)
            if age < OLDEST_S and share > LEAST_SHARE:
                return
    pytest.fail(said)
