"""The wall: all cameras tightly, and one of them in full at a tap."""

import pytest
from conftest import SIZE
from looking import (
    LAPTOP,
    PHONE,
    SEEN,
    assert_accessible,
    card,
    in_chromium,
    streams,
    wait_drawn,
    wait_page,
    wait_text,
)

SIX = ["default", "second", "third", "fourth", "fifth", "sixth"]

# What of the tiles is not within the window, or on another tile, and which names are cut off.
MISPLACED = """() => {
  const boxes = [...document.querySelectorAll('.camera')]
    .map((tile) => tile.getBoundingClientRect());
  const outside = boxes.filter(({ left, top, right, bottom }) =>
    left < -0.5 || top < -0.5 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5);
  const upon = boxes.filter((one, index) => boxes.slice(index + 1).some((other) =>
    Math.min(one.right, other.right) - Math.max(one.left, other.left) > 0.5
    && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 0.5));
  const cut = [...document.querySelectorAll('.camera h2')]
    .filter((name) => name.scrollWidth > name.clientWidth);
  return [outside.length, upon.length, cut.map((name) => name.textContent)];
}"""
# The least contrast (WCAG 2) of the words over the pictures, be these white or black.
CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => colour.slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const found = [];
  const all = document.querySelectorAll('.camera h2, .camera .state, .message:not([hidden])');
  for (const words of all) {
    const [red, green, blue, opacity = 1] =
      parts(getComputedStyle(words.closest('.who, .message')).backgroundColor);
    for (const picture of [0, 255]) {
      const ground = [red, green, blue].map((value) => opacity * value + (1 - opacity) * picture);
      const pair = [light(ground), light(parts(getComputedStyle(words).color))];
      found.push((Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05));
    }
  }
  return Math.min(...found);
}"""
AA = 4.5


@in_chromium
@pytest.mark.parametrize("count", [1, 5, 20])
def test_it_fits_the_window_and_can_be_read(window, rooms, count):
    names = ["default", *(f"camera{number}" for number in range(2, count + 1))]
    url = f"{rooms(dict.fromkeys(names, '320x180')).url}/?wall"
    for size in PHONE, LAPTOP:
        for scheme in "light", "dark":
            with window(url, size, scheme, names) as page:
                seen = page.evaluate(SEEN)
                assert not seen["wider"] and not seen["higher"], seen
                assert max(seen["letterboxes"]) < 0.03, seen
                assert page.evaluate(MISPLACED) == [0, 0, []]
                assert page.evaluate(CONTRAST) >= AA
                ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert ground == "rgb(0, 0, 0)", scheme
                assert_accessible(page)
                assert page.complaints == []


@in_chromium
def test_what_goes_wrong_can_be_read_on_it(window, rooms):
    names = [f"camera{number}" for number in range(1, 5)]
    eyelid = rooms(dict.fromkeys(names, "320x180"))
    with window(f"{eyelid.url}/?wall", PHONE, names=names) as page:
        assert eyelid.stop() == 0
        for name in names:
            message = card(page, name).locator(".message strong")
            wait_text(page, message, "The server does not answer")
        assert page.evaluate(CONTRAST) >= AA
        assert page.evaluate(MISPLACED) == [0, 0, []]


def open_wall(page, eyelid, names):
    """Opens the wall, and waits until all are drawn."""
    page.goto(f"{eyelid.url}/?wall", wait_until="commit")
    wait_drawn(page, *names, times=0)


def widths(page):
    """Gives how wide the pictures are, as they came."""
    return page.evaluate("[...document.querySelectorAll('canvas')].map(({ width }) => width)")


def wait_streams(page, eyelid, count, rendition):
    """Waits until so many streams are open, all of them of this rendition."""
    wait_page(
        page,
        lambda: streams(eyelid, "rendition") == count * [rendition],
        lambda: f"{count} of {rendition}, not {streams(eyelid, 'rendition')}",
    )


def test_its_pictures_are_small_and_leave_a_connection(page, cameras):
    eyelid = cameras(*SIX)
    open_wall(page, eyelid, SIX)
    wait_streams(page, eyelid, 4, "quarter")  # and one connection for the snapshots of two
    wait_page(page, lambda: set(widths(page)) == {SIZE[0] // 4}, lambda: widths(page))
    wait_drawn(page, *SIX)
    assert (
        page.evaluate("() => fetch('.', { cache: 'no-store' }).then(({ status }) => status)") == 200
    )
    assert page.complaints == []


def test_a_tap_opens_one_in_full_and_leads_back(page, cameras):
    eyelid = cameras(*SIX)
    open_wall(page, eyelid, SIX)
    last = card(page, SIX[-1])
    opened = page.get_by_role("button", name=f"Open {SIX[-1]}", exact=True)
    ways_back = [
        lambda: page.keyboard.press("Escape"),
        lambda: last.locator(".picture").click(),
        lambda: last.get_by_role("button", name=f"Back to wall {SIX[-1]}").click(),
    ]
    for back in ways_back:
        opened.click()
        wait_streams(page, eyelid, 1, "current")
        assert streams(eyelid, "camera") == [SIX[-1]]
        wait_page(page, lambda: widths(page)[-1] == SIZE[0], lambda: widths(page))
        box, size = last.bounding_box(), page.evaluate("[innerWidth, innerHeight]")
        assert [box[key] for key in ("x", "y", "width", "height")] == [0, 0, *size]
        assert last.locator(".rate").is_visible() and not card(page).is_visible()
        back()
        wait_streams(page, eyelid, 4, "quarter")
        assert card(page).is_visible()
    opened.focus()
    page.keyboard.press("Enter")
    wait_streams(page, eyelid, 1, "current")
    assert page.complaints == []


def test_it_survives_a_restart_of_the_server(page, cameras):
    eyelid = cameras("default", "second")
    open_wall(page, eyelid, ["default", "second"])
    assert eyelid.stop() == 0
    wait_text(page, card(page).locator(".message strong"), "The server does not answer")
    again = cameras("default", "second")
    wait_drawn(page, "default", "second")
    wait_streams(page, again, 2, "quarter")


def test_the_page_leads_to_it_and_it_leads_back(page, cameras):
    eyelid = cameras("default", "second")
    page.goto(f"{eyelid.url}/webcam/", wait_until="commit")
    wait_drawn(page, "default", "second", times=0)
    page.get_by_role("link", name="Wall").click()
    wait_page(page, lambda: page.url.endswith("/webcam/?wall"), lambda: page.url)
    wait_drawn(page, "default", "second", times=0)
    page.get_by_role("link", name="Eyelid").focus()
    page.keyboard.press("Enter")
    wait_page(page, lambda: page.url.endswith("/webcam/"), lambda: page.url)
    wait_drawn(page, "default", "second", times=0)
    # So it does for a finger, which has no key.
    page.go_back()
    wait_page(page, lambda: page.url.endswith("/webcam/?wall"), lambda: page.url)
    page.get_by_role("link", name="Leave the wall").click()
    wait_page(page, lambda: page.url.endswith("/webcam/"), lambda: page.url)
    assert page.complaints == []
