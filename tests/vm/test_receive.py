"""Cameras that push, by package eyelid-receive: at its own port and at the server's door, under the
shipped units. Runs after the packages' own tests, and installs them anew.
"""

import errno
import pwd
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest
from machine import (
    ADDRESS,
    CONFIGURATION,
    SERVER,
    as_process,
    debs,
    files,
    install_beside,
    journal,
    live,
    pid,
    processes,
    run,
    show,
    snapshot,
    status,
    wait_for,
)
from pushing import WebSocket, camera, picture, post

from harness.frames import check_frame
from harness.http import get
from harness.stream import Stream

RECEIVE, SOCKET = "eyelid-receive.service", "eyelid-receive.socket"
PORT, DOOR = 8765, 8080
SLOT = Path("/run/webcam/door")
TOKENS = CONFIGURATION.with_name("tokens")
BEFORE = set()  # files() before eyelid-receive was installed


@pytest.fixture(scope="module", autouse=True)
def installed():
    """Both packages, of which nothing is enabled yet."""
    BEFORE.update(install_beside("eyelid-receive"))


@pytest.fixture(scope="module")
def token():
    """A token of the camera, made as docs/systemd.md says."""
    run("install", "-m", "640", "-g", "eyelid", "/dev/null", TOKENS)
    made = subprocess.run(
        ["eyelid-receive", "--new-token", "door"], check=True, capture_output=True, text=True
    )
    TOKENS.write_text(TOKENS.read_text() + made.stdout)
    return made.stderr.split()[-1]


def test_installing_listens_nowhere(token):
    CONFIGURATION.write_text(f"""
[server]
slots = "/run/webcam"
idle-exit = "3s"

[receive]
idle-exit = "3s"
token-file = "{TOKENS}"

[receive.cameras.door]
linger = "2s"
""")
    assert run("systemctl", "list-units", "--state=active", "--no-legend", "eyelid-*") == ""
    with pytest.raises(ConnectionRefusedError):
        post(PORT, "/door", picture(0), token)


def test_the_first_camera_starts_the_program_and_only_one_with_its_token_may_push(token):
    run("systemctl", "enable", "--now", "eyelid.socket", SOCKET)
    # Port 8765 of every address.
    listening = run("cat", "/proc/net/tcp6")
    assert re.search(rf"^ *\d+: 0{{32}}:{PORT:04X} \S+ 0A", listening, re.M), listening
    assert processes() == {}
    assert post(PORT, "/door", picture(0)) == 401
    assert post(PORT, "/door", picture(0), "wrong") == 401
    assert post(PORT, "/bed", picture(0), token) == 404
    sent = picture(128)
    assert post(PORT, "/door", sent, token) == 200
    wait_for((SLOT / "current.jpg").exists, "the picture in the slot")
    check_frame((SLOT / "current.jpg").read_bytes())
    assert sorted(processes().values()) == ["eyelid-receive"]


def test_its_program_writes_into_the_slots_and_nowhere_else(token):
    assert post(PORT, "/door", picture(64), token) == 200
    program = pid(RECEIVE)
    assert Path(f"/proc/{program}").stat().st_uid == pwd.getpwnam("eyelid").pw_uid
    assert (SLOT.owner(), stat.S_IMODE(SLOT.stat().st_mode)) == ("eyelid", 0o755)
    for name in "current.jpg", "state.json":
        file = SLOT / name
        assert (file.owner(), stat.S_IMODE(file.stat().st_mode)) == ("eyelid", 0o644)
    probe = SLOT / "probe"
    assert as_process(program, probe.touch) == 0
    probe.unlink()
    for directory in "/etc/eyelid", "/run", "/tmp", "/dev/shm", "/usr/lib", "/":
        forbidden = Path(directory) / "probe"
        # Or it is not there.
        errors = (errno.EROFS, errno.EACCES, errno.ENOENT)
        assert as_process(program, forbidden.touch) in errors, directory
    assert as_process(program, lambda: Path("/home").lstat()) == errno.ENOENT


@pytest.mark.parametrize(("port", "path"), [(PORT, "/door"), (DOOR, "/door/push")])
def test_a_camera_that_pushes_is_seen_at_the_server(token, port, path, report):
    began = time.monotonic()
    with camera(port, path, token):
        snapshot("door/")
        report(f"a pushed picture at {port} after {time.monotonic() - began:.1f} s")
        with Stream(ADDRESS, "/door/stream") as stream:
            shades = {check_frame(live(stream).jpeg).getpixel((0, 0)) for _ in range(3)}
            assert len(shades) > 1
        seen = status("door")
        assert (seen["source"], seen["push"]["connected"]) == ("push", True), seen
        before = pid(RECEIVE)
        run("systemctl", "reload", RECEIVE)
        snapshot("door/")
        assert pid(RECEIVE) == before


def test_a_picture_is_posted_at_the_servers_door(token):
    assert post(DOOR, "/door/push", picture(200)) == 401
    assert post(DOOR, "/door/push", picture(200), token) == 200


def test_a_camera_that_is_gone_is_told_of():
    wait_for(lambda: pid(RECEIVE) is None, lambda: f"the end of {processes()}")
    answer = get(ADDRESS, "/door/snapshot")
    assert answer.status == 503
    assert b"the camera pushes its pictures, and none has come of late" in answer.body


def test_with_nobody_connected_no_program_runs():
    wait_for(lambda: not processes(), lambda: f"the end of {processes()}")
    assert [show(unit, "Result") for unit in (SOCKET, RECEIVE)] == ["success"] * 2
    assert show(RECEIVE, "NRestarts") == "0"
    entries = journal(f"--unit={RECEIVE}")
    ours = [entry for entry in entries if entry.get("_COMM") == "eyelid-receive"]
    assert ours and {entry["SYSLOG_IDENTIFIER"] for entry in ours} == {"eyelid-receive"}
    # Who had no token, and nothing else.
    wrong = [entry["MESSAGE"] for entry in ours if int(entry["PRIORITY"]) <= 4]
    assert all("may not push" in message for message in wrong), wrong
    check_frame((SLOT / "current.jpg").read_bytes())


def test_an_upgrade_restarts_the_program_and_purging_leaves_nothing(token):
    websocket = WebSocket(PORT, "/door", token)
    before = pid(RECEIVE)
    # Of the same version, which is an upgrade to the package's scripts.
    run("apt-get", "install", "--reinstall", "--yes", *debs("eyelid-receive"))
    websocket.close()
    WebSocket(PORT, "/door", token).close()
    assert pid(RECEIVE) not in (None, before)
    run("apt-get", "purge", "--yes", "eyelid-receive")
    with pytest.raises(ConnectionRefusedError):
        post(PORT, "/door", picture(0), token)
    assert "eyelid-receive" not in processes().values()
    assert {path for path in files() - BEFORE if "receive" in path} == set()
    assert get(ADDRESS, "/door/push", method="POST").status == 404
    TOKENS.unlink()
    # What follows installs what it needs.
    run("systemctl", "disable", "--now", "eyelid.socket", SERVER)
