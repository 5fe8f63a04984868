"""Home Assistant takes the camera's URLs, shows what it sees, and lets it sleep."""

import itertools
import time

import pytest

from harness import check_frame, wait_for
from pictures import SLACK, captured

FRAMES = 10
NUMBER = itertools.count(1)  # Home Assistant takes each URL once


def urls(server, number):
    return f"{server.url}/stream?number={number}", f"{server.url}/snapshot"


@pytest.fixture(params=["both", "stream", "password"])
def entity(request, home, camera):
    """A camera in Home Assistant: with both URLs, with the stream alone, and with a password."""
    number = next(NUMBER)
    server = camera.closed if request.param == "password" else camera.open
    stream, still = urls(server, number)
    user = ("anna", "picture") if request.param == "password" else ()
    entity = home.entity(home.add_mjpeg(f"{request.param} {number}", stream, request.param != "stream" and still, *user))
    camera.slot.wait_state("asleep")
    return entity


def test_the_form_takes_the_urls_and_wakes_the_camera(home, camera):
    number = next(NUMBER)
    since = camera.slot.state()["since"]
    home.entity(home.add_mjpeg(f"form {number}", *urls(camera.open, number)))
    state = camera.slot.wait_state("asleep")
    print(since, state)
    assert state["since"] != since


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


def test_a_picture_is_fresh(entity):
    asked = time.time()
    answer = entity.picture()
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert captured(check_frame(answer.body), time.time()) > asked - SLACK


def test_the_live_picture_moves_and_the_camera_falls_asleep_after_it(entity, camera):
    with entity.stream() as stream:
        assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        seen = {check_frame(stream.part().jpeg).tobytes() for _ in range(FRAMES)}
        assert camera.slot.state()["state"] == "awake"
    assert len(seen) == FRAMES
    camera.slot.wait_state("asleep")
