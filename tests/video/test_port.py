"""The UDP port of WebRTC, where another program has it."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from video import Mse

from harness import whep
from harness.http import free_port, get
from harness.programs import binary

SDP = {"Content-Type": "application/sdp"}
SOON_S = 5.0  # the server gives a program 10 s to begin


@pytest.fixture
def taken():
    """A socket that has the port on all addresses: this test's."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::", 0))
        yield other


def said(port):
    """What names the port, and who has it."""
    name = Path("/proc/self/comm").read_text().strip()
    holder = f"it is used by {name} (pid {os.getpid()})"
    return f"cannot use UDP [::]:{port}: Address already in use (os error 98) ({holder})"


def test_by_itself_it_does_not_start(start, directory, taken):
    port = taken.getsockname()[1]
    where = ["--slots", directory / "slots", "--listen", "127.0.0.1:0", "--udp", port]
    program = start("eyelid-video", *where)
    assert program.wait() == 1
    assert f"{said(port)}: end that program, or give another port" in program.log()


def test_eyelid_says_so_at_the_start_and_shows_what_can_be_shown(eyelid, directory, taken):
    port = taken.getsockname()[1]
    file = directory / "eyelid.toml"
    file.write_text(
        f'[video]\nudp = {port}\n[cameras.default]\nsource = "test"\nsize = "320x240"\n'
    )
    program = eyelid("--config", file)
    assert f"warn: eyelid-video: {said(port)}; there is no WebRTC until it is free" in program.log()
    checked = subprocess.run(
        [binary("eyelid"), "--check", "--config", file], capture_output=True, text=True, check=True
    )
    assert said(port) in checked.stderr

    with Mse(f"ws{program.url.removeprefix('http')}/mse") as viewer:
        viewer.fragment()
        began = time.monotonic()
        refused = post(program)
        assert time.monotonic() - began < SOON_S
        assert refused.status == 503, refused
        error = json.loads(refused.body)["error"]
        assert str(port) in error and "pid" not in error, "that is nothing for strangers"
        viewer.fragment()

        taken.close()
        assert post(program).status == 201
        viewer.fragment()
    assert program.log().count("error:") == 1, program.log()


def test_what_eyelid_itself_has_started_is_in_nobodys_way(eyelid, directory, taken):
    """`--check` beside a running `eyelid`, and a port that is changed and changed back."""
    free = taken.getsockname()[1]
    taken.close()
    file = directory / "eyelid.toml"

    def configure(port):
        camera = '[cameras.default]\nsource = "test"\nsize = "320x240"\n'
        file.write_text(f"[video]\nudp = {port}\n{camera}")

    def check():
        slots = ["--slots", directory / "slots"]
        command = [binary("eyelid"), "--check", "--config", file, *slots]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr

    configure(free)
    program = eyelid("--config", file)
    assert post(program).status == 201
    assert check() == ""

    for port, reads in [(free_port("::", socket.SOCK_DGRAM), 1), (free, 2)]:
        configure(port)
        os.kill(program.pid, signal.SIGHUP)
        program.wait_log(rf"(?s)(configuration read again.*){{{reads}}}")
    assert "Address already in use" not in program.log()
    # Of another eyelid it would be in the way.
    elsewhere = [binary("eyelid"), "--check", "--config", file, "--slots", directory]
    said = subprocess.run(elsewhere, capture_output=True, text=True, check=True).stderr
    assert f"cannot use UDP [::]:{free}: Address already in use" in said


def post(program):
    """Offers to watch the camera; gives the answer."""
    return get(program.url, "/whep", "POST", whep.offer(), **SDP)
