"""Another computer beside this one: it is there, and then it is not.

this namespace --- elsewhere
"""

import subprocess
from contextlib import contextmanager

from harness import networks

HERE = "10.0.3.1"
THERE = "10.0.3.2"

COMMANDS = f"""
mount -t tmpfs none /run/netns
ip link set lo up
ip netns add elsewhere
ip link add elsewhere type veth peer name here netns elsewhere
ip addr add {HERE}/24 dev elsewhere
ip link set elsewhere up
ip -n elsewhere addr add {THERE}/24 dev here
ip -n elsewhere link set here up
"""


def make():
    """Makes it, in the namespace that this process is in."""
    networks.make(COMMANDS)


def inside():
    """Sockets made in here are the other computer's."""
    return networks.inside("elsewhere")


@contextmanager
def vanished():
    """Nothing that it sends arrives, nor what is sent to it, and nobody is told."""
    link = ["ip", "-n", "elsewhere", "link", "set", "here"]
    subprocess.run([*link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*link, "up"], check=True)


@contextmanager
def reached_by(rate):
    """What is sent to it goes at this rate (in the words of tc), with 100 ms of queue."""
    qdisc = ["tc", "qdisc"]
    shape = ["root", "tbf", "rate", rate, "burst", "6000", "latency", "100ms"]
    subprocess.run([*qdisc, "add", "dev", "elsewhere", *shape], check=True)
    try:
        yield
    finally:
        subprocess.run([*qdisc, "del", "dev", "elsewhere", "root"], check=True)


@contextmanager
def slow(rate):
    """It sends at this rate (in the words of tc), with next to no burst and no queue.

    And packet by packet, as a camera: else the kernel takes a whole picture for one, however small
    the socket's buffer is.
    """
    qdisc = ["tc", "-n", "elsewhere", "qdisc"]
    segments = ["ip", "-n", "elsewhere", "link", "set", "here", "gso_max_segs"]
    shape = ["root", "tbf", "rate", rate, "burst", "3000", "limit", "6000"]
    subprocess.run([*segments, "1"], check=True)
    subprocess.run([*qdisc, "add", "dev", "here", *shape], check=True)
    try:
        yield
    finally:
        subprocess.run([*qdisc, "del", "dev", "here", "root"], check=True)
        subprocess.run([*segments, "65535"], check=True)
