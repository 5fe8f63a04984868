"""Fixtures of this suite."""

import os

import pytest

from harness.slot import Slot


@pytest.fixture
def environment(directory):
    """Where buffers are memfds, and what is done to them is written down."""
    return {
        **os.environ,
        "LD_PRELOAD": f"{os.environ['EYELID_PRELOADED']}/memfd_heap.so",
        "EYELID_HEAP_LOG": str(directory / "heap.log"),
    }


@pytest.fixture
def capture(start, directory, environment):
    """Starts `eyelid-capture` with libcamera; gives the program with its `slot`."""

    def capture(*arguments, before=(), **variables):
        slot = directory / "slot"
        slot.mkdir(exist_ok=True)
        program = [*before, f"{os.environ['EYELID_BIN']}/eyelid-capture"]
        program = start(
            *program,
            "--slot",
            slot,
            "--source",
            "libcamera",
            *arguments,
            env={**environment, **variables},
        )
        program.slot = Slot(slot, program)
        return program

    return capture


@pytest.fixture
def mute(directory, environment):
    """Gives the file that makes a camera silent as long as it exists."""
    path = directory / "mute"
    environment["LD_PRELOAD"] += f":{os.environ['EYELID_PRELOADED']}/mute.so"
    environment["EYELID_MUTE"] = str(path)
    return path


@pytest.fixture
def stills(directory, environment):
    """Gives the file that says what is wrong with the cameras' full size."""
    path = directory / "stills"
    environment["LD_PRELOAD"] += f":{os.environ['EYELID_PRELOADED']}/stills.so"
    environment["EYELID_STILLS"] = str(path)
    return path


@pytest.fixture
def once(start, environment):
    """Runs `eyelid-capture` to its end; gives (exit code, stdout, stderr)."""

    def once(*arguments, **variables):
        program = start("eyelid-capture", *arguments, env={**environment, **variables})
        code = program.wait()
        return code, program.out(), program.log()

    return once
