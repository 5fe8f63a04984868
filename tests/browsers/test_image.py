"""A bare `<img>` of a stream, on a page that is not ours."""

from looking import streams, wait_moves, wait_page

from harness.browser import picture
from harness.frames import check_frame, difference
from harness.http import get
from harness.stream import Stream

FIVE = ["default", "second", "third", "fourth", "fifth"]
LOAD = """address => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(image.naturalWidth);
  image.onerror = () => failed(new Error(address));
  image.src = address;
})"""


def show(page, *addresses):
    """Shows streams and gives their elements, as soon as each has a picture."""
    page.set_content(
        "".join(f'<img src="{address}/stream" width=200>' for address in addresses),
        wait_until="commit",
    )
    images = page.locator("img").all()
    for image in images:
        wait_page(
            page, lambda image=image: image.evaluate("image => image.naturalWidth") > 1, "a picture"
        )
    return images


def test_it_moves(page, cameras):
    (image,) = show(page, cameras().url)
    wait_moves(page, image)
    assert page.complaints == []


def test_it_wakes_a_camera_that_falls_asleep_when_the_page_is_left(page, cameras):
    eyelid = cameras()
    assert get(eyelid.url, "/snapshot").status == 200
    eyelid.slot.wait_state("asleep")
    (image,) = show(page, eyelid.url)
    wait_moves(page, image)
    page.goto("about:blank")
    eyelid.slot.wait_state("asleep")


def test_five_of_them_move_and_leave_a_connection_for_a_snapshot(page, cameras):
    eyelid = cameras(*FIVE)
    for image in show(page, eyelid.url, *(f"{eyelid.url}/{name}" for name in FIVE[1:])):
        wait_moves(page, image)
    assert page.evaluate(LOAD, f"{eyelid.url}/fifth/snapshot") == 320
    assert len(streams(eyelid)) == 5
    assert page.complaints == []


def test_it_says_no_signal_and_recovers_in_place(page, unreliable, cable):
    (image,) = show(page, unreliable.url)
    wait_moves(page, image)
    stream = streams(unreliable)
    cable.unlink()
    with Stream(unreliable.url) as other:
        no_signal = check_frame(other.part_where(lambda part: not part.live(), "the card").jpeg)
    wait_page(page, lambda: difference(picture(image), no_signal) < 12, "the card is seen")
    cable.touch()
    wait_moves(page, image)
    assert streams(unreliable) == stream, "it recovers on the connection it had"
    assert page.complaints == []
