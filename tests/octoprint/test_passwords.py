"""OctoPrint and its page show a camera whose server asks for a password.

Without the password they do not.
"""

import time

import pytest
from conftest import Route
from programs import Camera, log_in, show_tab

from harness.browser import chromium, firefox
from harness.frames import check_frame
from harness.programs import private_directory, programs
from harness.square import SLACK, captured, wait_moves
from harness.waiting import DEADLINE

# The password, as htpasswd -B writes it.
USERS = "anna:$2b$04$7pi8H0xWtQ5hfAI8USmHBO81jQrCqIFW6gDDDlcHe7ZUlOX28m9fK\n"
PASSWORD = {"username": "anna", "password": "picture"}
WRONG = {"another password": PASSWORD | {"password": "wrong"}, "no password": None}

# For each route: the camera's host in the Stream URL, and which browsers ask for its password. The
# page's is 127.0.0.1.
ASKED = {
    "haproxy": {"127.0.0.1": ["chromium", "firefox"]},
    "direct": {"127.0.0.1": ["chromium"], "localhost": [], "anna:picture@127.0.0.1": ["firefox"]},
}

# Adds a picture to the page; gives its width, 0 if the browser shows none.
SHOW = """([url, deadline_ms]) => new Promise((done) => {
  const image = document.body.appendChild(new Image());
  image.onload = () => done(image.naturalWidth);
  image.onerror = () => done(0);
  image.src = url;
  setTimeout(() => done('no answer'), deadline_ms);
})"""


@pytest.fixture(scope="module")
def route(route_name, octoprint):
    """One of the routes, to a camera with a password."""
    with private_directory() as directory, programs(directory) as start:
        users = directory / "users"
        users.write_text(USERS)
        yield Route.to(route_name, start, octoprint, Camera(start, directory, "--auth-file", users))


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser_name(request):
    """Which browser it is."""
    return request.param


@pytest.fixture(scope="module")
def browser(browser_name):
    """A browser."""
    with {"chromium": chromium, "firefox": firefox}[browser_name]() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A page in front of somebody who enters the password wherever the browser asks for one."""
    with browser.new_context(http_credentials=PASSWORD, no_viewport=True) as context:
        context.set_default_timeout(2000 * DEADLINE)
        yield context.new_page()


def button(password):
    """Gives what the button "Test" sends of the dialog's settings."""
    return {"basicAuth": password} if password else {}


def settings(password):
    """Gives the dialog's settings."""
    if not password:
        return {}
    return {
        "snapshotAuth": "basic",
        "snapshotUsername": password["username"],
        "snapshotPassword": password["password"],
    }


def test_the_snapshot_test_passes_with_the_password(route):
    asked = time.time()
    answer, jpeg = route.octoprint.test_snapshot(route.snapshot, **button(PASSWORD))
    assert answer["result"], answer
    assert captured(check_frame(jpeg), time.time()) > asked - SLACK


def test_octoprint_takes_pictures_with_the_password(route):
    route.configure(**settings(PASSWORD))
    asked = time.time()
    answer = route.octoprint.snapshot()
    assert answer.status == 200
    assert captured(check_frame(answer.body), time.time()) > asked - SLACK


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_without_the_password_there_is_no_picture_and_the_camera_sleeps_on(route, wrong):
    before = route.camera.state()
    answer, jpeg = route.octoprint.test_snapshot(route.snapshot, **button(wrong))
    assert (answer["result"], answer["status"], jpeg) == (False, 401, b"")
    route.configure(**settings(wrong))
    assert route.octoprint.snapshot().status == 500
    assert route.camera.state() == before


@pytest.mark.parametrize("route_name, browser_name", [("haproxy", "chromium")], indirect=True)
def test_the_control_tab_shows_a_moving_picture_to_who_has_the_password(page, route):
    log_in(page, route.page)
    show_tab(page, "control")
    wait_moves(page.locator("#webcam_image"))


def test_where_browsers_ask_for_the_password_of_a_picture(page, browser_name, route_name, route):
    page.goto(f"{route.page}/login/")
    for host, browsers in ASKED[route_name].items():
        url = f"{route.stream}/?action=stream".replace("127.0.0.1", host)
        assert page.evaluate(SHOW, [url, 1000 * DEADLINE]) == (
            640 if browser_name in browsers else 0
        ), url
