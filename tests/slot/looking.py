"""What clients see of a slot that had an accident."""

import json

from harness.frames import check_frame
from harness.http import get
from harness.waiting import wait_for


def live_after(stream, moment, size=None):
    """Reads a stream until it shows the camera as it was after a moment (seconds).

    Gives the picture.
    """

    def wanted(part):
        if not part.live() or float(part.headers["x-timestamp"]) <= moment:
            return False
        return size is None or check_frame(part.jpeg).size == size

    return check_frame(
        stream.part_where(wanted, f"a live frame after {moment} of size {size}").jpeg
    )


def wait_snapshot(address):
    """Asks until there is a snapshot; gives the picture.

    How long the server waits for one is not the point.
    """
    return check_frame(
        wait_for(
            lambda: (answer := get(address, "/snapshot")).status == 200 and answer, "a snapshot"
        ).body
    )


def assert_no_snapshot(address):
    """A snapshot is refused in the way machines understand; gives the reason."""
    answer = get(address, "/snapshot")
    assert answer.status == 503
    assert answer.headers["content-type"].startswith("application/json")
    assert int(answer.headers["retry-after"]) > 0
    reason = json.loads(answer.body)["error"]
    assert reason
    return reason
