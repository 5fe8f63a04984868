"""The viewer page in windows of every shape, and what it says to a person.

Where the browser has a say, as in how wide things are and what a screen reader hears, in Chromium
and Firefox; else in Chromium alone.
"""

import json

import pytest
from looking import (
    LAPTOP,
    ON_ITS_SIDE,
    PHONE,
    SEEN,
    SMALL,
    WIDE,
    assert_accessible,
    card,
    in_chromium,
    wait_drawn,
    wait_page,
    wait_text,
)

from harness.http import get

THREE = {"nozzle": "1280x720", "bed": "640x480", "default": "1280x720"}

# Words that are cut off, or broken within.
BROKEN = """() => [
  ...document.querySelectorAll('.camera h2, .camera .state, .facts dt, .facts dd'),
].filter((part) => {
  const words = document.createRange();
  words.selectNodeContents(part);
  const lines = new Set([...words.getClientRects()].map(({ top }) => Math.round(top)));
  return part.offsetParent && (part.scrollWidth > part.clientWidth + 1
    || lines.size > part.textContent.trim().split(/\\s+/).length);
}).map((part) => part.textContent)"""


# Sizes


@in_chromium
@pytest.mark.parametrize(
    ("size", "sizes", "share"),
    [
        (ON_ITS_SIDE, {"default": "1280x720"}, 0.7),
        (ON_ITS_SIDE, {"default": "640x480"}, 0.5),
        (ON_ITS_SIDE, THREE, 0.28),
        (LAPTOP, {"default": "1280x720"}, 0.65),
        (LAPTOP, THREE, 0.28),
        (WIDE, {"default": "1280x720"}, 0.75),
        (WIDE, THREE, 0.45),
    ],
    ids=["phone-1", "phone-1-of-4:3", "phone-3", "laptop-1", "laptop-3", "wide-1", "wide-3"],
)
def test_a_window_shows_everything_at_once_and_is_mostly_pictures(
    window, rooms, size, sizes, share
):
    with window(rooms(sizes).url, size, names=sizes) as page:
        seen = page.evaluate(SEEN)
        assert not seen["wider"] and not seen["higher"], seen
        assert seen["share"] > share, seen
        assert max(seen["letterboxes"]) < 0.03, seen


@pytest.mark.parametrize("size", [SMALL, PHONE], ids=["320", "390"])
def test_an_upright_phone_shows_pictures_over_its_whole_width_and_whole_words(window, rooms, size):
    with window(rooms(THREE, bed="Über dem Bett").url, size, names=THREE) as page:
        seen = page.evaluate(SEEN)
        assert not seen["wider"], seen
        assert max(seen["letterboxes"]) < 0.03, seen
        assert min(seen["widths"]) > 0.9, seen
        assert page.evaluate(BROKEN) == []
        assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(window, rooms, scheme):
    with window(rooms(THREE).url, LAPTOP, scheme, THREE) as page:
        dark = page.evaluate(
            "() => Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 128"
        )
        assert dark == (scheme == "dark")
        assert_accessible(page)
        card(page, "bed").hover()
        page.keyboard.press("a")
        assert page.locator("dialog").is_visible()
        assert_accessible(page)
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()
        page.keyboard.press("Space")
        wait_text(page, card(page, "bed").locator(".state"), "paused", "asleep")
        assert_accessible(page)


def heard(page):
    """Gives what Chromium itself tells a screen reader, as pairs of role and name."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"]
    ]


def test_a_screen_reader_hears_which_camera_each_thing_is_of(window, rooms):
    with window(rooms(THREE).url, LAPTOP, names=THREE) as page:
        for name, label in ("nozzle", "nozzle"), ("bed", "bed"), ("default", "Camera"):
            wait_text(page, card(page, name).locator(".said"), f"{label}: awake")
            things = [
                ("article", label),
                ("img", f"Picture of {label}, awake"),
                ("button", f"Pause {label}"),
                ("link", f"Snapshot of {label}"),
                ("button", f"Addresses of {label}"),
                ("button", f"Enlarge {label}"),
                ("button", f"Full screen {label}"),
            ]
            for role, said in things:
                assert page.get_by_role(role, name=said, exact=True).count() == 1, said
            if page.context.browser.browser_type.name == "chromium":
                tree = heard(page)
                for role, said in things:
                    assert tree.count(("image" if role == "img" else role, said)) == 1, said


# Words


@in_chromium
def test_cameras_are_called_by_their_titles_in_the_order_of_the_file(window, rooms):
    eyelid = rooms(THREE, bed="Über dem <Bett>")
    with window(eyelid.url, LAPTOP, names=THREE) as page:
        assert page.locator(".camera h2").all_inner_texts() == [
            "nozzle",
            "Über dem <Bett>",
            "Camera",
        ]
    with window(f"{eyelid.url}/bed/", LAPTOP, names=["bed"]) as page:
        assert page.title() == "Über dem <Bett> · Eyelid"
        assert page.complaints == []


# As on a page by plain HTTP.
WITHOUT_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"


@in_chromium
@pytest.mark.parametrize("script", ["", WITHOUT_CLIPBOARD], ids=["local", "http"])
def test_addresses_are_there_to_be_copied(window, rooms, script):
    eyelid = rooms(THREE)
    base = f"{eyelid.url}/webcam/"
    with window(base, PHONE, names=THREE) as page:
        page.evaluate(f"() => {{ {script} }}")
        card(page, "bed").get_by_role("button", name="Addresses of bed").click()
        shown = page.locator("dialog input").evaluate_all(
            "fields => fields.map(({ value }) => value)"
        )
        assert shown == [
            f"{base}bed/stream",
            f"{base}bed/snapshot",
            f"{base}bed/?action=stream",
            f"{base}bed/?action=snapshot",
            f"{base}bed/stream?advance_headers=1",
            f"{base}bed/snapshot",
        ]
        for url in shown:
            assert get(eyelid.url, url.removeprefix(eyelid.url), "HEAD").status == 200
        button = page.get_by_role("button", name="Copy Snapshot URL, OctoPrint, Mainsail, Fluidd")
        button.click()
        wait_text(page, button, "Copied")
        field = page.locator("dialog input").first
        field.evaluate("field => { field.readOnly = false; field.value = ''; }")
        field.focus()
        page.keyboard.press("Control+V")
        wait_page(
            page, lambda: field.input_value() == f"{base}bed/?action=snapshot", "it is pasted"
        )
        assert page.locator(".here").is_visible(), "127.0.0.1 leads here from this computer alone"
        assert page.complaints == []


def wait_looking(page, who):
    """Waits until the page says that these look, and no more."""
    wait_page(page, lambda: page.locator(".looking").text_content() == who, f"{who} looking")


@in_chromium
def test_it_says_who_looks_and_why_a_paused_camera_does_not_sleep(window, rooms):
    eyelid = rooms({"default": "640x480"})
    with window(eyelid.url, LAPTOP) as page:
        wait_looking(page, "you")
        with window(eyelid.url, LAPTOP) as other:
            wait_looking(page, "you + 1")
            page.keyboard.press("Space")
            wait_looking(page, "1")
            wait_text(
                page,
                page.locator(".message .more"),
                "The camera is awake, for 1 other looks at it.",
            )
            page.keyboard.press("a")
            wait_text(page, page.locator("dialog .clients"), "127.0.0.1 · ")
            assert other.complaints == []
        wait_text(page, page.locator("dialog .count"), "Nobody.")
        page.keyboard.press("Escape")
        wait_text(page, page.locator(".message .more"), "The camera is asleep.")


@in_chromium
def test_of_a_camera_that_pushes_and_does_not_sleep_it_says_so(window, start, directory):
    slot = directory / "slots"
    slot.mkdir()
    told = {"version": 1, "state": "asleep", "since": "2026-11-29T12:00:00.000Z"}
    told["push"] = {"connected": True, "sleeps": False, "address": "192.0.2.7"}
    (slot / "state.json").write_text(json.dumps(told))
    server = start("eyelid-server", "--slots", slot, "--listen", "127.0.0.1:0")
    url = server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    with window(url, LAPTOP, names=()) as page:
        wait_page(page, lambda: page.locator(".message").inner_text(), "it says something")
        page.keyboard.press("Space")
        more = page.locator(".message .more")
        wait_text(page, more, "Nobody looks.", "it cannot be told to sleep.")
        told["push"]["sleeps"] = True
        hidden = slot / ".state.json.tmp"
        hidden.write_text(json.dumps(told))
        hidden.rename(slot / "state.json")
        wait_text(page, more, "The camera is asleep.")


@in_chromium
def test_a_failed_camera_says_once_why_and_when_it_is_tried_again(window, eyelid, directory):
    config = directory / "eyelid.toml"
    config.write_text('[cameras.default]\nsource = "command:exit 3"\n')
    program = eyelid("--config", config)
    with window(program.url, LAPTOP, names=()) as page:
        wait_text(page, page.locator(".state"), "failed")
        wait_page(
            page,
            lambda: "3" in page.locator(".message .more").inner_text(),
            "the exit status is the reason",
        )
        reason = program.slot.state()["error"]
        assert " ".join(page.locator(".picture, .bar").all_inner_texts()).count(reason) == 1
        assert (
            page.locator("canvas").evaluate("canvas => getComputedStyle(canvas).visibility")
            == "hidden"
        )
        wait_text(page, page.locator(".message .retry"), "Next try in ")
        wait_text(page, page.locator(".message .retry"), "Trying again", "Next try in 1 s")
        said = [
            camera["retry"] for camera in json.loads(get(program.url, "/status").body)["cameras"]
        ]
        assert said[0] and said[0] > program.slot.state()["since"]
        assert_accessible(page)


@in_chromium
def test_an_address_that_is_none_has_a_page_that_leads_back(window, rooms):
    eyelid = rooms({"default": "640x480"})
    for path in "/nothing", "/webcam/nothing/here", "/nobody/":
        with window(eyelid.url + path, PHONE, names=()) as page:
            assert page.get_by_role("heading").inner_text() == "Not Found"
            assert_accessible(page)
            page.get_by_role("link").click()
            wait_drawn(page, times=0)
