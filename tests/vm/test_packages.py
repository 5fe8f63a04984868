"""The packages on a machine with systemd: installed, used, disturbed, upgraded, removed.

The tests follow one another: each goes on with the machine as the one before has left it.
"""

import errno
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest
import usb_camera
from machine import (
    ADDRESS,
    BEFORE,
    CAPTURE,
    CONFIGURATION,
    DEADLINE,
    PACKAGES,
    PATIENTLY,
    SERVER,
    SIDE,
    SLOWLY,
    TWIN,
    USB,
    allow_slow_units,
    as_process,
    as_user,
    configure,
    debs,
    files,
    journal,
    live,
    packaged,
    part_where,
    pid,
    processes,
    run,
    show,
    snapshot,
    status,
    wait_for,
)

from harness.frames import check_frame, difference
from harness.http import get
from harness.stream import Stream

HERE = Path(__file__).parent
SLOT = Path("/run/webcam")
VIRTUAL_CAMERAS = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")

SIDE_CAMERA = f"""
[cameras.side]
source = "libcamera"
camera = "Virtual1"
{SLOWLY}"""
USB_CAMERA = f"""
[cameras.usb]
source = "libcamera"
camera = "{usb_camera.ID}"
{PATIENTLY}"""
HEALTHY_SINCE = []  # the moment from which on nothing should be wrong
TWIN_CAMERA = USB_CAMERA.replace("usb", "twin")
# Driven by the kernel alone, and asleep soon.
V4L2_CAMERA = USB_CAMERA.replace("libcamera", "v4l2") + 'linger = "2s"\n'
V4L2_TWIN = V4L2_CAMERA.replace("usb", "twin")

# What thief.py is to come home with.
LOOT = {
    "home directories": "ENOENT",
    "root's home directory": "EACCES",
    "the list of users": "ENOENT",
    "the users' passwords": "ENOENT",
    "another password file": "EACCES",
    "logs": "ENOENT",
    "the configuration": True,
    "the picture": True,
    "files to write": [],
    # All but the last are the journal's.
    "sockets to talk to": [
        "/dev/log",
        "/run/systemd/journal/dev-log",
        "/run/systemd/journal/socket",
        "/run/systemd/journal/stdout",
        "/run/systemd/notify",
    ],
    "devices": ["full", "null", "ptmx", "random", "urandom", "zero"],
    "processes": [],
    "IPv4": "EAFNOSUPPORT",
    "IPv6": "EAFNOSUPPORT",
    "netlink": "EAFNOSUPPORT",
    "raw packets": "EAFNOSUPPORT",
    "to become root": "EPERM",
    "another namespace": "EPERM",
    "a mount": "EPERM",
    "to end init": "EPERM",
    "to look into init": "EPERM",
    "the clock": "EPERM",
}


# As the README says


def test_installing_starts_and_enables_nothing():
    VIRTUAL_CAMERAS.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "virtual.yaml", VIRTUAL_CAMERAS)
    allow_slow_units()
    # apt asks it not to shut down, now or with a later package, and it makes files of its own then.
    run("systemctl", "start", "systemd-logind.service")
    BEFORE.update(files())
    run("apt-get", "install", "--yes", *debs("eyelid"))
    assert processes() == {}
    assert (
        run("systemctl", "list-units", "--state=active", "--no-legend", "eyelid*", "run-webcam*")
        == ""
    )
    # No unit is enabled: there would be a link.
    assert {path for path in files() - BEFORE if path.startswith("/etc/")} == {
        "/etc/eyelid",
        str(CONFIGURATION),
    }
    assert "video" in run("id", "--name", "--groups", "eyelid").split()
    assert re.search('^source = "(auto|libcamera)"$', packaged(), re.M)


def test_the_socket_listens_on_localhost_and_no_program_runs():
    configure(idle_exit="2s")
    run("systemctl", "enable", "--now", "eyelid.socket")
    listening = re.findall(
        r"^ *\d+: (\w+):(\w+) \w+:\w+ 0A", run("cat", "/proc/net/tcp", "/proc/net/tcp6"), re.M
    )
    assert listening == [("0100007F", "1F90"), ("00000000000000000000000001000000", "1F90")]
    assert processes() == {}


def test_the_one_package_serves_what_needs_no_libcamera():
    configure(source="test", idle_exit="2s")
    snapshot()
    assert sorted(processes().values()) == ["eyelid-capture", "eyelid-server"]
    wait_for(lambda: not processes(), lambda: f"the end of {processes()}")


def test_the_other_package_brings_libcamera():
    configure(source="libcamera")
    assert get(ADDRESS, "/snapshot").status == 503
    wait_for(
        lambda: show(CAPTURE, "ExecMainStatus") == "78", "the end of a program without libcamera"
    )
    assert any(
        "install package eyelid-capture-libcamera" in entry["MESSAGE"]
        for entry in journal(f"--unit={CAPTURE}")
    )
    run("apt-get", "install", "--yes", *debs("eyelid-capture-libcamera"))
    run("systemctl", "stop", SERVER)
    run("systemctl", "reset-failed", "eyelid-*")
    HEALTHY_SINCE.append(time.time())
    configure(idle_exit="2s")
    assert processes() == {}


def test_curl_gets_a_frame_of_a_camera_that_nobody_had_started(tmp_path, report):
    frame = tmp_path / "frame.jpg"
    began = time.monotonic()
    # Of a machine this slow, the camera may not be up within the 4 s after which the server says to
    # try again. Where it cannot start, fifty times take 20 minutes.
    again = ["--retry", "50", "--retry-delay", "1", "--retry-max-time", f"{DEADLINE:.0f}"]
    bound = ["--max-time", f"{DEADLINE:.0f}"]
    run("curl", "-sSf", *again, *bound, "--output", frame, f"{ADDRESS}/snapshot")
    report(f"first frame after a cold start: {time.monotonic() - began:.1f} s")
    assert check_frame(frame.read_bytes()).size == (320, 240)


def test_with_nobody_there_all_programs_end_and_come_again():
    for _ in range(2):
        wait_for(lambda: not processes(), lambda: f"the end of {processes()}")
        wait_for(lambda: show("eyelid.socket", "SubState") == "listening", "the socket listening")
        assert [show(unit, "Result") for unit in (SERVER, CAPTURE)] == ["success"] * 2
        snapshot()
    configure()
    run("systemctl", "stop", SERVER)
    snapshot()
    assert [show(unit, "NRestarts") for unit in (SERVER, CAPTURE)] == ["0"] * 2


def test_a_second_camera_is_added_by_name():
    configure(SIDE_CAMERA)
    run("systemctl", "enable", "eyelid-capture@side")
    run("systemctl", "restart", SERVER)
    wait_for((SLOT / "side").is_dir, "the slot of the second camera")
    side = snapshot("side/")
    assert difference(snapshot(), side) > 25
    for name, source in ("default", "auto"), ("side", "libcamera"):
        camera = status(name)
        assert (camera["source"], camera["error"]) == (source, None)
    assert sorted(processes().values()) == ["eyelid-capture", "eyelid-capture", "eyelid-server"]


def test_nobody_but_the_camera_writes_into_its_slot():
    snapshot("side/")
    for slot, unit in (SLOT, CAPTURE), (SLOT / "side", SIDE):
        assert (slot.owner(), stat.S_IMODE(slot.stat().st_mode)) == ("eyelid", 0o755)
        for file in slot / "current.jpg", slot / "state.json":
            assert (file.owner(), stat.S_IMODE(file.stat().st_mode)) == ("eyelid", 0o644)
        assert as_process(pid(unit), (slot / "probe").touch) == 0
        (slot / "probe").unlink()

    server = pid(SERVER)
    user = Path(f"/proc/{server}").stat().st_uid
    assert 61184 <= user <= 65519, "a dynamic user: systemd's range"
    assert as_process(server, lambda: (SLOT / "current.jpg").read_bytes()) == 0
    for forbidden in (
        lambda: (SLOT / "probe").touch(),
        lambda: (SLOT / "current.jpg").unlink(),
        lambda: (SLOT / "current.jpg").write_bytes(b""),
        lambda: (SLOT / "side" / "probe").touch(),
    ):
        assert as_process(server, forbidden) in (errno.EROFS, errno.EACCES)
        # The mount is one obstacle, the owner the other.
        assert as_user(user, forbidden) == errno.EACCES
    assert as_process(pid(SIDE), lambda: (SLOT / "probe").touch()) in (errno.EROFS, errno.EACCES)


def test_after_a_boot_the_next_connection_starts_all_again():
    # /run is empty then.
    run("systemctl", "stop", "eyelid.socket", SERVER, "run-webcam.mount")
    for path in SLOT, Path("/run/eyelid-server"):
        shutil.rmtree(path)
    run("systemd-tmpfiles", "--create", "eyelid.conf")
    run("systemctl", "start", "sockets.target")
    assert processes() == {}
    snapshot()
    snapshot("side/")


def test_the_journal_has_fields_and_of_a_healthy_run_no_errors():
    for unit, program in (
        (CAPTURE, "eyelid-capture"),
        (SIDE, "eyelid-capture"),
        (SERVER, "eyelid-server"),
    ):
        entries = [
            entry
            for entry in journal(f"--unit={unit}")
            if entry.get("_COMM", "").startswith(program)
        ]
        assert entries
        for entry in entries:
            assert entry["SYSLOG_IDENTIFIER"] == program, entry
            assert entry["PRIORITY"] in "34567" and entry["MESSAGE"], entry
            named = {SIDE: {"side"}, CAPTURE: {None}, SERVER: {None, "default", "side"}}[unit]
            assert entry.get("EYELID_CAMERA") in named, entry
        assert any("libcamera" in entry["MESSAGE"] for entry in entries) or unit == SERVER
        looks = [entry for entry in entries if "EYELID_LOOK" in entry]
        assert bool(looks) == (unit == SERVER), looks
        assert all(entry["EYELID_CAMERA"] and entry["EYELID_ADDRESS"] for entry in looks), looks
    assert journal(f"--since=@{HEALTHY_SINCE[0]:.3f}", "--priority=warning", "--unit=eyelid*") == []


# Disturbed


def test_reload_keeps_streams_and_takes_the_new_configuration():
    with Stream(ADDRESS) as stream:
        live(stream)
        before = pid(SERVER)
        assert "access-control-allow-origin" not in get(ADDRESS, "/status").headers
        configure(SIDE_CAMERA, allow_origin="http://octopi.local")
        run("systemctl", "reload", SERVER)

        def allowed():
            return (
                get(ADDRESS, "/status").headers.get("access-control-allow-origin")
                == "http://octopi.local"
            )

        wait_for(allowed, "the new configuration")
        live(stream)
        assert pid(SERVER) == before
    configure(SIDE_CAMERA)
    run("systemctl", "reload", SERVER)


def test_a_killed_server_is_back_for_the_next_connection():
    with Stream(ADDRESS) as stream:
        live(stream)
        before = pid(SERVER)
        os.kill(before, signal.SIGKILL)
        with pytest.raises((AssertionError, OSError), match=r"broke off|reset by peer"):
            live(stream)
    with Stream(ADDRESS) as stream:
        live(stream)
    assert pid(SERVER) not in (None, before)


def test_a_hanging_server_is_started_again_and_who_waits_is_served(report):
    with Stream(ADDRESS) as stream:
        live(stream)
        before = pid(SERVER)
        os.kill(before, signal.SIGSTOP)
        began = time.monotonic()
        snapshot()  # in the queue of the socket, which is systemd's
        report(f"served after the server's SIGSTOP: {time.monotonic() - began:.1f} s")
    assert pid(SERVER) not in (None, before)
    results = {
        entry["UNIT_RESULT"] for entry in journal(f"--unit={SERVER}") if "UNIT_RESULT" in entry
    }
    assert "watchdog" in results


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
def test_a_camera_s_program_is_started_again_while_its_streams_stay(how, report):
    with Stream(ADDRESS) as stream:
        live(stream)
        before = pid(CAPTURE)
        os.kill(before, how)
        began = time.monotonic()
        wait_for(lambda: pid(CAPTURE) not in (None, before), "another process")
        live(stream)
        report(f"live again after {how.name}: {time.monotonic() - began:.1f} s")
    results = {
        entry["UNIT_RESULT"] for entry in journal(f"--unit={CAPTURE}") if "UNIT_RESULT" in entry
    }
    assert ("signal" if how == signal.SIGKILL else "watchdog") in results


# A camera on USB


@contextmanager
def plugged():
    """Has the camera plugged in for a while."""
    camera = subprocess.Popen([sys.executable, usb_camera.__file__])
    try:
        yield
    finally:
        camera.kill()
        camera.wait()


def check_passed_through(jpeg):
    """Checks that a JPEG is one of the camera's, with what it leaves out and nothing else."""
    check_frame(jpeg)
    assert usb_camera.bare(jpeg) in usb_camera.frames()


def usb_live(stream):
    part = live(stream)
    check_passed_through(part.jpeg)
    return part


def test_a_usb_camera_that_was_not_there_is_taken_when_it_is_plugged_in():
    usb_camera.prepare()
    assert "uvcvideo" not in Path("/proc/modules").read_text()
    configure(SIDE_CAMERA, USB_CAMERA)
    run("systemctl", "enable", "eyelid-capture@usb")
    run("systemctl", "restart", SERVER)
    with Stream(ADDRESS, "/usb/stream") as stream:
        part_where(stream, lambda part: not part.live(), "the card")
        wait_for(
            lambda: f'no camera "{usb_camera.ID}"' in (status("usb")["error"] or ""),
            lambda: f"{status('usb')}",
        )
        with plugged():
            usb_live(stream)


def test_a_usb_camera_that_goes_away_is_failed_and_comes_again(report):
    run("systemctl", "restart", USB)
    with Stream(ADDRESS, "/usb/stream") as stream:
        with plugged():
            assert len({usb_live(stream).jpeg for _ in range(5)}) > 1
            awake = {"state": "awake", "width": 320}.items()
            wait_for(lambda: awake <= status("usb").items(), lambda: f"{status('usb')}")
            program = pid(USB)
        began = time.monotonic()
        part_where(stream, lambda part: not part.live(), "the card")
        report(f"card after the cable was pulled: {time.monotonic() - began:.1f} s")
        gone = wait_for(
            lambda: (seen := status("usb"))["state"] == "failed" and seen,
            lambda: f"{status('usb')}",
        )
        # The next try, of which its state may tell already, finds no such camera.
        assert (
            gone["error"].endswith("is gone") or f'no camera "{usb_camera.ID}"' in gone["error"]
        ), gone
        assert any("is gone; next try" in entry["MESSAGE"] for entry in journal(f"_PID={program}"))
        began = time.monotonic()
        with plugged():
            usb_live(stream)
            report(f"live after it was plugged in again: {time.monotonic() - began:.1f} s")
            assert snapshot("usb/").size == (320, 240)
    assert show(USB, "NRestarts") == "0"


def assert_busy_is_said(camera, twin, advice):
    """Has a second program want a camera that streams: it says that it is busy, and what to do."""
    configure(SIDE_CAMERA, camera, twin)
    run("systemctl", "enable", "eyelid-capture@twin")
    with plugged(), Stream(ADDRESS, "/usb/stream") as stream:
        usb_live(stream)
        run("systemctl", "start", TWIN)
        assert get(ADDRESS, "/twin/snapshot").status == 503
        # Who has it, the sandbox does not let it see: a process of another user namespace keeps its
        # descriptors to itself.
        busy = wait_for(
            lambda: "busy" in (error := status("twin")["error"] or "") and error,
            lambda: f"{status('twin')}",
        )
        assert advice in busy, busy
        usb_live(stream)
    run("systemctl", "disable", "--now", "eyelid-capture@twin")


def test_a_camera_that_is_busy_says_so():
    assert_busy_is_said(USB_CAMERA, TWIN_CAMERA, "see sudo fuser -v")


def opens(program, path):
    """Says whether a process has a file open."""
    links = Path(f"/proc/{program}/fd").iterdir()
    return any(os.path.realpath(link) == path for link in links)


def test_v4l2_passes_on_a_usb_camera_that_is_pulled_and_plugged_in_again(report):
    configure(SIDE_CAMERA, V4L2_CAMERA)
    run("systemctl", "restart", SERVER)
    run("systemctl", "restart", USB)
    with Stream(ADDRESS, "/usb/stream") as stream:
        part_where(stream, lambda part: not part.live(), "the card")
        with plugged():
            assert len({usb_live(stream).jpeg for _ in range(5)}) > 1
        part_where(stream, lambda part: not part.live(), "the card")
        gone = wait_for(
            lambda: (seen := status("usb"))["state"] == "failed" and seen,
            lambda: f"{status('usb')}",
        )
        assert gone["error"].endswith("is gone") or "no camera" in gone["error"], gone
        began = time.monotonic()
        with plugged():
            usb_live(stream)
            report(f"v4l2: live after it was plugged in again: {time.monotonic() - began:.1f} s")
    assert show(USB, "NRestarts") == "0"


def test_v4l2_stops_a_camera_that_sleeps_and_keeps_it():
    with plugged():
        with Stream(ADDRESS, "/usb/stream") as stream:
            usb_live(stream)
            assert usb_camera.STREAMS.exists()
            wait_for(lambda: status("usb")["state"] == "awake", lambda: f"{status('usb')}")
        program = pid(USB)
        wait_for(lambda: not usb_camera.STREAMS.exists(), "an end of the pictures")
        wait_for(lambda: status("usb")["state"] == "asleep", lambda: f"{status('usb')}")
        assert opens(program, "/dev/video0")
        with Stream(ADDRESS, "/usb/stream") as stream:
            usb_live(stream)
        assert pid(USB) == program
        wait_for(
            lambda: status("usb") and not usb_camera.STREAMS.exists(), "an end of the pictures"
        )
    # Pulled while it sleeps, it is let go: else it could not have its number again.
    wait_for(lambda: not Path("/dev/video0").exists(), "the cable pulled")
    # Asked for its state, the server stays, and the camera's program with it.
    wait_for(
        lambda: status("usb") and not opens(program, "/dev/video0 (deleted)"), "the camera let go"
    )
    with plugged(), Stream(ADDRESS, "/usb/stream") as stream:
        usb_live(stream)
        assert Path("/dev/video0").exists()
    assert pid(USB) == program


def test_v4l2_says_that_a_camera_is_busy_and_how_to_find_out_who_has_it():
    assert_busy_is_said(V4L2_CAMERA, V4L2_TWIN, "see sudo fuser -v /dev/video0")
    run("systemctl", "disable", "--now", "eyelid-capture@usb")


# Taken over


def test_who_takes_over_the_server_gets_the_picture_and_nothing_else():
    secret = Path("/home/somebody/secret")
    secret.parent.mkdir()
    secret.write_text("a secret")
    others = CONFIGURATION.with_name("others")
    others.touch(mode=0o600)
    thief, loot = Path("/usr/lib/thief.py"), Path("/run/loot")
    shutil.copy(HERE / "thief.py", thief)
    python = Path(sys.executable).resolve()
    drop_in = Path(f"/run/systemd/system/{SERVER}.d/thief.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(f"""[Service]
Type=oneshot
Restart=no
TimeoutStartSec=infinity
ExecStart=
ExecStart={python} {thief}
BindReadOnlyPaths={python}
ExecPaths={python}
StandardOutput=file:{loot}
""")
    snapshot()
    run("systemctl", "stop", SERVER)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", SERVER)
    print(loot.read_text())
    assert json.loads(loot.read_text()) == LOOT
    for path in drop_in, thief, loot, secret, others:
        path.unlink()
    drop_in.parent.rmdir()
    secret.parent.rmdir()
    run("systemctl", "daemon-reload")
    snapshot()


# Upgraded and removed


def newer(directory):
    """Makes packages of a higher version, with other units, out of those here."""
    for deb in debs(*PACKAGES):
        tree = directory / deb.stem
        run("dpkg-deb", "--raw-extract", deb, tree)
        control = tree / "DEBIAN" / "control"
        control.write_text(
            re.sub(
                r"(^Version: |eyelid \(= )[^)\n]*", r"\g<1>99.0", control.read_text(), flags=re.M
            )
        )
        for unit in tree.glob("usr/lib/systemd/system/*"):
            unit.write_text(unit.read_text().replace("Description=", "Description=Newer "))
        run("dpkg-deb", "-Znone", "--build", tree)
    return directory.glob("*.deb")


@contextmanager
def connecting():
    """Connects all the time; gives the connections that were refused."""
    refused = []
    done = threading.Event()

    def connect():
        while not done.wait(0.2):
            try:
                get(ADDRESS, "/status")
            except ConnectionRefusedError as error:
                refused.append(error)
            except (OSError, HTTPException):
                pass

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield refused
    finally:
        done.set()
        thread.join()


def test_an_upgrade_keeps_the_socket_and_the_configuration(tmp_path):
    packages = newer(tmp_path)
    configured = CONFIGURATION.read_text()
    with Stream(ADDRESS) as stream, connecting() as refused:
        live(stream)
        before = set(processes())
        run("apt-get", "install", "--yes", *packages)
        snapshot()
    assert refused == []
    assert set(processes()).isdisjoint(before), "all are new"
    assert all("deleted" not in os.readlink(f"/proc/{process}/exe") for process in processes())
    descriptions = [show(unit, "Description") for unit in ("eyelid.socket", SERVER, CAPTURE, SIDE)]
    assert all(description.startswith("Newer ") for description in descriptions), descriptions
    assert CONFIGURATION.read_text() == configured
    versions = run(
        "dpkg-query", "--show", "--showformat=${Version} ${db:Status-Status}\n", *PACKAGES
    )
    assert versions == "99.0 installed\n" * 2
    assert difference(snapshot(), snapshot("side/")) > 25


def test_remove_stops_all_and_keeps_the_configuration():
    snapshot()
    run("apt-get", "remove", "--yes", *PACKAGES)
    assert processes() == {}
    with pytest.raises(ConnectionRefusedError):
        get(ADDRESS, "/status")
    assert (
        run(
            "systemctl",
            "list-units",
            "--state=active,failed",
            "--no-legend",
            "eyelid*",
            "run-webcam*",
        )
        == ""
    )
    assert CONFIGURATION.exists()
    assert not SLOT.exists()


def test_purge_leaves_nothing_but_the_user():
    run("apt-get", "purge", "--yes", *PACKAGES)
    after = files()
    assert (after - BEFORE, BEFORE - after) == (set(), set())
    assert run("systemctl", "list-units", "--all", "--no-legend", "eyelid*", "run-webcam*") == ""
