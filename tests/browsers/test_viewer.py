"""The viewer page."""

import re

import pytest
from looking import (
    beside,
    card,
    hidden,
    save_snapshots,
    streams,
    wait_drawn,
    wait_moves,
    wait_page,
    wait_text,
)
from slow import slow_link

from harness.http import get
from harness.slot import Slot

FIVE = ["default", "second", "third", "fourth", "fifth"]
SIX = [*FIVE, "sixth"]


def open_viewer(page, eyelid, path="/"):
    """Opens the viewer page of a server."""
    page.goto(eyelid.url + path, wait_until="commit")


def test_it_shows_a_moving_picture_without_complaint(page, cameras):
    open_viewer(page, cameras())
    wait_drawn(page)
    assert (
        page.complaints == []
    )  # before a screenshot: Playwright adds a style for it, which the policy forbids
    wait_moves(page, page.locator("canvas"))


def test_it_works_behind_a_prefix(page, cameras):
    open_viewer(page, cameras(), "/webcam/")
    wait_drawn(page)
    assert page.complaints == []


def test_it_works_without_scripts(page, cameras):
    page.set_content(
        f'<iframe sandbox src="{cameras().url}/" width=400 height=500></iframe>',
        wait_until="commit",
    )
    wait_moves(page, page.locator("iframe"))


def test_it_wakes_a_camera(page, cameras):
    eyelid = cameras()
    assert get(eyelid.url, "/snapshot").status == 200
    eyelid.slot.wait_state("asleep")
    open_viewer(page, eyelid)
    wait_drawn(page)
    wait_text(page, card(page).locator(".state"), "awake")
    assert page.complaints == []


def test_the_camera_falls_asleep_when_paused_and_wakes_again(page, cameras):
    eyelid = cameras()
    open_viewer(page, eyelid)
    wait_drawn(page)
    page.get_by_role("button", name=re.compile("^pause", re.I)).click()
    eyelid.slot.wait_state("asleep")
    wait_text(page, card(page).locator(".message"), "Paused The camera is asleep.")
    page.get_by_role("button", name=re.compile("^resume", re.I)).click()
    wait_drawn(page)
    assert page.complaints == []


def test_the_cameras_fall_asleep_while_it_is_hidden_and_are_shown_again(page, cameras):
    eyelid = cameras("default", "second")
    open_viewer(page, eyelid)
    wait_drawn(page, "default", "second")
    with hidden(page):
        eyelid.slot.wait_state("asleep")
        Slot(eyelid.slot.path / "second").wait_state("asleep")
        wait_streams(page, eyelid, 0)
    wait_drawn(page, "default", "second")
    assert page.complaints == []


def test_the_camera_falls_asleep_when_it_is_left_and_wakes_when_one_comes_back(page, cameras):
    eyelid = cameras()
    open_viewer(page, eyelid)
    wait_drawn(page)
    page.goto("about:blank")
    eyelid.slot.wait_state("asleep")
    page.go_back(wait_until="commit")
    wait_drawn(page)


def test_it_says_why_a_camera_failed_and_recovers_in_place(page, unreliable, cable):
    open_viewer(page, unreliable)
    wait_drawn(page)
    stream = streams(unreliable)
    cable.unlink()
    wait_text(page, card(page).locator(".state"), "failed")
    wait_page(
        page,
        lambda: "3" in card(page).locator(".message .more").text_content(),
        "the exit status is the reason",
    )
    cable.touch()
    wait_text(page, card(page).locator(".state"), "awake")
    wait_drawn(page)
    assert streams(unreliable) == stream, "it recovers on the connection it had"
    assert page.complaints == []


def test_it_recovers_from_a_restart_of_the_server(page, cameras):
    eyelid = cameras()
    open_viewer(page, eyelid)
    wait_drawn(page)
    assert eyelid.stop() == 0
    wait_text(page, page.locator("#server"), "The server does not answer")
    cameras()
    wait_drawn(page)
    wait_text(page, page.locator("#server"), "Eyelid 0.")
    wait_text(page, card(page).locator(".state"), "awake")


# A browser opens six connections to one server: one for all else, and where there are too many
# cameras, one for the snapshots of those without a stream.
@pytest.mark.parametrize(("names", "most"), [(FIVE, 5), (SIX, 4)], ids=["5", "6"])
def test_several_cameras_leave_a_connection_for_all_else(page, cameras, names, most):
    eyelid = cameras(*names)
    open_viewer(page, eyelid)
    wait_drawn(page, *names)
    for name in names:
        wait_text(page, card(page, name).locator(".state"), "awake")
    assert len(streams(eyelid)) == most
    wait_text(page, page.locator("#server"), "Eyelid 0.")
    save_snapshots(page, names[0], names[-1])
    assert (
        page.evaluate("() => fetch('.', { cache: 'no-store' }).then(({ status }) => status)") == 200
    )
    assert page.complaints == []


def test_the_enlarged_camera_has_a_stream(page, cameras):
    # What is off the screen is not looked at, and takes no connection.
    page.set_viewport_size({"width": 1280, "height": 2400})
    eyelid = cameras(*SIX)
    open_viewer(page, eyelid)
    wait_streams(page, eyelid, 4)
    last = FIVE[-1]  # the page has them in the order of the file
    assert last not in streams(eyelid, "camera")
    card(page, last).locator(".large").click()
    wait_page(page, lambda: last in streams(eyelid, "camera"), "it has one")
    wait_streams(page, eyelid, 4)
    wait_drawn(page, *SIX)
    assert page.complaints == []


def test_a_camera_without_a_stream_is_shown_behind_a_slow_link(page, cameras):
    eyelid = cameras(*SIX)
    with slow_link(eyelid.url, "/sixth/snapshot") as address:
        page.goto(address, wait_until="commit")
        wait_streams(page, eyelid, 4)
        opened = streams(eyelid)
        wait_drawn(page, *SIX, times=0)
        assert streams(eyelid) == opened, "what flows is left alone"
    page.goto("about:blank")  # or it complains of the link's end


def test_two_tabs_of_five_cameras_do_not_starve_each_other(page, cameras):
    eyelid = cameras(*FIVE)
    open_viewer(page, eyelid)
    wait_drawn(page, *FIVE)
    with hidden(page) as other:
        open_viewer(other, eyelid)
        wait_drawn(other, *FIVE)
    wait_drawn(page, *FIVE)
    assert page.complaints == []


def test_two_windows_of_five_cameras_share_the_connections(page, cameras):
    eyelid = cameras(*FIVE)
    open_viewer(page, eyelid)
    wait_streams(page, eyelid, 5)
    with beside(page) as other:
        open_viewer(other, eyelid)
        for each in (page, other):
            wait_drawn(each, *FIVE)
        wait_streams(page, eyelid, 3)  # and one connection for the snapshots of each
        for each in (page, other):
            save_snapshots(each, FIVE[0], FIVE[-1])
    wait_streams(page, eyelid, 5)
    wait_drawn(page, *FIVE)
    assert page.complaints == []


# Tells of itself until it crashes.
OTHER_WINDOW = """() => {
  const channel = new BroadcastChannel('eyelid viewer');
  window.otherWindow = setInterval(() => channel.postMessage({ id: '~', showing: 5 }), 1000);
}"""


def test_a_window_that_crashed_is_forgotten(page, cameras):
    eyelid = cameras(*FIVE)
    open_viewer(page, eyelid)
    wait_streams(page, eyelid, 5)
    page.evaluate(OTHER_WINDOW)
    wait_streams(page, eyelid, 2)  # of three the page has two, for its id is the first
    page.evaluate("clearInterval(otherWindow)")
    wait_streams(page, eyelid, 5)
    assert page.complaints == []


def wait_streams(page, eyelid, count):
    """Waits until so many streams are open."""
    wait_page(
        page,
        lambda: len(streams(eyelid)) == count,
        lambda: f"{count} streams, not {len(streams(eyelid))}",
    )
