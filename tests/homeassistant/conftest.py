"""One Home Assistant and one camera for the suite."""

import pytest
from programs import HomeAssistant, start_camera

from harness.browser import chromium
from harness.programs import private_directory, programs
from harness.silent import SilentCamera


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def running():
    """Starts everything; gives Home Assistant and the camera."""
    with private_directory() as directory, programs(directory) as start:
        yield HomeAssistant(start, directory / "home"), start_camera(start, directory)


@pytest.fixture
def silent(start, directory):
    return SilentCamera(start, directory)


@pytest.fixture
def home(running):
    return running[0]


@pytest.fixture(autouse=True)
def camera(running):
    """The camera, asleep."""
    camera = running[1]
    camera.slot.wait_state("asleep")
    return camera
