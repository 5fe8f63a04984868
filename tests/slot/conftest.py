"""A small tmpfs, and the two programs around one slot."""

import subprocess

import pytest

from harness.http import wait_listening
from harness.namespaces import require_own
from harness.programs import binary
from harness.slot import Slot
from harness.stream import Stream


def pytest_sessionstart():
    """Mounting must be possible, and must not be seen by anybody else."""
    require_own("mnt")


@pytest.fixture
def small(directory):
    """A tmpfs of 256 KiB."""
    path = directory / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def slot(directory):
    """Where the slot is; neither program has made it yet."""
    return Slot(directory / "slots")


@pytest.fixture
def capture(start):
    """Starts `eyelid-capture` with the test picture, under another command if one is given."""

    def capture(slot, size="320x240", *arguments, under=(), **options):
        picture = ["--source", "test", "--size", size, "--fps", "20"]
        return start(
            *under, binary("eyelid-capture"), "--slot", slot.path, *picture, *arguments, **options
        )

    return capture


@pytest.fixture
def server(start, directory):
    """Starts `eyelid-server`; gives the program with its `address`.

    It is started under another command if one is given.
    """

    def server(slot, *arguments, under=(), **options):
        address = f"unix:{directory}/socket"
        listen = ["--slots", slot.path, "--listen", address]
        program = start(*under, binary("eyelid-server"), *listen, *arguments, **options)
        wait_listening(address)
        program.address = address
        return program

    return server


@pytest.fixture
def stream():
    """Opens streams and closes them with the test."""
    opened = []

    def stream(address):
        opened.append(Stream(address))
        return opened[-1]

    yield stream
    for each in opened:
        each.close()
