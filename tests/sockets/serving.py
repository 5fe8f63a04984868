"""What must be had from every socket."""

import time

from harness.frames import check_frame
from harness.http import get
from harness.stream import Stream
from harness.waiting import wait_for


def assert_serves(address, size=(320, 240)):
    """A snapshot and some frames of a stream, all different, all live.

    The programs may have to start first.
    """
    asked = time.time()
    snapshot = wait_for(
        lambda: (answer := get(address, "/snapshot")).status != 503 and answer, "a snapshot"
    )
    assert (snapshot.status, snapshot.headers["content-type"]) == (200, "image/jpeg")
    assert check_frame(snapshot.body).size == size
    assert float(snapshot.headers["x-timestamp"]) >= asked
    with Stream(address) as stream:
        parts = [stream.part() for _ in range(10)]
    for part in parts:
        assert part.live()
        check_frame(part.jpeg)
    times = [float(part.headers["x-timestamp"]) for part in parts]
    assert times == sorted(set(times)), "each frame is newer than the one before"
