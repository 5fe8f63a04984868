"""A computer of its own for receivers, at the end of a cable that may be lost and laid anew."""

import subprocess
from contextlib import contextmanager

import sink

from harness import networks

THERE = "192.0.2.2"

LAY = f"""
ip link add ours type veth peer name theirs netns receiver
ip address add 192.0.2.1/24 dev ours
ip link set ours up
ip -n receiver address add {THERE}/24 dev theirs
ip -n receiver link set theirs up
"""

COMPUTER = """
ip netns add receiver
ip -n receiver link set lo up
"""


@contextmanager
def laid():
    """The computer is there, and the cable."""
    networks.make(COMPUTER)
    networks.make(LAY)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", "ours"], check=False)
        networks.make("ip netns delete receiver")


def udp(port=5000):
    """Gives a socket of the computer's."""
    with networks.inside("receiver"):
        return sink.udp(THERE, port)
