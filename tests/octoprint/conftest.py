"""One OctoPrint and one camera for the suite, and two ways between them."""

from dataclasses import dataclass

import pytest
from programs import Camera, OctoPrint, log_in, running_octoprint, show_tab, start_haproxy

from harness.browser import chromium
from harness.programs import private_directory, programs
from harness.slot import Slot
from harness.waiting import DEADLINE


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
    camera: Slot

    @classmethod
    def to(cls, name, start, octoprint, camera):
        """Gives the route of this name."""
        if name == "direct":
            return cls(octoprint.url, camera.url, camera.url, octoprint, camera.slot)
        front = start_haproxy(start, octoprint, camera)
        return cls(front, "/webcam", f"{front}/webcam", octoprint, camera.slot)

    @property
    def snapshot(self):
        """The snapshot URL, as OctoPrint is to fetch it."""
        return f"{self.webcam}/?action=snapshot"

    def configure(self, **settings):
        """Has OctoPrint use it."""
        self.octoprint.configure_webcam(f"{self.stream}/?action=stream", self.snapshot, **settings)


@pytest.fixture(scope="session")
def site():
    """Gives a private directory and what starts programs, for all tests."""
    with private_directory() as directory, programs(directory) as start:
        yield directory, start


@pytest.fixture(scope="session")
def octoprint(site):
    """OctoPrint."""
    directory, start = site
    with running_octoprint(start, directory / "octoprint") as octoprint:
        yield octoprint


@pytest.fixture(scope="session")
def camera(site):
    """The camera."""
    directory, start = site
    return Camera(start, directory)


@pytest.fixture(scope="module", params=["direct", "haproxy"])
def route_name(request):
    """Which route it is."""
    return request.param


@pytest.fixture(scope="module")
def route(route_name, site, octoprint, camera):
    """One of the routes."""
    _, start = site
    return Route.to(route_name, start, octoprint, camera)


@pytest.fixture(autouse=True)
def asleep(route):
    """Before each test OctoPrint runs, is configured for the route, and the camera is asleep."""
    if not route.octoprint.program.running():
        route.octoprint.run()
    route.configure()
    route.camera.wait_state("asleep")
    yield
    print(f"--- log of OctoPrint:\n{route.octoprint.program.out()[-5000:]}")


@pytest.fixture(scope="module")
def page(browser, route):
    """OctoPrint's page, logged in.

    One that was loaded before the webcam was configured might not hear of it.
    """
    route.configure()
    page = browser.new_page()
    page.set_default_timeout(2000 * DEADLINE)
    log_in(page, route.page)
    yield page
    page.close()


@pytest.fixture
def control(page, asleep):
    """The page with its control tab open."""
    show_tab(page, "control")
    yield page
    show_tab(page, "temp")
