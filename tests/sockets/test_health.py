"""`eyelid --healthcheck`: what it says of an `eyelid` that is well, and of one that is not."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pytest

from harness.http import connect, get
from harness.processes import alive, children, program_named
from harness.programs import binary
from harness.waiting import wait_for


def ask(*arguments):
    """Asks; gives the exit status and all that was said."""
    asked = subprocess.run(
        [binary("eyelid"), "--healthcheck", *map(str, arguments)], capture_output=True, text=True
    )
    return asked.returncode, asked.stdout + asked.stderr


def server_of(program):
    """Gives the pid of a running server; None if there is none."""
    return program_named(program.pid, "eyelid-server")


@contextmanager
def stopped(pid):
    """Has a process stand still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_asking_starts_nothing_and_keeps_nothing_running(eyelid, directory):
    camera = eyelid("--source", "test", "--idle-exit", "1s", "--linger", "500ms")
    here = "--slots", directory / "slots"
    for _ in range(3):
        assert ask(*here) == (0, "healthy: nobody is connected, nothing else runs\n")
        assert children(camera.pid) == []
    assert get(camera.url, "/snapshot").status == 200
    assert ask(*here) == (0, "healthy: eyelid-server runs\n")

    def over():
        assert ask(*here)[0] == 0
        return children(camera.pid) == []

    wait_for(over, "the end of its programs while it is asked all the time")


def test_the_file_says_whom_to_ask(start, directory):
    file = directory / "eyelid.toml"
    file.write_text(f'[server]\nslots = "{directory}/elsewhere"\nlisten = ["127.0.0.1:0"]\n')
    start("eyelid", "--config", file).wait_out("Ctrl-C")
    assert ask("--config", file)[0] == 0


@pytest.mark.parametrize("who", ["eyelid", "server"])
def test_one_that_hangs_is_not_well(eyelid, directory, who):
    camera = eyelid("--source", "test")
    assert get(camera.url, "/snapshot").status == 200
    here = "--slots", directory / "slots"
    with stopped(camera.pid if who == "eyelid" else server_of(camera)), connect(camera.url):
        status, said = ask(*here)
        assert status == 1
        assert (
            "does not answer within 4 s" if who == "eyelid" else "for 2 s nobody has taken"
        ) in said
    wait_for(lambda: ask(*here)[0] == 0, "health again")


def test_a_server_that_dies_again_and_again_is_told_of(eyelid, directory):
    camera = eyelid("--source", "test")
    assert get(camera.url, "/snapshot").status == 200

    def told():
        if server := server_of(camera):
            os.kill(server, signal.SIGKILL)
            wait_for(lambda: not alive(server), "its end")
        status, said = ask("--slots", directory / "slots")
        return status == 1 and re.search(r"unhealthy: eyelid-server ended \(signal: 9", said)

    wait_for(told, "word of it")


def test_without_an_eyelid_nobody_is_well(directory):
    for slots in directory, directory / "nowhere":
        status, said = ask("--slots", slots)
        assert (status, "no eyelid has the slots directory" in said) == (1, True), said


def test_a_wrong_file_is_said_to_be_wrong(directory):
    file = directory / "eyelid.toml"
    file.write_text("[server]\nslot = 1\n")
    assert ask("--config", file)[0] == 78
