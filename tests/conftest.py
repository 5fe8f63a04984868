"""Fixtures of every suite."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import harness


@pytest.fixture
def directory():
    """A private directory on tmpfs for slots and all else, removed with the test."""
    path = Path(tempfile.mkdtemp(prefix="eyelid-test-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(directory):
    """Starts programs, ends them with the test, and shows their logs if it failed."""
    logs = directory / "logs"
    logs.mkdir()
    programs = []

    def start(name, *arguments, **options):
        path = harness.binary(name) if str(name).startswith("eyelid") else name
        programs.append(harness.Program(logs, path, *arguments, **options))
        return programs[-1]

    yield start
    for program in reversed(programs):
        program.end()
    for program in programs:
        print(f"--- log of {program.name}:\n{program.log()}")


@pytest.fixture
def eyelid(start, directory):
    """Starts `eyelid` on a port of its choice; gives the program with its `url` and `slot`."""

    def eyelid(*arguments, port=0):
        slots = directory / "slots"
        program = start("eyelid", "--listen", f"127.0.0.1:{port}", "--slots", slots, *arguments)
        program.url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        program.slot = harness.Slot(slots, program)
        return program

    return eyelid


def pytest_sessionstart():
    """Without the programs there is nothing to test: an error, not a skip."""
    if "EYELID_BIN" not in os.environ:
        pytest.exit("EYELID_BIN is not set: start a suite by its `run` script", returncode=2)
    # A shell that starts us in the background makes us, and with us all programs here, ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
