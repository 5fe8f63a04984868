"""Nobody watches: nothing is done."""

import subprocess
import time

from harness.processes import wake_ups
from harness.waiting import wait_for

CALM_S = 10


def calm(pid):
    """Says whether nothing wakes a process for some time."""
    before = wake_ups(pid)
    time.sleep(CALM_S)
    return wake_ups(pid) == before


def test_nothing_wakes_it_before_anybody_has_watched_nor_after(shown, door):
    # What it has begun with may take a moment on a busy machine.
    wait_for(lambda: calm(shown.pid), "nothing that wakes it", deadline=6 * CALM_S)
    with shown.mse() as viewer, shown.tap() as tap:
        for _ in range(10):
            viewer.fragment()
        tap.read(10_000)
    door.wait_state("asleep")
    wait_for(lambda: calm(shown.pid), "nothing that wakes it", deadline=6 * CALM_S)


def test_no_system_call_is_made(shown, door, directory):
    with shown.mse() as viewer:
        viewer.fragment()
    door.wait_state("asleep")
    wait_for(lambda: calm(shown.pid), "nothing that wakes it", deadline=6 * CALM_S)
    trace = directory / "trace"
    command = ["timeout", str(CALM_S), "strace", "-f", "-qq", "-o", trace, "-p", str(shown.pid)]
    subprocess.run(command, check=False)
    # It was waiting when strace came, and is told to go on with that.
    calls = [line for line in trace.read_text().splitlines() if "restart_syscall" not in line]
    assert len([line for line in calls if "detached" not in line]) <= 1, calls


def test_it_ends_when_nobody_has_watched_for_long_enough(video, door):
    shown = video("--idle-exit", "2s")
    with shown.mse() as viewer:
        viewer.fragment()
        time.sleep(3)
        viewer.fragment()
    assert shown.program.wait() == 0
    assert not list(shown.taps.iterdir()), "no sockets are left behind"
