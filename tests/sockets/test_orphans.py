"""Processes whose parents are gone: `eyelid` sees to it that none stays as a zombie."""

import os
import signal
from pathlib import Path

import pytest
from PIL import Image

from harness.http import get
from harness.processes import children, descendants
from harness.programs import binary
from harness.stream import Stream
from harness.waiting import wait_for

# A command that gives a picture and leaves an orphan each tenth of a second.
LEAVES_ORPHANS = "while :; do cat {picture}; (sleep 0.01 &) ; echo >> {left}; sleep 0.1; done"


def zombies(pid):
    """Gives the descendants of a process that nobody has asked how they ended."""
    found = []
    for child in descendants(pid):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state == "Z":
            found.append(child)
    return found


@pytest.mark.parametrize("is_pid_1", [False, True])
def test_orphans_of_a_command_leave_no_zombies(start, directory, is_pid_1):
    left, picture = directory / "left", directory / "picture.jpg"
    Image.new("RGB", (64, 48)).save(picture)
    command = (
        *("eyelid", "--listen", "127.0.0.1:0", "--slots", directory / "slots"),
        *(
            "--source",
            f"command:{LEAVES_ORPHANS.format(left=left, picture=picture)}",
            "--idle-exit",
            "1s",
            "--linger",
            "1s",
        ),
    )
    if is_pid_1:
        # With /proc of its own, as in a container.
        inside = ("--pid", "--fork", "--kill-child", "--mount", "--mount-proc")
        program = start("unshare", *inside, binary("eyelid"), *command[1:])
    else:
        program = start(*command)
    url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    eyelid = children(program.pid)[0] if is_pid_1 else program.pid
    with Stream(url):
        wait_for(lambda: left.exists() and len(left.read_text()) >= 5, "five orphans")
    # An orphan each tenth of a second: those of the last moment may be waiting still.
    wait_for(lambda: not zombies(eyelid), lambda: f"no zombies: {zombies(eyelid)}", 5)
    wait_for(lambda: children(eyelid) == [], lambda: f"all has ended but {children(eyelid)}")
    assert get(url, "/status").status == 200, "its own programs' ends are still seen"
    # unshare(1) keeps SIGTERM from itself, and ends as the process that it waits for.
    os.kill(eyelid, signal.SIGTERM)
    assert program.wait() == 0
