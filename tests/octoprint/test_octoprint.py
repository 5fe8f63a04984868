"""OctoPrint shows and photographs what the camera sees, straight and through haproxy."""

import re
import subprocess
import time

from programs import show_tab, wait_started

from harness.frames import check_frame
from harness.square import SLACK, captured, wait_moves
from harness.waiting import DEADLINE

PICTURES = 10


def test_the_control_tab_shows_a_moving_picture(control):
    wait_moves(control.locator("#webcam_image"))


def test_the_camera_falls_asleep_when_the_tab_is_left_and_wakes_again(control, route):
    wait_moves(control.locator("#webcam_image"))
    route.camera.wait_state("awake")
    show_tab(control, "temp")
    route.camera.wait_state("asleep")
    show_tab(control, "control")
    wait_moves(control.locator("#webcam_image"))


def test_the_cache_buster_does_no_harm(page, route):
    route.configure(cacheBuster=True)
    page.reload()
    wait_started(page)
    show_tab(page, "control")
    wait_moves(page.locator("#webcam_image"))
    assert re.search(r"action=stream&\d{13}$", page.locator("#webcam_image").get_attribute("src"))
    show_tab(page, "temp")


def test_the_snapshot_test_passes(route):
    asked = time.time()
    answer, jpeg = route.octoprint.test_snapshot(route.snapshot)
    assert answer["result"], answer
    assert captured(check_frame(jpeg), time.time()) > asked - SLACK


def test_the_snapshot_test_tells_of_a_camera_that_is_off(route):
    answer, jpeg = route.octoprint.test_snapshot(f"{route.webcam}/off/?action=snapshot")
    assert (answer["result"], answer["status"], jpeg) == (False, 503, b"")


def test_a_timelapse_has_fresh_pictures(route):
    moment = time.time()
    with route.octoprint.printing(interval=1):
        pictures = route.octoprint.pictures(PICTURES)
    seen = set()
    for path in pictures:
        picture, stored = check_frame(path.read_bytes()), path.stat().st_mtime
        assert captured(picture, stored) > moment - SLACK, (
            f"{path.name} was captured before it was asked for"
        )
        seen.add(picture.tobytes())
        moment = stored  # the next one is asked for later
    assert len(seen) == PICTURES, "the same picture twice"
    film = route.octoprint.film(pictures[0].name.rpartition("-")[0])
    play = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-xerror",
        "-i",
        film,
        "-frames:v",
        str(PICTURES),
        "-f",
        "null",
        "-",
    ]
    subprocess.run(play, check=True, timeout=2 * DEADLINE)
