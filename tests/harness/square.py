"""Reads off the test picture when it was captured.

Its white square goes to and fro by the wall clock.
"""

from contextlib import suppress

from harness.browser import picture
from harness.waiting import wait_for

ROUND = 4.0  # seconds from one side to the other and back
SLACK = 0.02  # seconds: the square is found to a pixel or two


def way(picture):
    """Gives how far the square is from the left, as the seconds it takes to there."""
    width, height = picture.size
    side = height / 6
    row = picture.convert("L").crop((0, height // 3, width, height // 3 + 1)).tobytes()
    white = [x for x, level in enumerate(row) if level > 215]  # the bars have 191 at most
    assert 0.6 * side < len(white) < 0.9 * side, (
        f"not the test picture: {len(white)} white pixels of {width}"
    )
    middle = sum(white) / len(white) + 0.5
    return (middle - side / 2) / (width - side) * ROUND / 2


def captured(picture, until):
    """Gives the last moment, not after `until`, at which the test picture looked like this."""
    there = way(picture)
    return until + SLACK - min((until + SLACK - moment) % ROUND for moment in (there, -there))


WIDTH_PX = "shown => shown.naturalWidth ?? shown.videoWidth"


def wait_moves(image, times=3):
    """Waits until an image or a video on a page, as it is seen, has shown the square in a few
    places.
    """
    wait_for(lambda: image.evaluate(WIDTH_PX) == 640, "the stream's picture")
    seen = set()

    def moved():
        image.page.wait_for_timeout(20)  # lets the page work
        with suppress(AssertionError):  # something may be before it for a moment
            seen.add(round(way(picture(image)), 1))
        return len(seen) > times

    wait_for(moved, lambda: f"the picture moves; seen: {seen}")
