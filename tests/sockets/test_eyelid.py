"""`eyelid`, which stands in for systemd: its sockets, and the lives of the programs it starts."""

import os
import resource
import signal
from pathlib import Path

import pytest
from serving import assert_serves

from harness.http import get
from harness.processes import (
    alive,
    children,
    descendants,
    descriptors,
    open_files,
    program_named,
)
from harness.stream import Stream
from harness.waiting import wait_for


def environment(pid):
    """Gives a process's environment as it was started."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(eyelid, directory, how):
    camera = eyelid("--source", f"command:echo $$ > {directory}/pid; exec tail -f /dev/null")
    with Stream(camera.url) as stream:
        wait_for(
            lambda: (directory / "pid").exists() and (directory / "pid").read_text(),
            "the command runs",
        )
        family = descendants(camera.pid)
        assert int((directory / "pid").read_text()) in family
        assert stream.status == 200
        assert camera.stop(how) == 0
        assert not any(map(alive, family)), "something still runs"


def test_its_programs_do_not_outlive_a_killed_eyelid(eyelid):
    camera = eyelid("--source", "test")
    assert_serves(camera.url, (640, 480))
    family = children(camera.pid)
    assert len(family) == 2
    camera.stop(signal.SIGKILL)
    try:
        wait_for(lambda: not any(map(alive, family)), "the end of its programs")
    finally:
        for pid in filter(alive, family):
            os.kill(pid, signal.SIGKILL)


def test_eyelid_passes_its_sockets_on(start, directory, addresses):
    listen = [
        word
        for ours, theirs in addresses.values()
        for word in ("--listen", theirs if theirs.startswith("unix:") else ours)
    ]
    eyelid = start(
        "eyelid", *listen, "--slots", directory / "slots", "--source", "test", "--size", "320x240"
    )
    eyelid.wait_out("socket")
    assert children(eyelid.pid) == [], "nothing runs before the first connection"
    for _, theirs in addresses.values():
        assert_serves(theirs)
    server = program_named(eyelid.pid, "eyelid-server")
    given = environment(server)
    assert given["LISTEN_FDS"] == "3"
    assert given["LISTEN_FDNAMES"].count(":") == 2
    capture = program_named(eyelid.pid, "eyelid-capture")
    assert not {"LISTEN_PID", "LISTEN_FDS"} & environment(capture).keys()
    ours = {os.readlink(f"/proc/{server}/fd/{number}") for number in (3, 4, 5)}
    assert not ours & set(open_files(capture)), "the camera has no business with the sockets"
    assert eyelid.stop() == 0
    assert not alive(server) and not alive(capture)


def test_eyelid_sleeps_when_idle_and_starts_again(eyelid):
    camera = eyelid(
        "--source", "test", "--size", "320x240", "--idle-exit", "1s", "--linger", "500ms"
    )
    for _ in range(2):
        assert_serves(camera.url)
        wait_for(
            lambda: not children(camera.pid) or not camera.running(), "its programs have ended"
        )
        assert camera.running(), camera.log()


@pytest.mark.parametrize("victim", ["eyelid-server", "eyelid-capture"])
def test_eyelid_starts_a_program_that_died_again(eyelid, victim):
    camera = eyelid("--source", "test", "--size", "320x240")
    assert_serves(camera.url)
    first = program_named(camera.pid, victim)
    os.kill(first, signal.SIGKILL)
    wait_for(
        lambda: get_quietly(camera.url) and program_named(camera.pid, victim) not in (None, first),
        f"a new {victim}",
    )
    assert_serves(camera.url)


def test_eyelid_outlives_a_shortage_of_descriptors(eyelid):
    camera = eyelid("--source", "test", "--size", "320x240")
    assert_serves(camera.url)
    limit = resource.prlimit(camera.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(camera.pid, resource.RLIMIT_NOFILE, (descriptors(camera.pid) - 2, limit[1]))
    for pid in children(camera.pid):
        os.kill(pid, signal.SIGKILL)
    camera.wait_log("cannot start .*Too many open files")
    resource.prlimit(camera.pid, resource.RLIMIT_NOFILE, limit)
    wait_for(lambda: get_quietly(camera.url) or not camera.running(), "all runs again")
    assert_serves(camera.url)


def get_quietly(address):
    """Says whether a snapshot can be had, now that things are being restarted."""
    try:
        return get(address, "/snapshot").status == 200
    except OSError:
        return False


def test_eyelid_does_not_take_a_socket_that_is_in_use(start, directory):
    listen = ["--source", "test", "--listen", f"unix:{directory}/socket", "--slots"]
    first = start("eyelid", *listen, directory / "slots")
    first.wait_out("socket")
    second = start("eyelid", *listen, directory / "other-slots")
    assert second.wait() != 0
    assert f"{directory}/socket" in second.log()
    assert get(f"unix:{directory}/socket", "/status").status == 200
