"""Home Assistant takes the camera's URLs, shows what it sees, and lets it sleep."""

import itertools
import time

import pytest
from programs import CARD, DASHBOARD_CAMERA, STILLS, log_in

from harness.browser import picture
from harness.frames import check_frame, difference
from harness.square import SLACK, captured, wait_moves
from harness.waiting import DEADLINE, wait_for

FRAMES = 10
MAX_AGE = 2.0  # seconds: the servers' default
NUMBER = itertools.count(1)  # Home Assistant takes each URL once


def urls(server, number, more=""):
    return f"{server.url}/stream?number={number}{more}", f"{server.url}/snapshot"


@pytest.fixture(params=["both", "stream", "password"])
def way(request):
    """How Home Assistant has the camera: by both URLs, by the stream alone, with a password."""
    return request.param


@pytest.fixture
def server(way, camera):
    return camera.closed if way == "password" else camera.open


@pytest.fixture
def entity(way, server, home, camera):
    """The camera in Home Assistant."""
    number = next(NUMBER)
    stream, still = urls(server, number)
    user = ("anna", "picture") if way == "password" else ()
    entity = home.entity(
        home.add_mjpeg(f"{way} {number}", stream, way != "stream" and still, *user)
    )
    camera.slot.wait_state("asleep")
    return entity


def test_the_form_takes_the_urls_and_wakes_the_camera(home, camera):
    number = next(NUMBER)
    since = camera.slot.state()["since"]
    home.entity(home.add_mjpeg(f"form {number}", *urls(camera.open, number)))
    wait_for(lambda: camera.slot.state()["since"] != since, "it wakes")
    camera.slot.wait_state("asleep")


@pytest.mark.parametrize("user", [("anna", "wrong"), ()])
def test_the_form_tells_of_a_wrong_password_and_the_camera_sleeps_on(home, camera, user):
    before = camera.slot.state()
    answer = home.add_mjpeg("closed", *urls(camera.closed, next(NUMBER)), *user)
    assert (answer["type"], answer["errors"]) == ("form", {"username": "invalid_auth"})
    assert camera.slot.state() == before


def test_the_form_tells_of_a_camera_that_is_off(home, camera):
    off = f"{camera.open.url}/off"
    answer = home.add_mjpeg("off", f"{off}/stream", f"{off}/snapshot")
    assert (answer["type"], answer["errors"]) == ("form", {"still_image_url": "cannot_connect"})


def assert_fresh(take, camera):
    """Takes a picture of the camera, which is asleep, and has been for so long that no stream may
    begin with the frame that lies there, as it may where the camera takes long to wake.
    """
    camera.slot.wait_state("asleep")
    wait_for(lambda: time.time() - camera.slot.mtime() / 1e9 > MAX_AGE, "the frame is too old")
    asked = time.time()
    seen = captured(check_frame(take()), time.time())
    assert seen > asked - SLACK, f"captured {asked - seen:.2f} s before it was asked for"


def test_a_picture_is_fresh(entity, camera):
    answer = entity.picture()
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert_fresh(lambda: entity.picture().body, camera)


def test_a_picture_is_cut_out_of_a_stream_with_headers_in_advance(home, camera):
    number = next(NUMBER)
    stream, _ = urls(camera.open, number, "&advance_headers=1")
    entity = home.entity(home.add_mjpeg(f"advance {number}", stream))
    assert_fresh(lambda: entity.picture().body, camera)


def test_the_live_picture_moves_and_the_camera_falls_asleep_after_it(entity, camera):
    with entity.stream() as stream:
        assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        seen = {check_frame(stream.part().jpeg).tobytes() for _ in range(FRAMES)}
        camera.slot.wait_state("awake")
    assert len(seen) == FRAMES
    camera.slot.wait_state("asleep")


def test_the_picture_comes_again_after_the_server_has_started_anew(entity, server):
    check_frame(entity.picture().body)
    server.program.stop()
    assert entity.picture().status == 500
    server.run()
    check_frame(entity.picture().body)


def test_the_action_snapshot_stores_a_fresh_picture(entity, home, camera):
    def stored():
        file = home.directory / "www/picture.jpg"
        home.order(
            "/api/services/camera/snapshot", {"entity_id": entity.name, "filename": str(file)}
        )
        return file.read_bytes()

    assert_fresh(stored, camera)


def test_the_generic_camera_takes_the_picture_alone(home, camera):
    fields = {"still_image_url": f"{camera.open.url}/snapshot", "framerate": 2, "verify_ssl": True}
    entity = home.entity(home.fill_in("generic", fields, {"confirmed_ok": True}))
    assert_fresh(lambda: entity.picture().body, camera)


def test_with_headers_in_advance_chromium_draws_the_newest_frame(home, silent, browser):
    entity = home.entity(home.add_mjpeg("silent", f"{silent.url}/stream?advance_headers=1"))
    with browser.new_context() as context:
        context.set_default_timeout(2000 * DEADLINE)
        page = context.new_page()
        page.set_content(silent.page(f"{home.url}{entity.stream_path()}"), wait_until="commit")
        for frame, colour in silent.frames():

            def drawn(frame=frame):
                page.wait_for_timeout(20)
                return difference(picture(page.locator("img")), frame) < 12

            wait_for(drawn, f"{colour} is drawn")


def test_a_dashboard_shows_live_and_still_pictures_and_the_camera_sleeps_between_them(
    home, camera, browser
):
    home.entity(
        home.add_mjpeg(DASHBOARD_CAMERA, *urls(camera.open, next(NUMBER), "&advance_headers=1"))
    )
    with browser.new_context() as context:
        context.set_default_timeout(2000 * DEADLINE)
        page = context.new_page()
        log_in(page, home)
        wait_moves(page.locator(f"{CARD} img"))
        camera.slot.wait_state("awake")
        page.goto(home.url + STILLS)
        for _ in range(2):  # it sleeps between two pictures
            with page.expect_response("**/api/camera_proxy/**"):
                pass
            camera.slot.wait_state("asleep")
    camera.slot.wait_state("asleep")
