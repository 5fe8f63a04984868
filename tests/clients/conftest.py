"""Cameras in the states in which clients find them."""

import pytest

from harness.http import get
from harness.processes import children
from harness.waiting import wait_for


@pytest.fixture
def camera(eyelid):
    """`eyelid` with the test picture."""
    return eyelid("--source", "test", "--size", "640x480", "--fps", "30")


@pytest.fixture
def asleep(eyelid, directory):
    """`eyelid` whose programs run, and whose camera was looked at and is asleep.

    `rest()` waits until it is so again.
    """
    config = directory / "eyelid.toml"
    config.write_text('[cameras.default]\nsource = "test"\nlinger = "1s"\n')
    camera = eyelid("--config", config)
    assert get(camera.url, "/snapshot").status == 200
    camera.rest = lambda: camera.slot.wait_state("asleep")
    camera.rest()
    return camera


@pytest.fixture
def cold(eyelid):
    """`eyelid` as it is before anybody has connected, and again after `rest()`: it has its sockets,
    and runs neither server nor capture.
    """
    camera = eyelid(
        "--source",
        "test",
        "--size",
        "640x480",
        "--fps",
        "30",
        "--idle-exit",
        "1s",
        "--linger",
        "500ms",
    )
    assert children(camera.pid) == []
    camera.rest = lambda: wait_for(lambda: children(camera.pid) == [], "the end of its programs")
    return camera
