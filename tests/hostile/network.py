"""A place from which clients vanish: their computer is there, and then it is not.

this namespace: camera, server --- strangers
"""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

HERE = "10.0.3.1"
STRANGERS = "10.0.3.2"

COMMANDS = f"""
mount -t tmpfs none /run/netns
ip link set lo up
ip netns add strangers
ip link add strangers type veth peer name here netns strangers
ip addr add {HERE}/24 dev strangers
ip link set strangers up
ip -n strangers addr add {STRANGERS}/24 dev here
ip -n strangers link set here up
"""


def make():
    """Makes it, in the namespace that this process is in."""
    Path("/run/netns").mkdir(exist_ok=True)
    for command in COMMANDS.strip().splitlines():
        subprocess.run(command.split(" "), check=True)


@contextmanager
def among_strangers():
    """Sockets made in here are the strangers'."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/strangers", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(here)
        os.close(here)
        os.close(there)


def _enter(namespace):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0x40000000) != 0:  # CLONE_NEWNET; os.setns comes with Python 3.12
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def vanished():
    """Nothing that strangers send arrives, nor what is sent to them, and nobody is told."""
    link = ["ip", "-n", "strangers", "link", "set", "here"]
    subprocess.run([*link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*link, "up"], check=True)
