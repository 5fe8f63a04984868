"""A place from which clients vanish: their computer is there, and then it is not.

this namespace: camera, server --- strangers
"""

import subprocess
from contextlib import contextmanager

from harness import networks

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
    networks.make(COMMANDS)


def among_strangers():
    """Sockets made in here are the strangers'."""
    return networks.inside("strangers")


@contextmanager
def vanished():
    """Nothing that strangers send arrives, nor what is sent to them, and nobody is told."""
    link = ["ip", "-n", "strangers", "link", "set", "here"]
    subprocess.run([*link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*link, "up"], check=True)
