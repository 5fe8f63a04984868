"""What the tests do to the machine, and ask it."""

import json
import os
import re
import subprocess
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from harness import waiting
from harness.frames import check_frame
from harness.http import get

ADDRESS = "http://127.0.0.1:8080"
CONFIGURATION = Path("/etc/eyelid/eyelid.toml")
PACKAGES = ("eyelid", "eyelid-capture-libcamera")
SERVER, CAPTURE, SIDE, USB, TWIN = (
    f"eyelid-{name}.service"
    for name in ("server", "capture", "capture@side", "capture@usb", "capture@twin")
)
DEBS = Path(os.environ["EYELID_DEBS"])
DEADLINE = 150.0  # seconds: an emulated machine on a busy one is slow


def run(*command):
    """Runs a command that must succeed; gives what it printed."""
    line = " ".join(map(str, command))
    began = time.monotonic()
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "SYSTEMD_BUS_TIMEOUT": f"{DEADLINE:.0f}",
    }
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, f"{line}: status {done.returncode}\n{done.stdout}{done.stderr}"
    print(f"{line} ({time.monotonic() - began:.1f} s)")
    return done.stdout


def wait_for(condition, what):
    """Waits as the harness does, but longer."""
    return waiting.wait_for(condition, what, DEADLINE)


# Files

# What dpkg, apt and journald write down about themselves, and copies of the list of users: users
# stay.
BOOKS = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/backups/", "/var/cache/", "/var/log/")
BOOKS += ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock")
# Awake, a virtual camera makes as many frames as the machine can, whatever is asked for. The
# machine has other work, and is in no hurry.
PATIENTLY = 'frame-timeout = "60s"\n'
SLOWLY = f'fps = 5\nlinger = "5s"\n{PATIENTLY}'
SLOW_UNITS = Path("/run/systemd/system/eyelid-.service.d/slow.conf")
BEFORE = set()  # files() before anything was installed


def files():
    """Gives all files of the disk, and those in /run with our names."""
    disk = run(
        "find", "/", "-ignore_readdir_race", "-xdev", "-path", "/eyelid", "-prune", "-o", "-print"
    )
    ours = run(
        "find",
        "/run",
        "-ignore_readdir_race",
        "-xdev",
        "(",
        "-name",
        "*eyelid*",
        "-o",
        "-name",
        "*webcam*",
        ")",
    )
    return {path for path in (disk + ours).splitlines() if not path.startswith(BOOKS)}


@cache
def packaged():
    """Gives the configuration as it was installed."""
    return CONFIGURATION.read_text()


def configure(*sections, source=None, **server):
    """Writes the packaged configuration with other values in [server].

    More sections stand behind [cameras.default].
    """
    text = packaged()
    if source:
        text = re.sub(r"^source = .*", f'source = "{source}"\nlinger = "5s"', text, flags=re.M)
    else:
        text = text.replace("[cameras.default]\n", f"[cameras.default]\n{SLOWLY}")
    for key, value in server.items():
        key = key.replace("_", "-")
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.M).replace(
            "[server]\n", f'[server]\n{key} = "{value}"\n'
        )
    CONFIGURATION.write_text("".join((text, *sections)))


# Packages


def debs(*names):
    """Gives the files of packages."""
    return [path for name in names for path in DEBS.glob(f"{name}_*.deb")]


def install_beside(name):
    """Installs package eyelid, and then another, of which nothing is enabled yet.

    Gives files() before the other.
    """
    allow_slow_units()
    run("apt-get", "install", "--yes", *debs("eyelid"))
    before = files()
    run("apt-get", "install", "--yes", *debs(name))
    return before


def allow_slow_units():
    """Lets units take as long as anything may here."""
    SLOW_UNITS.parent.mkdir(parents=True, exist_ok=True)
    SLOW_UNITS.write_text(f"[Service]\nTimeoutStartSec={DEADLINE}\nTimeoutStopSec={DEADLINE}\n")


# Units and processes


def show(unit, name):
    """Gives a property of a unit."""
    return run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def pid(unit):
    """Gives a unit's only process; None if it has none.

    Asks the kernel: systemctl takes long here.
    """
    for members in Path("/sys/fs/cgroup/system.slice").glob(f"**/{unit}/cgroup.procs"):
        # A group that goes away between being found, opened and read says so with ENOENT or ENODEV.
        with suppress(OSError):
            for member in members.read_text().split():
                return int(member)
    return None


def processes():
    """Gives all processes of Eyelid's programs: {pid: name}."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.startswith("eyelid"):
            # A name has 15 bytes here, of eyelid-capture-libcamera, too.
            found[int(process.name)] = name.rstrip("-")
    return found


def as_user(user, action, process=None, groups=()):
    """Does something as a user; gives the errno, or 0.

    If a process is given, the file system is seen as it sees it.
    """
    child = os.fork()
    if child == 0:
        code = 255
        try:
            if process:
                os.setns(os.pidfd_open(process), os.CLONE_NEWNS)
            os.setgroups(groups)
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            action()
            code = 0
        except OSError as error:
            code = error.errno
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def as_process(process, action):
    """Does something as a process could; gives the errno, or 0."""
    return as_user(Path(f"/proc/{process}").stat().st_uid, action, process)


def in_unit_of(process, action):
    """Does something as a process could with its groups, and what its unit may of devices, which
    the kernel knows by the control group; gives the errno, or 0.
    """
    ours = Path("/proc/self/cgroup").read_text().strip().split("::")[1]
    members = Path("/proc", str(process))
    theirs = (members / "cgroup").read_text().strip().split("::")[1]
    groups = re.search("^Groups:(.*)$", (members / "status").read_text(), re.M)[1].split()
    user = members.stat().st_uid

    def move(group):
        Path(f"/sys/fs/cgroup{group}/cgroup.procs").write_text("0")

    # A child of ours is where we are.
    move(theirs)
    try:
        return as_user(user, action, process, [int(group) for group in groups])
    finally:
        move(ours)


def journal(*arguments):
    """Gives entries of the journal."""
    run("journalctl", "--sync")
    return [
        json.loads(line) for line in run("journalctl", "--output=json", *arguments).splitlines()
    ]


# Clients


def snapshot(camera=""):
    """Gets a frame.

    Where the camera is not up in time, as on a slow machine, the server says to try again.
    """
    answers = []

    def answered():
        answers[:] = [get(ADDRESS, f"/{camera}snapshot")]
        assert answers[0].status in (200, 503), answers
        return answers[0].status == 200

    wait_for(answered, lambda: f"a snapshot of /{camera}; last answer: {answers}")
    return check_frame(answers[0].body)


def status(camera):
    """Gives what the server says about a camera."""
    cameras = json.loads(get(ADDRESS, "/status").body)["cameras"]
    return next(found for found in cameras if found["name"] == camera)


def part_where(stream, wanted, what):
    """Gives the next part of a stream that is as wanted."""
    found = []

    def search():
        found[:] = [stream.part()]
        return wanted(found[0])

    wait_for(search, what)
    return found[0]


def live(stream):
    """Gives a frame out of a stream that was captured from now on."""
    now = time.time()
    return part_where(
        stream,
        lambda part: part.live() and float(part.headers["x-timestamp"]) > now,
        "a frame captured from now on",
    )
