"""Real photographs, a real video, and `eyelid-capture` on its own."""

import pytest
from media import MEDIA, Photo

from harness.slot import Slot


@pytest.fixture(scope="session")
def china():
    return Photo("china.jpg")


@pytest.fixture(scope="session")
def flower():
    return Photo("flower.jpg")


@pytest.fixture(scope="session")
def video():
    path = MEDIA / "bikes.mp4"
    assert path.exists(), f"no {path} (tests/sources/media-files fetches it)"
    return path


@pytest.fixture
def folder(directory):
    """An empty directory for the folder source."""
    path = directory / "pictures"
    path.mkdir()
    return path


@pytest.fixture
def capture(start, directory):
    """Starts `eyelid-capture`; gives the program with its `slot`."""

    def capture(source, *arguments):
        path = directory / "slot"
        program = start("eyelid-capture", "--slot", path, "--source", source, *arguments)
        program.slot = Slot(path, program)
        return program

    return capture
