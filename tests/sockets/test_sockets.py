"""Sockets made by somebody else: systemd's way of passing them, with systemd's own tool."""

from pathlib import Path

import pytest
from serving import assert_serves

from harness.cameras import start_camera
from harness.http import get
from harness.processes import alive, children, open_files
from harness.programs import binary
from harness.stream import Stream
from harness.waiting import wait_for

ACTIVATE = "systemd-socket-activate"


@pytest.fixture
def camera(start, directory):
    """A producer with the test picture; gives its slot."""
    slot = start_camera(start, directory / "slots", "320x240", 20)
    slot.frame()
    return slot


@pytest.fixture
def activate(start, camera):
    """Listens as systemd would, for `eyelid-server`."""

    def activate(listens, *options, server=()):
        listen = [word for address in listens for word in ("-l", address)]
        command = [binary("eyelid-server"), "--slots", camera.path, *server]
        program = start(ACTIVATE, *listen, *options, *command)
        program.wait_log("Listening on")
        return program

    return activate


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
def test_one_listening_socket(activate, addresses, kind):
    ours, theirs = addresses[kind]
    server = activate([ours])
    assert_serves(theirs)
    assert_serves(theirs)
    assert server.stop() == 0


@pytest.mark.parametrize("names", [[], ["--fdname=web:six:local"]], ids=["unnamed", "named"])
def test_several_listening_sockets(activate, addresses, names):
    server = activate([ours for ours, _ in addresses.values()], *names)
    for _, theirs in addresses.values():
        assert_serves(theirs)
    streams = [Stream(theirs) for _, theirs in addresses.values()]
    for stream in streams * 5:
        assert stream.part().live()
    assert server.stop() == 0


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
def test_a_connected_socket_each(activate, addresses, kind):
    ours, theirs = addresses[kind]
    listener = activate([ours], "--accept")
    with Stream(theirs) as first, Stream(theirs) as second:
        assert first.part().live() and second.part().live()
        servers = children(listener.pid)
        assert len(servers) == 2, "one server for each connection"
        assert_serves(theirs)
        assert first.part().live() and second.part().live()
    wait_for(lambda: not any(map(alive, servers)), "each server ends with its connection")


def test_nothing_of_its_own_is_opened_beside_a_passed_socket(activate, addresses):
    ours, theirs = addresses["tcp"]
    server = activate([ours])
    assert get(theirs, "/status").status == 200
    tables = [Path(f"/proc/net/{table}").read_text().split("\n")[1:-1] for table in ("tcp", "tcp6")]
    listening = {line.split()[9] for table in tables for line in table if line.split()[3] == "0A"}
    assert (
        len(
            [
                file
                for file in open_files(server.pid)
                if file.removeprefix("socket:[").rstrip("]") in listening
            ]
        )
        == 1
    )


def test_an_idle_server_exits_and_is_started_again(activate, addresses):
    ours, theirs = addresses["unix"]
    for _ in range(2):
        Path(ours).unlink(missing_ok=True)
        server = activate([ours], server=["--idle-exit", "1s"])
        assert get(theirs, "/status").status == 200
        assert server.wait() == 0


def test_a_server_with_a_client_is_not_idle(activate, addresses):
    ours, theirs = addresses["tcp"]
    server = activate([ours], server=["--idle-exit", "200ms"])
    with Stream(theirs, "/stream?fps=2") as stream:
        for _ in range(5):
            assert stream.part().live()
        assert server.running()
    assert server.wait() == 0
