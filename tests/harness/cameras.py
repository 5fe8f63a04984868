"""Cameras with the test picture, for suites that test what is around them."""

from harness.slot import Slot

ONE = """
[cameras.default]
source = "test"
size = "640x360"
linger = "500ms"
"""

# The server lists `off`, but nobody makes frames for it.
ONE_AND_ONE_OFF = f"""{ONE}
[cameras.off]
source = "test"
"""


def start_camera(start, slots, size="640x480", fps=15):
    """Starts `eyelid-capture`, with frames of about 25 KB if no size is given; gives its slot."""
    start("eyelid-capture", "--slot", slots, "--source", "test", "--size", size, "--fps", fps)
    return Slot(slots)
