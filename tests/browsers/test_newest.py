"""The newest frame is drawn when it is there, though no other follows it.

A browser that waits for more than the frame's own bytes shows the last frame but one, and nobody notices while a camera
moves. So this camera is the test's: it gives no frame before the one that is to be seen was seen.
"""

import pytest
from PIL import Image

from conftest import SIZE
from harness import difference
from looking import picture, streams, wait_page

COLOURS = ["red", "blue", "lime"]


@pytest.fixture
def silent(start, directory):
    """A server that sends nothing but what is published: never a "no signal" card, and no frame is too old for it.

    Gives the program with its `url` and `publish`.
    """
    slot = directory / "slot"
    slot.mkdir()

    def publish(frame):
        hidden = slot / ".current.jpg.tmp"
        frame.save(hidden, "JPEG")
        hidden.rename(slot / "current.jpg")

    for_ever = ["--timeout", "1day", "--max-age", "1day"]
    server = start("eyelid-server", "--slots", slot, "--listen", "127.0.0.1:0", *for_ever)
    server.url = server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    server.publish = publish
    return server


def assert_each_is_drawn(page, element, server):
    """Publishes frames, each when the one before has been seen."""
    wait_page(page, lambda: streams(server), "a stream")
    for colour in COLOURS:
        frame = Image.new("RGB", SIZE, colour)
        server.publish(frame)
        wait_page(page, lambda: difference(picture(element), frame) < 12, f"{colour} is drawn")
    # The viewer opens its stream anew after 15 s, which a busy machine may need; then it was sent fewer.
    assert all(sent <= len(COLOURS) for sent in streams(server, "frames_sent")), "something followed the last frame"


def test_in_a_bare_img(page, silent):
    page.set_content(f'<img src="{silent.url}/stream" style="display: block" width=320 height=240>', wait_until="commit")
    assert_each_is_drawn(page, page.locator("img"), silent)


def test_in_the_viewer(page, silent):
    page.goto(silent.url, wait_until="commit")
    assert_each_is_drawn(page, page.locator("canvas"), silent)
