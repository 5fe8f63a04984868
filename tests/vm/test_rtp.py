"""RTP and RTSP, by package eyelid-rtp under the shipped units: played by GStreamer, sent to a
destination, with passwords. Runs after the packages' own tests, and installs them anew.
"""

import errno
import grp
import hashlib
import json
import os
import pwd
import re
import socket
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from machine import (
    ADDRESS,
    CAPTURE,
    CONFIGURATION,
    DEADLINE,
    SERVER,
    as_process,
    as_user,
    debs,
    files,
    install_beside,
    journal,
    pid,
    processes,
    run,
    show,
    wait_for,
)
from PIL import Image

from harness.http import get

RTP, SOCKET = "eyelid-rtp.service", "eyelid-rtp.socket"
URL = "rtsp://127.0.0.1:8554/"
STATUS = Path("/run/eyelid/rtp/status")
PASSWORDS = CONFIGURATION.with_name("htdigest")
PAGE = Path("/usr/share/doc/eyelid/docs/rtp.md")
DESTINATION = '\n[[cameras.default.rtp]]\nto = "127.0.0.1:{port}"\nalways = true\n'
FRAMES = 3
BEFORE = set()  # files() before eyelid-rtp was installed


def configure(*sections, rtp=""):
    """Writes the configuration: the default camera, and more sections."""
    CONFIGURATION.write_text(
        f'[server]\nslots = "/run/webcam"\nidle-exit = "3s"\n\n[rtp]\nidle-exit = "3s"\n{rtp}\n'
        '[cameras.default]\nsource = "test"\nsize = "320x240"\nfps = 5\nlinger = "2s"\n'
        + "".join(sections)
    )


@pytest.fixture(scope="module", autouse=True)
def installed():
    """Both packages, of which nothing is enabled yet."""
    BEFORE.update(install_beside("eyelid-rtp"))
    configure()


def client(*options, sink=("fakesink",)):
    """Gives the command of a client of RTSP."""
    source = ["rtspsrc", f"location={URL}", "latency=0", *options]
    return ["gst-launch-1.0", "-q", *source, "!", "rtpjpegdepay", "!", *sink]


# Plugins are looked for once, and not written down among the files of a user.
GSTREAMER = {**os.environ, "GST_REGISTRY": "/run/gstreamer"}


def play(directory, *options):
    """Plays some frames, and gives them as pictures."""
    sink = ["identity", f"eos-after={FRAMES + 1}", "!", "multifilesink"]
    command = client(*options, sink=[*sink, f"location={directory}/%d.jpg"])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, env=GSTREAMER, check=False
    )
    # How it takes its leave on a slow machine is its own business.
    frames = [Image.open(path) for path in directory.iterdir()]
    assert len(frames) >= FRAMES, done.stderr
    for frame in frames:
        frame.load()
    return frames


@contextmanager
def playing(*options):
    """Has a client play for a while."""
    program = subprocess.Popen(client(*options), env=GSTREAMER)
    try:
        yield
    finally:
        program.terminate()
        program.wait(DEADLINE)


def figures():
    """Gives what the server's /status says of RTP."""
    return json.loads(get(ADDRESS, "/status").body)["rtp"]


def wait_figures(condition):
    """Waits until the figures are so; gives what the condition does."""
    return wait_for(lambda: (told := figures()) and condition(told), lambda: f"of {figures()}")


def nothing_runs():
    """Waits until all programs have ended, none of which has failed."""
    wait_for(lambda: not processes(), lambda: f"the end of {processes()}")
    units = SOCKET, RTP, SERVER, CAPTURE
    wait_for(
        lambda: {show(unit, "Result") for unit in units} == {"success"},
        lambda: str([(unit, show(unit, "Result")) for unit in units]),
    )


def test_installing_listens_nowhere():
    assert run("systemctl", "list-units", "--state=active", "--no-legend", "eyelid-rtp*") == ""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 8554))


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_client_starts_the_program_and_the_camera(tmp_path, protocol):
    run("systemctl", "enable", "--now", SOCKET)
    if protocol == "tcp":
        assert processes() == {}
    for frame in play(tmp_path, f"protocols={protocol}"):
        assert frame.size == (320, 240)
    assert sorted(processes().values()) == ["eyelid-capture", "eyelid-rtp"]


def test_its_program_can_write_nothing_but_where_it_is_asked():
    with playing("protocols=tcp"):
        program = wait_for(lambda: pid(RTP), "the program")
        user = Path(f"/proc/{program}").stat().st_uid
        assert 61184 <= user <= 65519, "a dynamic user: systemd.exec(5)"
        places = ["run/webcam", "run/eyelid", "etc/eyelid", "run", "tmp", "dev/shm", "usr/lib", ""]
        for directory in (f"/{place}" for place in places):
            forbidden = Path(directory) / "probe"
            # Or it is not there.
            errors = (errno.EROFS, errno.EACCES, errno.ENOENT)
            assert as_process(program, forbidden.touch) in errors, directory
        assert as_process(program, lambda: Path("/home").lstat()) == errno.ENOENT
        assert as_process(program, lambda: os.listdir("/run/eyelid/rtp")) == 0


def ask():
    """Asks as the server does."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(STATUS))


def test_the_server_may_ask_what_is_sent_and_nobody_else():
    run("systemctl", "enable", "--now", "eyelid.socket")
    with playing("protocols=udp"):
        session = wait_figures(
            lambda it: it["sessions"] and (one := it["sessions"][0])["frames"] > 5 and one
        )
        assert (session["camera"], session["transport"]) == ("default", "udp"), session
        assert session["state"] == "sending" and "127.0.0.1" in session["peer"]
        metrics = get(ADDRESS, "/metrics").body.decode()
        frames = r'^eyelid_rtp_frames_total\{camera="default",to="rtsp"\} ([1-9]\d*)$'
        assert re.search(frames, metrics, re.M), metrics
        group = grp.getgrnam("eyelid-status").gr_gid
        for path, mode in (STATUS.parent, 0o750), (STATUS, 0o660):
            assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (group, mode)
        for name in "eyelid", "nobody":
            assert as_user(pwd.getpwnam(name).pw_uid, ask) == errno.EACCES, name


def test_with_nobody_playing_nothing_runs_and_asking_starts_nothing():
    wait_for(lambda: pid(RTP) is None, lambda: f"the end of {processes()}")
    assert figures() is None
    assert not STATUS.parent.exists()
    assert "eyelid-rtp" not in processes().values()
    nothing_runs()


def arrives(port):
    """Waits until a packet of a picture comes to a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(DEADLINE)
        while True:
            packet = receiver.recv(2000)
            if packet[1] & 0x7F == 26 and len(packet) > 100:
                return


def test_a_destination_is_sent_to_and_another_after_a_reload():
    configure(DESTINATION.format(port=5000))
    run("systemctl", "disable", "--now", SOCKET)
    run("systemctl", "enable", "--now", RTP)
    arrives(5000)
    one = wait_figures(lambda it: (one := it["destinations"][0])["frames"] and one)
    assert (one["to"], one["transport"], one["camera"]) == ("127.0.0.1:5000", "udp", "default")
    before = pid(RTP)
    configure(DESTINATION.format(port=5002))
    run("systemctl", "reload", RTP)
    arrives(5002)
    assert pid(RTP) == before
    assert [to["to"] for to in figures()["destinations"]] == ["127.0.0.1:5002"]
    run("systemctl", "disable", "--now", RTP)
    wait_for(lambda: pid(RTP) is None, "its end")
    assert figures() is None


def test_passwords_as_the_page_says(tmp_path):
    # As `htdigest -c /etc/eyelid/htdigest Eyelid anna` writes it, and nobody's but root's.
    digest = hashlib.md5(b"anna:Eyelid:secret").hexdigest()
    PASSWORDS.touch(mode=0o600)
    PASSWORDS.write_text(f"anna:Eyelid:{digest}\n")
    configure(rtp=f'auth-file = "{PASSWORDS}"\n')
    recipe = re.search(
        r"by `systemctl edit eyelid-rtp\.service`:\n\n((?:    .*\n)+)", PAGE.read_text()
    )[1]
    recipe = re.sub("^    ", "", recipe, flags=re.M)
    assert "LoadCredential=" in recipe
    edit = ["systemctl", "edit", "--stdin", RTP]
    subprocess.run(edit, input=recipe, text=True, check=True, timeout=DEADLINE)
    run("systemctl", "enable", "--now", "eyelid.socket", SOCKET)
    refused = subprocess.run(
        client(), capture_output=True, text=True, timeout=DEADLINE, env=GSTREAMER, check=False
    )
    assert refused.returncode != 0 and "Unauthorized" in refused.stderr, refused.stderr
    play(tmp_path, "user-id=anna", "user-pw=secret")
    # It still says what it sends, while it does: it ends when it is idle.
    with playing("user-id=anna", "user-pw=secret"):
        wait_figures(lambda it: it["sessions"])
    run("systemctl", "revert", RTP)
    configure()
    run("systemctl", "stop", RTP)
    PASSWORDS.unlink()


def test_an_upgrade_restarts_the_program_and_purging_leaves_nothing():
    with playing("protocols=tcp"):
        before = wait_for(lambda: pid(RTP), "the program")
        # Of the same version, which is an upgrade to the package's scripts.
        run("apt-get", "install", "--reinstall", "--yes", *debs("eyelid-rtp"))
        wait_for(lambda: pid(RTP) not in (None, before), "another program")
    nothing_runs()
    entries = journal(f"--unit={RTP}")
    ours = [entry for entry in entries if entry.get("_COMM") == "eyelid-rtp"]
    wrong = [entry["MESSAGE"] for entry in ours if int(entry["PRIORITY"]) <= 3]
    assert ours and wrong == []
    run("apt-get", "purge", "--yes", "eyelid-rtp")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 8554))
    assert "eyelid-rtp" not in processes().values()
    assert {path for path in files() - BEFORE if "rtp" in path} == set()
    # What follows installs what it needs.
    run("systemctl", "disable", "--now", "eyelid.socket", SERVER)
