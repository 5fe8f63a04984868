"""A list of very many cameras, most of them of other hosts: by host, and none awake that is not on
the screen.
"""

import json
from datetime import UTC, datetime

import pytest
from looking import (
    LAPTOP,
    PHONE,
    assert_accessible,
    card,
    hidden,
    in_chromium,
    wait_drawn,
    wait_page,
    wait_text,
)

from harness.herd import Herd
from harness.http import get

HOSTS, EACH = 25, 40
NAMES = [f"pi-{host:02}.camera-{camera:02}" for host in range(HOSTS) for camera in range(EACH)]
HERE = ["bench", "door"]

# The cameras of which a part is within the window, and those that have drawn something.
ON_SCREEN = """() => [...document.querySelectorAll('.camera')].filter((card) => {
  const { top, bottom } = card.getBoundingClientRect();
  return card.checkVisibility({ contentVisibilityAuto: true }) && bottom > 0 && top < innerHeight;
}).map((card) => card.dataset.name ?? card.querySelector('a').getAttribute('href').slice(0, -1))"""
DRAWN = """() => [...document.querySelectorAll('.camera canvas')]
  .filter(({ width }) => width > 16).map((canvas) => canvas.closest('.camera').dataset.name)"""
# Whether tiles are all as high, furnished or not, and how many are furnished.
TILES = """() => {
  const tiles = [...document.querySelectorAll('.host[open] .camera:not(.enlarged)')];
  return {
    heights: new Set(tiles.map(({ offsetHeight }) => offsetHeight)).size,
    furnished: document.querySelectorAll('.camera canvas').length,
    wider: document.documentElement.scrollWidth > innerWidth,
  };
}"""


@pytest.fixture
def herd(directory):
    """A thousand cameras of 25 hosts, and two of this one."""
    herd = Herd(directory / "slots", HERE + NAMES)
    yield herd
    herd.stop()


@pytest.fixture
def server(start, herd):
    """The server of these."""
    program = start("eyelid-server", "--listen", "127.0.0.1:0", "--slots", herd.slots)
    program.url = program.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    return program


def looked_at(server):
    """Gives the cameras that somebody looks at now."""
    cameras = json.loads(get(server.url, "/status").body)["cameras"]
    return {camera["name"] for camera in cameras if camera["clients"]}


def wait_seen(page):
    """Waits until all cameras on the screen are drawn; gives them."""

    def missing():
        return set(page.evaluate(ON_SCREEN)) - set(page.evaluate(DRAWN))

    wait_page(page, lambda: not missing(), lambda: f"drawn, not {sorted(missing())[:5]}")
    return set(page.evaluate(ON_SCREEN))


def test_none_is_awake_that_is_not_on_the_screen(page, server, herd):
    answers = []
    page.on("response", lambda it: "/status" in it.url and answers.append(it))
    page.goto(server.url, wait_until="commit")
    first = wait_seen(page)
    assert 2 < len(first) < 100
    assert herd.woken <= first, "a list wakes nobody"
    # The way to the end passes all of them, and stops at none.
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = wait_seen(page)
    assert not first & last and NAMES[-1] in last
    assert herd.woken <= first | last
    wait_page(page, lambda: looked_at(server) <= last, lambda: looked_at(server))
    tiles = page.evaluate(TILES)
    assert tiles["heights"] == 1 and tiles["furnished"] < 4 * len(last), tiles
    sizes = [len(answer.body()) for answer in answers[-2:]]
    assert max(sizes) < 1000 * len(last), sizes
    with hidden(page):
        wait_page(page, lambda: not looked_at(server), lambda: looked_at(server))
    assert page.complaints == []


def test_hosts_are_closed_and_names_found_by_keyboard(page, server, herd):
    page.goto(server.url, wait_until="commit")
    wait_seen(page)
    summary = page.locator('.host[data-host="pi-00"] > summary')
    assert summary.text_content().split() == ["pi-00", str(EACH)]
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = "document.activeElement.closest('.host').dataset.host"
    assert page.evaluate(focused) == "pi-01", "the next host is one step away"
    seen = wait_seen(page)
    assert not any(name.startswith("pi-00.") for name in seen)
    wait_page(page, lambda: looked_at(server) <= seen, lambda: looked_at(server))

    page.keyboard.press("/")
    page.keyboard.type("PI-0 camera-07")
    found = page.locator("#found")
    wait_text(page, found, f"10 of {len(NAMES) + len(HERE)}")
    seen = wait_seen(page)
    assert seen <= {f"pi-0{host}.camera-07" for host in range(10)}, "also of a host that was closed"
    wait_page(page, lambda: looked_at(server) <= seen, lambda: looked_at(server))
    wall = page.get_by_role("link", name="Wall").get_attribute("href")
    assert wall == "/?wall&filter=PI-0%20camera-07"
    page.keyboard.type(" nowhere")
    wait_text(page, found, "0 of")
    assert page.get_by_text("No camera has such a name.").is_visible()
    page.keyboard.press("Escape")
    wait_text(page, found, f"{len(NAMES) + len(HERE)} cameras")
    # What was closed stays closed.
    page.reload(wait_until="commit")
    wait_seen(page)
    assert summary.evaluate("summary => summary.parentElement.open") is False
    page.get_by_role("button", name="Close all").click()
    assert wait_seen(page) == set(HERE)
    assert page.complaints == []


def test_one_is_enlarged_and_the_others_stay_small(page, server, herd):
    page.goto(server.url, wait_until="commit")
    wait_seen(page)
    page.get_by_role("button", name="Enlarge camera-01, pi-00").focus()
    page.keyboard.press("Enter")
    large = card(page, "pi-00.camera-01")
    width = "canvas => canvas.width"
    wait_page(page, lambda: large.locator("canvas").evaluate(width) == 320, "it in full")
    assert large.locator(".facts").is_visible()
    assert card(page, "pi-00.camera-00").locator("canvas").evaluate(width) == 80
    page.keyboard.press("Escape")
    wait_page(page, lambda: large.locator("canvas").evaluate(width) == 80, "it as a tile")
    assert page.complaints == []


def test_an_unreachable_host_says_so_and_is_not_asked(page, server, herd):
    since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    lost = [name for name in NAMES if name.startswith("pi-00.")]
    for name in lost:
        herd.tell(name, "failed", error="pi-00 does not answer", unreachable_since=since)
    herd.tell("bench", "failed", error="no such device")
    page.goto(server.url, wait_until="commit")
    first = card(page, lost[0])
    wait_text(page, first.locator(".message strong"), "Unreachable")
    assert first.locator(".more").text_content().startswith("since ")
    wait_text(page, card(page, "bench").locator(".state"), "failed")
    herd.woken.clear()  # until their state was known they may have been looked at
    wait_drawn(page, "door")
    assert not herd.woken & set(lost)
    # Its heading says so, too, also when it is closed.
    host = page.locator('.host[data-host="pi-00"]')
    wait_text(page, host.locator(".host-state"), "unreachable since")
    host.locator("summary").click()
    wait_text(page, host.locator(".host-state"), "unreachable since")
    herd.tell(lost[0])
    wait_page(page, lambda: not host.locator(".host-state").is_visible(), "it is back")
    for name in lost[1:]:
        herd.tell(name)
    host.locator("summary").click()
    wait_seen(page)
    # Browsers complain of each picture that a camera has not which has failed.
    assert [text for text in page.complaints if "503" not in text] == []


@in_chromium
@pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(window, server, herd, size, scheme):
    with window(server.url, size, scheme, names=()) as page:
        seen = wait_seen(page)
        tiles = page.evaluate(TILES)
        assert not tiles["wider"] and tiles["heights"] == 1, tiles
        columns = page.evaluate(
            "getComputedStyle(document.querySelector('.cameras')).gridTemplateColumns"
        )
        assert len(columns.split()) >= 2 and len(seen) > 4
        assert_accessible(page)
        assert page.complaints == []


def test_the_wall_has_quarters_of_those_on_the_screen(page, server, herd):
    page.goto(f"{server.url}/?wall&filter=pi-07", wait_until="commit")
    seen = wait_seen(page)
    assert len(seen) > 10 and all(name.startswith("pi-07.") for name in seen)
    assert herd.woken <= seen
    status = json.loads(get(server.url, "/status").body)
    assert {client["rendition"] for client in status["clients"]} <= {"quarter", None}
    assert set(page.evaluate("[...document.querySelectorAll('canvas')].map((it) => it.width)")) <= {
        80,
        16,
    }
    page.get_by_role("button", name="Open camera-03, pi-07").click()
    large = card(page, "pi-07.camera-03")
    wait_page(page, lambda: looked_at(server) == {"pi-07.camera-03"}, lambda: looked_at(server))
    box, size = large.bounding_box(), page.evaluate("[innerWidth, innerHeight]")
    assert [box[key] for key in ("x", "y", "width", "height")] == [0, 0, *size]
    page.keyboard.press("Escape")
    assert wait_seen(page) == seen
    assert page.complaints == []
