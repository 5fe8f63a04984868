"""A host that lies shows what is its own to show, and does no harm."""

import sys
import threading
import time
from pathlib import Path

from hosts import on
from PIL import Image

from harness.frames import check_frame
from harness.processes import usage

SECONDS = 8.0
SIZES = {"tall": (120, 160), "wide": (160, 120)}
# A frame of the largest size, twice, for each of two cameras.
GROWTH_KIB = 8 << 10


def look(slot, size, until, seen):
    """Looks at a camera, and checks all that comes."""
    newest = 0
    while time.monotonic() < until:
        captured, jpeg = slot.look_after(0)
        if captured == newest:
            time.sleep(0.005)
            continue
        assert captured > newest, f"{newest - captured} ns older than the one before"
        picture = check_frame(jpeg)
        assert isinstance(picture, Image.Image) and picture.size == size, picture.size
        assert time.time() - captured / 1e9 < 60, "a frame from long ago"
        newest = captured
        seen.append(captured)


def test_nothing_of_a_lie_is_shown(start, hub, fetch, camera, share):
    liar = start(*on("far", sys.executable, Path(__file__).parent / "liar.py", hub.url, "far"))
    liar.wait_out("shares")
    near = fetch()
    slots = {name: near.slot(f"far.{name}") for name in SIZES}
    for slot in slots.values():
        slot.wait_state("asleep")
        slot.look_after(0)
    seen = {name: [] for name in SIZES}
    failures = []

    def watch(name):
        try:
            look(slots[name], SIZES[name], time.monotonic() + SECONDS, seen[name])
        except AssertionError as failed:
            failures.append(f"{name}: {failed}")

    before = usage(near.pid)
    threads = [threading.Thread(target=watch, args=[name]) for name in SIZES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = usage(near.pid)
    assert not failures
    assert near.running()
    # Honest ones come in between. One that never ends is waited for, for a while.
    assert all(len(frames) > 5 for frames in seen.values()), {k: len(v) for k, v in seen.items()}
    assert after.anonymous_kib < before.anonymous_kib + GROWTH_KIB
    assert after.descriptors < before.descriptors + 10
