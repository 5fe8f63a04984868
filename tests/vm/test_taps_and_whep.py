"""H.264, by package eyelid-video under the shipped units: a tap, WHEP through the server's port,
the machine's own encoder let in. Runs after the packages' own tests, and installs them anew.
"""

import errno
import os
import shutil
import socket
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin

import pytest
from machine import (
    ADDRESS,
    CAPTURE,
    CONFIGURATION,
    DEADLINE,
    SERVER,
    as_process,
    files,
    in_unit_of,
    install_beside,
    journal,
    pid,
    processes,
    run,
    show,
    wait_for,
)

from harness.http import get
from harness.offer import offer

VIDEO, SOCKET, TAPS_SOCKET = (
    f"eyelid-video{rest}" for rest in (".service", ".socket", "-taps.socket")
)
TIMED = "/run/eyelid/taps/timed"
TAP = "/run/eyelid-video/taps/default.h264"
EXAMPLE = Path("/usr/share/doc/eyelid/examples/eyelid-video.service.d/v4l2.conf")
DROP_IN = Path("/etc/systemd/system/eyelid-video.service.d/v4l2.conf")
# As of a driver that is not loaded: who may open it is told that there is no such device.
ENCODER = Path("/dev/video11"), os.makedev(81, 211)
ANOTHER = Path("/dev/video12"), os.makedev(81, 212)
SDP = {"Content-Type": "application/sdp"}
IDR, PARAMETER_SETS = 5, {7, 8}
BEFORE = set()  # files() before eyelid-video was installed


@pytest.fixture(scope="module", autouse=True)
def installed():
    """Both packages, of which nothing is enabled yet."""
    BEFORE.update(install_beside("eyelid-video"))
    CONFIGURATION.write_text(
        '[server]\nslots = "/run/webcam"\nidle-exit = "3s"\n\n[video]\nidle-exit = "3s"\n\n'
        '[cameras.default]\nsource = "test"\nsize = "320x240"\nfps = 5\nlinger = "2s"\n'
    )


def connect(path):
    """Gives a reader of a tap."""
    reader = socket.socket(socket.AF_UNIX)
    reader.settimeout(DEADLINE)
    reader.connect(path)
    return reader


def units(reader):
    """Reads Annex B until a picture begins that needs no other; gives what came before."""
    data = b""
    while True:
        data += reader.recv(1 << 16)
        types = [unit[0] & 0x1F for unit in data.split(b"\0\0\1")[1:] if unit]
        if IDR in types:
            return set(types[: types.index(IDR)])


def sleeps():
    """Waits until all programs have ended, none of which has failed."""
    wait_for(lambda: not processes(), lambda: f"the end of {processes()}")
    for unit in SOCKET, TAPS_SOCKET, VIDEO, SERVER, CAPTURE:
        assert show(unit, "Result") == "success", unit


def test_whep_through_the_server_starts_the_program_and_the_camera():
    assert run("systemctl", "list-units", "--state=active", "--no-legend", "eyelid-video*") == ""
    run("systemctl", "enable", "--now", "eyelid.socket", SOCKET)
    assert processes() == {}
    answers = []

    def opened():
        # One that is not up in time is asked again.
        answers[:] = [get(ADDRESS, "/whep", "POST", offer(), **SDP)]
        assert answers[0].status in (201, 503), answers
        return answers[0].status == 201

    wait_for(opened, lambda: f"a session; last answer: {answers}")
    answer = answers[0].body.decode()
    assert "a=candidate:" in answer and " 8189 typ host" in answer, answer
    assert wait_for(lambda: pid(CAPTURE), "the camera")
    with closing(connect(TAP)) as reader:
        assert units(reader) >= PARAMETER_SETS
        program = pid(VIDEO)
        assert 61184 <= Path(f"/proc/{program}").stat().st_uid <= 65519, "systemd.exec(5)"
        places = ["run/webcam", "run/eyelid", "etc/eyelid", "run", "tmp", "dev/shm", "usr/lib", ""]
        for directory in (f"/{place}" for place in places):
            forbidden = Path(directory) / "probe"
            errors = (errno.EROFS, errno.EACCES, errno.ENOENT)  # the last: it is not there
            assert as_process(program, forbidden.touch) in errors, directory
        assert as_process(program, lambda: Path("/home").lstat()) == errno.ENOENT
    session = urljoin("/whep", answers[0].headers["location"])
    assert get(ADDRESS, session, "DELETE").status in (200, 204)
    sleeps()


def test_the_sandbox_is_as_tight_as_it_was():
    # The figure is that of tests/units, which has no systemd as new as this one.
    run("systemd-analyze", "security", "--no-pager", "--threshold=8", VIDEO)


def test_who_reads_a_tap_starts_the_program_with_its_own_encoder_let_in():
    for path, device in ENCODER, ANOTHER:
        os.mknod(path, stat.S_IFCHR, device)
        path.chmod(0o660)  # whatever the umask is
        shutil.chown(path, group="video")

    def read(opened):
        """Reads a picture, and what opening each of the devices comes to in the unit."""
        with closing(connect(TIMED)) as reader:
            reader.sendall(b"default\n")
            assert units(reader) >= PARAMETER_SETS
            program = pid(VIDEO)
            for (path, _), expected in zip((ENCODER, ANOTHER), opened, strict=True):
                found = in_unit_of(program, lambda path=path: os.open(path, os.O_RDWR))
                assert errno.errorcode[found] == expected, path
        sleeps()

    run("systemctl", "enable", "--now", TAPS_SOCKET)
    read(["ENOENT", "ENOENT"])
    run("install", "-D", "-m", "644", EXAMPLE, "-t", DROP_IN.parent)
    run("systemctl", "daemon-reload")
    read(["ENXIO", "EPERM"])
    for path, _ in ENCODER, ANOTHER:
        path.unlink()
    shutil.rmtree(DROP_IN.parent)
    run("systemctl", "daemon-reload")
    entries = [entry["MESSAGE"] for entry in journal(f"--unit={VIDEO}")]
    assert any("encoder: openh264" in entry and "not v4l2" in entry for entry in entries), entries


def test_purging_leaves_nothing():
    entries = journal(f"--unit={VIDEO}")
    ours = [entry for entry in entries if entry.get("_COMM") == "eyelid-video"]
    wrong = [entry["MESSAGE"] for entry in ours if int(entry["PRIORITY"]) <= 3]
    assert ours and wrong == []
    run("apt-get", "purge", "--yes", "eyelid-video")
    assert {path for path in files() - BEFORE if "eyelid-video" in path} == set()
    assert not any(Path(path).exists() for path in (TIMED, TAP, "/run/eyelid/video"))
    assert run("systemctl", "list-units", "--all", "--no-legend", "eyelid-video*") == ""
    # What follows installs what it needs.
    run("systemctl", "disable", "--now", "eyelid.socket", SERVER)
