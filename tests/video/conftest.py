"""A camera with the test picture, and eyelid-video, which shows it."""

import os
from pathlib import Path

import pytest
from video import Video

from harness import elsewhere
from harness.crowd import allow_connections
from harness.namespaces import require_own
from harness.slot import Slot

SIZE = (640, 480)
FPS = 15


def pytest_sessionstart():
    """The computer beside this one is all that can be reached from here."""
    if not os.access(Path(os.environ.get("EYELID_BIN", "")) / "eyelid-video", os.X_OK):
        pytest.exit("no eyelid-video beside the programs", returncode=2)
    require_own("net")
    elsewhere.make()
    allow_connections()


@pytest.fixture
def camera(start, directory):
    """Starts a camera, `door` if no name is given, that sleeps a second after the last look; gives
    its slot.
    """

    def camera(name="door", *arguments, size=SIZE, fps=FPS):
        path = directory / "slots" / name
        path.mkdir(parents=True)
        picture = ["--size", f"{size[0]}x{size[1]}", "--fps", fps, *arguments]
        program = start(
            "eyelid-capture", "--source", "test", "--slot", path, "--linger", "1s", *picture
        )
        slot = Slot(path, program)
        slot.program = program
        slot.wait_state("asleep")
        return slot

    return camera


@pytest.fixture
def door(camera):
    """The slot of a camera."""
    return camera()


@pytest.fixture
def video(start, directory):
    """Starts eyelid-video for all cameras."""

    def video(*arguments, **options):
        return Video(start, directory, *arguments, **options)

    return video


@pytest.fixture
def reached(door, video):
    """eyelid-video as it is reached from the network: aiortc has no candidates of loopback."""
    shown = video(listen="0.0.0.0:0")
    shown.url = f"http://{elsewhere.HERE}:{shown.port}"
    return shown


@pytest.fixture
def shown(door, video):
    """A running eyelid-video with one camera, `door`."""
    return video()
