"""Networks of a suite's own: other computers as namespaces, and sockets opened in one."""

import ctypes
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000  # os.setns and its constants come with Python 3.12


def make(commands):
    """Runs commands that make a network, a line each, in the namespace of this process."""
    Path("/run/netns").mkdir(exist_ok=True)
    for command in commands.strip().splitlines():
        subprocess.run(command.split(" "), check=True)


@contextmanager
def inside(namespace):
    """What this thread opens in here, it opens on the computer of this name."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(here)
        os.close(here)
        os.close(there)


def _enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
