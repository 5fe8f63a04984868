"""What is done to a site's programs and to its slot.

Each says what, and is over when its function returns.
"""

import os
import resource
import shutil
import signal
import time
from contextlib import contextmanager, suppress

from harness.processes import alive, descriptors
from harness.waiting import wait_for

SLICE_S = 0.02  # a starved program runs so long...
STARVED_FOR = 9  # ...and does not for so many times that


def _send(pid, how):
    with suppress(ProcessLookupError):
        os.kill(pid, how)


def kill(site, random, program):
    """Kills a program."""
    name, pid = program
    yield f"kill {name}"
    if name == "eyelid-capture":
        _send(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid), f"the end of {name}")
        return
    with site.killing_server():
        doomed = [pid] if name == "eyelid-server" else list(site.pids().values())
        _send(pid, signal.SIGKILL)
        # The launcher's children are told to end when it is gone.
        wait_for(lambda: not any(map(alive, doomed)), f"the end of {name}")


def stop(site, random, program):
    """Stops a program for a while, as a suspended machine does."""
    name, pid = program
    seconds = random.uniform(0.1, 4.0)
    yield f"stop {name} for {seconds:.1f} s"
    with _stopped(pid):
        time.sleep(seconds)


def starve_of_time(site, random, program):
    """Lets a program run a tenth of the time."""
    name, pid = program
    yield f"starve {name} of time"
    end = time.monotonic() + random.uniform(0.5, 3.0)
    while time.monotonic() < end:
        with _stopped(pid):
            time.sleep(STARVED_FOR * SLICE_S)
        time.sleep(SLICE_S)


@contextmanager
def _stopped(pid):
    _send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(pid, signal.SIGCONT)


def starve_of_descriptors(site, random, program):
    """Lets a program open nothing more."""
    name, pid = program
    yield f"starve {name} of descriptors"
    with suppress(ProcessLookupError, FileNotFoundError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid), hard))
        time.sleep(random.uniform(0.1, 2.0))
        # Not to what it was: another may do the same at the same time.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))


def starve_of_space(site, random, _program):
    """Fills the slot's file system."""
    yield "fill the slot"
    path = site.home / "filler"
    end = time.monotonic() + random.uniform(0.1, 2.0)
    with open(path, "ab", buffering=0) as file:
        while time.monotonic() < end:
            with suppress(OSError):
                file.write(bytes(1024))
                continue
            time.sleep(0.01)
    path.unlink(missing_ok=True)  # another may have done the same at the same time


def lose_frame(site, random, _program):
    """Deletes the frame."""
    yield "delete the frame"
    site.slot.file.unlink(missing_ok=True)


def lose_slot(site, random, _program):
    """Deletes the slot."""
    yield "delete the slot"
    shutil.rmtree(site.slot.path, ignore_errors=True)


ALL = (
    4 * [kill]
    + 3 * [stop]
    + 2 * [starve_of_time]
    + [starve_of_descriptors, starve_of_space, lose_frame, lose_slot]
)


def harm(site, random):
    """Does one thing, and keeps a note of it."""
    if programs := sorted(site.pids().items()):
        for note in random.choice(ALL)(site, random, random.choice(programs)):
            site.faults.append(note)
