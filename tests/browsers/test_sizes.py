"""A person chooses which picture a camera gives, and sees which it is."""

import os

from conftest import SIZE
from looking import NOTICES, card, streams, wait_drawn, wait_page, wait_text
from PIL import Image

WIDTH = SIZE[0]
OFFERED = ["smooth", "sharp", "current", "half", "quarter", "low"]
# As where all of a page's data are blocked.
WITHOUT_MEMORY = """Object.defineProperty(window, 'localStorage', {
  get() { throw new DOMException('denied', 'SecurityError'); },
})"""


def open_viewer(page, eyelid):
    """Opens the page, and waits until it knows what the camera offers."""
    page.goto(eyelid.url, wait_until="commit")
    wait_drawn(page, times=0)
    wait_page(page, lambda: options(page) == OFFERED, lambda: f"options, not {options(page)}")


def quality(page):
    """Gives the control, as a screen reader finds it."""
    return page.get_by_role("combobox", name="Quality of Camera", exact=True)


def options(page):
    """Gives what can be chosen."""
    return card(page).locator("option").evaluate_all("all => all.map(({ value }) => value)")


def wait_picture(page, eyelid, width, rendition, words):
    """Waits until the picture is so wide, and page and server say that it is this one."""

    def now():
        drawn = page.evaluate("document.querySelector('canvas').width")
        return drawn, streams(eyelid, "rendition"), card(page).locator(".rendition").text_content()

    wanted = (width, [rendition], words)
    wait_page(page, lambda: now() == wanted, lambda: f"{wanted}, not {now()}")


def test_a_choice_is_what_is_seen_and_is_remembered(page, cameras):
    eyelid = cameras()
    open_viewer(page, eyelid)
    for choice, width in ("half", WIDTH // 2), ("quarter", WIDTH // 4), ("low", WIDTH):
        quality(page).select_option(choice)
        wait_picture(page, eyelid, width, choice, choice)
    quality(page).select_option("half")
    wait_picture(page, eyelid, WIDTH // 2, "half", "half")
    page.reload(wait_until="commit")
    wait_picture(page, eyelid, WIDTH // 2, "half", "half")
    wait_page(page, lambda: options(page) == OFFERED, "what it offers")
    assert quality(page).input_value() == "half"
    quality(page).select_option("current")
    wait_picture(page, eyelid, WIDTH, "current", "full")
    assert page.complaints == []


def test_it_is_smooth_where_nobody_chose(page, cameras):
    eyelid = cameras()
    open_viewer(page, eyelid)
    wait_page(page, lambda: streams(eyelid, "adapt") == ["smooth"], "it is asked to fit the link")
    assert quality(page).input_value() == "smooth"
    quality(page).select_option("sharp")
    wait_page(page, lambda: streams(eyelid, "adapt") == ["sharp"], "sharp")
    quality(page).select_option("half")
    wait_page(page, lambda: streams(eyelid, "adapt") == [None], "as it is")
    assert page.complaints == []


def test_its_keys_are_its_own(page, cameras):
    eyelid = cameras()
    open_viewer(page, eyelid)
    page.evaluate(NOTICES)
    quality(page).focus()
    page.keyboard.press("h")
    wait_picture(page, eyelid, WIDTH // 2, "half", "half")
    page.wait_for_timeout(1500)  # after a pause a browser begins a new word
    page.keyboard.press("f")
    wait_picture(page, eyelid, WIDTH, "current", "full")
    assert page.evaluate("[notices.length, document.querySelectorAll('.fill').length]") == [0, 0]
    assert page.complaints == []


def test_without_memory_a_choice_lasts_as_long_as_the_page(page, cameras):
    page.add_init_script(WITHOUT_MEMORY)
    eyelid = cameras()
    open_viewer(page, eyelid)
    quality(page).select_option("quarter")
    wait_picture(page, eyelid, WIDTH // 4, "quarter", "quarter")
    page.reload(wait_until="commit")
    wait_picture(page, eyelid, WIDTH, "current", "full")
    assert page.complaints == []


def test_there_is_nothing_to_choose_where_a_camera_offers_nothing(page, start, directory):
    slot = directory / "still"
    slot.mkdir()
    server = start("eyelid-server", "--slots", slot, "--listen", "127.0.0.1:0", "--max-age", "1day")
    hidden = slot / ".current.jpg.tmp"
    Image.new("RGB", SIZE, "blue").save(hidden, "JPEG")
    os.rename(hidden, slot / "current.jpg")
    page.goto(server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0], wait_until="commit")
    wait_drawn(page, times=0)
    wait_text(page, page.locator("#server"), "Eyelid 0.")
    wait_text(page, card(page).locator(".rendition"), "full")
    assert not card(page).locator(".quality").is_visible()
