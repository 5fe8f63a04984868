"""Cameras across hosts by `eyelid` alone, which starts both sides by its configuration."""

import signal

import hosts
import pytest

from harness.frames import check_frame
from harness.http import get
from harness.processes import program_named
from harness.slot import Slot
from harness.waiting import wait_for

CAMERA = '[cameras.default]\nsource = "test"\nsize = "320x240"\nlinger = "500ms"\n'


@pytest.fixture
def eyelid_on(start, directory, hub):
    """Starts `eyelid` on a host with a section [relay]; gives it with its `config` and `slots`."""

    def eyelid_on(host, relay, more=""):
        name = host or "near"
        slots, config = directory / f"{name}-slots", directory / f"{name}.toml"
        slots.mkdir()
        config.write_text(f'[relay]\nconnect = "{hub.url}"\nlinger = "1s"\n{relay}\n{more}')
        arguments = ["--config", config, "--slots", slots, "--listen", "127.0.0.1:0"]
        program = start(*hosts.on(host, "eyelid", *arguments, "--idle-exit", "1s"))
        program.url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        program.slots, program.config = slots, config
        return program

    return eyelid_on


def test_both_sides_are_started_and_cameras_only_for_who_looks(eyelid_on):
    far = eyelid_on("far", 'as = "far"', CAMERA)
    near = eyelid_on(hosts.NEAR, 'fetch = ["far.*"]')
    slot = Slot(near.slots / "far.default")
    wait_for(slot.path.is_dir, "a slot of far's")
    slot.wait_state("asleep")
    assert program_named(far.pid, "eyelid-capture") is None
    picture = check_frame(get(near.url, "/far.default/snapshot").body)
    assert picture.size == (320, 240)
    assert program_named(far.pid, "eyelid-capture")
    wait_for(lambda: program_named(far.pid, "eyelid-capture") is None, "its rest")
    assert program_named(near.pid, "eyelid-capture") is None
    assert program_named(far.pid, "eyelid-relay") and program_named(near.pid, "eyelid-relay")


def test_another_list_is_fetched_after_a_reload(eyelid_on, camera, share, directory):
    camera("far")
    camera("other")
    share("far")
    share("other")
    near = eyelid_on(hosts.NEAR, 'fetch = ["far.*"]')
    wait_for((near.slots / "far.default").is_dir, "a slot of far's")
    near.config.write_text(near.config.read_text().replace("far", "other"))
    near.process.send_signal(signal.SIGHUP)
    wait_for((near.slots / "other.default").is_dir, "a slot of other's")


def test_without_a_hub_in_the_file_nothing_is_started(start, directory):
    config = directory / "eyelid.toml"
    config.write_text(f"[relay]\nas = 'far'\n{CAMERA}")
    arguments = ["--config", config, "--slots", directory / "slots", "--listen", "127.0.0.1:0"]
    program = start("eyelid", *arguments)
    program.wait_out("http://")
    assert program_named(program.pid, "eyelid-relay") is None
