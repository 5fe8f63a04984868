"""Fixtures of every suite."""

import os
import signal

import pytest

from harness.programs import private_directory, programs
from harness.slot import Slot


@pytest.fixture
def directory():
    """A private directory on tmpfs for slots and all else, removed with the test."""
    with private_directory() as path:
        yield path


@pytest.fixture
def start(directory):
    """Starts programs, ends them with the test, and shows their logs if it failed."""
    with programs(directory) as start:
        yield start


@pytest.fixture
def eyelid(start, directory):
    """Starts `eyelid` on a port of its choice; gives the program with its `url` and `slot`."""

    def eyelid(*arguments, port=0):
        slots = directory / "slots"
        program = start("eyelid", "--listen", f"127.0.0.1:{port}", "--slots", slots, *arguments)
        program.url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        program.slot = Slot(slots, program)
        return program

    return eyelid


def pytest_sessionstart():
    """Without the programs there is nothing to test: an error, not a skip."""
    if "EYELID_BIN" not in os.environ:
        pytest.exit("EYELID_BIN is not set: start a suite by tests/run", returncode=2)
    # A shell that starts us in the background makes us, and with us all programs here, ignore
    # SIGINT; nohup(1) SIGHUP.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
