"""Cameras in the states in which clients find them."""

import pytest

from harness import children, get


@pytest.fixture
def camera(eyelid):
    """`eyelid` with the test picture."""
    return eyelid("--source", "test", "--size", "640x480", "--fps", "30")


@pytest.fixture
def asleep(eyelid, directory):
    """`eyelid` whose programs run, and whose camera has been looked at and is asleep."""
    config = directory / "eyelid.toml"
    config.write_text('[cameras.default]\nsource = "test"\nlinger = "1s"\n')
    camera = eyelid("--config", config)
    assert get(camera.url, "/snapshot").status == 200
    camera.slot.wait_state("asleep")
    return camera


@pytest.fixture
def cold(camera):
    """`eyelid` as it is before anybody has connected: it has its sockets, and runs neither server nor capture."""
    assert children(camera.pid) == []
    return camera
