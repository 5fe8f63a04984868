"""The newest frame is drawn when it is there, though no other follows it."""

import pytest
from looking import streams, wait_page

from harness.browser import picture
from harness.frames import difference
from harness.silent import COLOURS, SilentCamera


@pytest.fixture
def silent(start, directory):
    return SilentCamera(start, directory)


def assert_each_is_drawn(page, element, server):
    """Publishes frames, each when the one before has been seen."""
    wait_page(page, lambda: streams(server), "a stream")
    for frame, colour in server.frames():

        def drawn(frame=frame):
            return difference(picture(element), frame) < 12

        wait_page(page, drawn, f"{colour} is drawn")
    # The viewer opens its stream anew after 15 s, which a busy machine may need; then it was sent
    # fewer.
    assert all(sent <= len(COLOURS) for sent in streams(server, "frames_sent")), (
        "something followed the last frame"
    )


def test_in_a_bare_img(page, silent):
    page.set_content(silent.page(f"{silent.url}/stream"), wait_until="commit")
    assert_each_is_drawn(page, page.locator("img"), silent)


def test_in_the_viewer(page, silent):
    page.goto(silent.url, wait_until="commit")
    assert_each_is_drawn(page, page.locator("canvas"), silent)
