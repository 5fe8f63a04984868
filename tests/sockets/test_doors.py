"""A program that takes connections over is started by its socket, as under systemd."""

import json
import subprocess

import pytest

from harness.cameras import start_camera
from harness.examples import example
from harness.http import free_port, get, wait_listening
from harness.processes import command_line
from harness.programs import binary
from harness.waiting import wait_for


@pytest.fixture(scope="module")
def stand_in():
    """The program that stands in for others (crates/libraries/http/examples)."""
    return example("eyelid-http", "stand_in")


@pytest.fixture
def server(start, directory):
    """A server and the directory of its other programs' sockets."""
    start_camera(start, directory / "slots", "320x240", 20).frame()
    (directory / "doors").mkdir()
    address = f"127.0.0.1:{free_port()}"
    listen = ["--listen", address, "--slots", directory / "slots"]
    start(binary("eyelid-server"), *listen, "--doors", directory / "doors")
    wait_listening(f"http://{address}")
    return f"http://{address}", directory / "doors"


def test_the_first_connection_starts_the_program(start, server, stand_in):
    address, doors = server
    environment = ["-E", "STAND_IN_IDLE_MS=1000"]
    socket = ["--listen", doors / "video", "--seqpacket"]
    program = start("systemd-socket-activate", *socket, *environment, stand_in)
    program.wait_log("Listening on")
    assert get(address, "/snapshot").status == 200
    assert "systemd-socket-activate" in command_line(program.pid)[0], "not started for that"
    for method in "POST", "GET":
        answer = get(address, "/default/whep/1", method=method)
        assert answer.status == 200, answer
        said = json.loads(answer.body)
        assert (said["method"], said["target"]) == (method, "/default/whep/1")
        assert said["known"]["camera"] == "default"
        assert said["pid"] == program.pid
    wait_for(lambda: program.process.poll() is not None, "its end, with nobody connected")
    assert program.process.returncode == 0
    assert get(address, "/default/whep").status == 503, (
        "nobody listens, for this tool is no systemd"
    )


def test_a_server_takes_no_connections_over(start, directory):
    socket = ["--listen", directory / "video", "--seqpacket"]
    server = [binary("eyelid-server"), "--slots", directory]
    program = start("systemd-socket-activate", *socket, *server)
    program.wait_log("Listening on")
    subprocess.run(
        ["python3", "-c", CONNECT, str(directory / "video")], check=True, capture_output=True
    )
    program.wait_log("connections are handed over by this program, not to it")


CONNECT = """
import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])
"""
