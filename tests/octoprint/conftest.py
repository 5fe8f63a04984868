"""One OctoPrint and one camera for the suite, and two ways between them."""

from dataclasses import dataclass

import pytest

import harness
from browser import chromium
from programs import OctoPrint, log_in, running_octoprint, show_tab, start_camera, start_haproxy


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@dataclass
class Route:
    """A way to OctoPrint and from there to the camera."""

    page: str
    stream: str
    webcam: str
    octoprint: OctoPrint
    camera: harness.Slot

    @property
    def snapshot(self):
        """The snapshot URL, as OctoPrint is to fetch it."""
        return f"{self.webcam}/?action=snapshot"

    def configure(self, **settings):
        """Has OctoPrint use it."""
        self.octoprint.configure_webcam(f"{self.stream}/?action=stream", self.snapshot, **settings)


@pytest.fixture(scope="module")
def routes():
    """Starts everything; gives the routes by name."""
    with (
        harness.private_directory() as directory,
        harness.programs(directory) as start,
        running_octoprint(start, directory / "octoprint") as octoprint,
    ):
        camera = start_camera(start, directory)
        here = "http://127.0.0.1"
        front = start_haproxy(start, octoprint.port, camera.port)
        direct = f"{here}:{camera.port}"
        yield {
            "direct": Route(f"{here}:{octoprint.port}", direct, direct, octoprint, camera.slot),
            "haproxy": Route(f"{here}:{front}", "/webcam", f"{here}:{front}/webcam", octoprint, camera.slot),
        }


@pytest.fixture(scope="module", params=["direct", "haproxy"])
def route(request, routes):
    """One of the routes."""
    return routes[request.param]


@pytest.fixture(autouse=True)
def asleep(route):
    """Before each test OctoPrint is configured for the route, and the camera is asleep."""
    route.configure()
    route.camera.wait_state("asleep")
    yield
    print(f"--- log of OctoPrint:\n{route.octoprint.program.out()[-5000:]}")


@pytest.fixture(scope="module")
def page(browser, route):
    """OctoPrint's page, logged in."""
    page = browser.new_page()
    log_in(page, route.page)
    yield page
    page.close()


@pytest.fixture
def control(page, asleep):
    """The page with its control tab open."""
    show_tab(page, "control")
    yield page
    show_tab(page, "temp")
