"""The numbers that the viewer shows are right, and its keys do what they say."""

import os
import re
import statistics
import time

import pytest
from looking import NOTICES, card, wait_drawn, wait_page, wait_text
from PIL import Image

UNKNOWN = "\N{EN DASH}"
UNITS_S = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
AHEAD_S = 3600
SHIFTED = f"const now = Date.now; Date.now = () => now() + {1000 * AHEAD_S}"
LATE_S = 0.05  # from a look at the clock to the writing of what it says

# Writes down each age that is shown, the page's clock at that moment, and what its title says of
# the clocks.
AGES = """() => {
  window.ages = [];
  const shown = document.querySelector('.age');
  new MutationObserver(() => ages.push([shown.textContent, Date.now() / 1000, shown.title]))
    .observe(shown, { childList: true, characterData: true, subtree: true });
}"""

RATES = """async (count) => {
  const shown = [];
  for (; count > 0; count--) {
    await new Promise((done) => setTimeout(done, 500));
    shown.push(document.querySelector('.rate').textContent);
  }
  return shown;
}"""


# Numbers


@pytest.fixture
def still(start, directory):
    """Starts a server for which no frame is too old; gives its address, and how to publish a frame
    of an age.
    """
    slot = directory / "still"
    slot.mkdir()
    for_ever = ["--timeout", "1day", "--max-age", "2days"]
    server = start("eyelid-server", "--slots", slot, "--listen", "127.0.0.1:0", *for_ever)

    def publish(age_s):
        hidden = slot / ".current.jpg.tmp"
        Image.new("RGB", (320, 240), "blue").save(hidden, "JPEG")
        captured = time.time() - age_s
        os.utime(hidden, (captured, captured))
        hidden.rename(slot / "current.jpg")
        return captured

    return server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0], publish


def span_s(text):
    """Gives what an age says, in seconds: from and to."""
    number, unit = re.fullmatch(r"([\d.]+) (ms|s|min|h)", text).groups()
    if unit in ("min", "h"):  # cut off
        return float(number) * UNITS_S[unit], (float(number) + 1) * UNITS_S[unit]
    half = 0.5 * 10 ** -len(number.partition(".")[2])
    return (float(number) - half) * UNITS_S[unit], (float(number) + half) * UNITS_S[unit]


def is_right(shown, captured, ahead_s):
    """Says whether an age that was shown is that of a frame, as far as the page claims to know."""
    text, now, title = shown
    doubt_s = int(re.search(r"give or take (\d+) ms", title)[1]) / 1000
    assert doubt_s < 1, f"so little is known that the age says nothing: {title}"
    least, most = span_s(text)
    return least - doubt_s <= now - ahead_s - captured <= most + doubt_s + LATE_S


@pytest.mark.parametrize("ahead_s", [0, AHEAD_S], ids=["same-clock", "clock-ahead"])
def test_the_age_is_that_of_the_frame(page, still, ahead_s):
    address, publish = still
    if ahead_s:
        page.add_init_script(SHIFTED)
    publish(0)
    page.goto(address, wait_until="commit")
    wait_drawn(page, times=0)
    wait_page(page, lambda: page.locator(".age").text_content() != UNKNOWN, "an age")
    page.evaluate(AGES)
    for age_s, changes in (0.2, 3), (5, 3), (42, 3), (600, 1), (3 * 3600, 1):
        page.evaluate("ages.length = 0")
        captured = publish(age_s)

        def right(captured=captured):
            shown = [is_right(each, captured, ahead_s) for each in page.evaluate("ages")]
            return shown[shown.index(True) :] if True in shown else []

        wait_page(
            page,
            lambda changes=changes: len(right()) >= changes,
            lambda age_s=age_s: f"{age_s} s and more, not {page.evaluate('ages')}",
        )
        assert all(right()), page.evaluate("ages")
    assert page.complaints == []


@pytest.mark.parametrize("fps", [1, 5])
def test_the_rate_is_that_of_the_source(page, eyelid, fps):
    # So few that a busy machine shows them all, and so many that one which it does not show leaves
    # two within the 4 s over which a rate is told.
    camera = eyelid("--source", "test", "--size", "320x240", "--fps", fps)
    page.goto(camera.url, wait_until="commit")
    wait_page(page, lambda: page.locator(".rate").text_content() != UNKNOWN, "a rate")
    page.wait_for_timeout(4000)  # over which a rate is told
    shown = page.evaluate(RATES, 5)
    rates = [float(re.fullmatch(r"([\d.]+) fps", text)[1]) for text in shown]
    assert abs(statistics.median(rates) / fps - 1) < 0.1, shown
    assert page.complaints == []


def test_without_frames_there_is_no_rate(page, still):
    address, publish = still
    publish(0)
    page.goto(address, wait_until="commit")
    wait_drawn(page, times=0)
    publish(0)
    wait_page(page, lambda: page.locator(".rate").text_content() != UNKNOWN, "a rate of two frames")
    wait_text(page, page.locator(".rate"), UNKNOWN)


# Keys


def full_screen(page):
    """Gives the camera that fills the screen, and the one that fills the window."""
    return page.evaluate(
        """() => [document.fullscreenElement, document.querySelector('.fill')]
          .map((card) => card?.dataset.name ?? null)"""
    )


def wait_full_screen(page, screen, window):
    """Waits until these cameras fill screen and window."""
    wait_page(
        page,
        lambda: full_screen(page) == [screen, window],
        lambda: f"{screen}, {window}; not {full_screen(page)}",
    )


def test_keys_mean_the_camera_under_the_pointer(page, cameras):
    page.goto(cameras("nozzle", "bed").url, wait_until="commit")
    wait_drawn(page, "nozzle", "bed", times=0)
    bed, nozzle = card(page, "bed"), card(page, "nozzle")
    page.mouse.move(0, 0)
    for key in "s", "f", "a":  # of which camera?
        page.keyboard.press(key)
    assert full_screen(page) == [None, None] and not page.locator("dialog").is_visible()

    bed.hover()
    page.keyboard.press("Space")
    wait_text(page, bed.locator(".message strong"), "Paused")
    assert nozzle.locator(".message strong").text_content() != "Paused"
    page.keyboard.press("Space")
    wait_text(page, bed.locator(".state"), "awake")

    page.evaluate(NOTICES)
    page.keyboard.press("Control+a")  # is the browser's
    page.keyboard.press("s")
    wait_page(
        page,
        lambda: [
            text for text in page.evaluate("notices") if text.startswith("Snapshot saved: bed-")
        ],
        lambda: f"a snapshot of bed; {page.evaluate('notices')}",
    )

    assert not page.locator("dialog").is_visible()

    page.keyboard.press("a")
    wait_text(page, page.locator("dialog h2"), "Addresses of bed")
    page.keyboard.press("f")  # while it is open, its keys are its own
    page.keyboard.press("Escape")
    wait_page(page, lambda: not page.locator("dialog").is_visible(), "it is closed")
    assert full_screen(page) == [None, None]
    assert page.complaints == []


def test_the_space_bar_pauses_all_where_no_camera_is_meant(page, cameras):
    eyelid = cameras("nozzle", "bed")
    page.goto(eyelid.url, wait_until="commit")
    wait_drawn(page, "nozzle", "bed", times=0)
    page.mouse.move(0, 0)
    page.keyboard.press("Space")
    for name in "nozzle", "bed":
        wait_text(page, card(page, name).locator(".message strong"), "Paused")
    page.locator("#pause-all").focus()
    page.keyboard.press("Space")  # the button's own
    wait_drawn(page, "nozzle", "bed")


def test_a_camera_fills_the_screen_and_leaves_it(page, cameras):
    page.goto(cameras("nozzle", "bed").url, wait_until="commit")
    wait_drawn(page, "nozzle", "bed", times=0)
    bed = card(page, "bed")
    for key in "f", "Escape":
        bed.hover()
        page.keyboard.press("f")
        wait_full_screen(page, "bed", "bed")
        wait_drawn(page, "bed")
        page.keyboard.press(key)
        wait_full_screen(page, None, None)
    bed.get_by_role("button", name="Full screen bed").click()
    wait_full_screen(page, "bed", "bed")
    page.evaluate("document.exitFullscreen()")  # as the browser's own way out
    wait_full_screen(page, None, None)
    assert page.complaints == []


def test_where_no_element_can_fill_the_screen_it_fills_the_window(page, cameras):
    page.add_init_script("delete Element.prototype.requestFullscreen")  # as on an iPhone
    page.goto(cameras("nozzle", "bed").url, wait_until="commit")
    wait_drawn(page, "nozzle", "bed", times=0)
    bed = card(page, "bed")
    bed.hover()
    page.keyboard.press("f")
    wait_full_screen(page, None, "bed")
    box, window = bed.bounding_box(), page.evaluate("[innerWidth, innerHeight]")
    assert [box[key] for key in ("x", "y", "width", "height")] == [0, 0, *window]
    page.keyboard.press("Escape")
    wait_full_screen(page, None, None)
    assert page.complaints == []
