"""Hosts around a hub, each on a computer of its own. What one sends to another goes by the hub's.

this namespace: the near host --- hub --- far
                                  | |
                             other   third
"""

import subprocess
from contextlib import contextmanager

from harness import networks
from harness.programs import binary

NEAR = None  # this namespace
FARS = ["far", "other", "third"]
HUB = "10.0.1.1"
ADDRESSES = {
    "hub": HUB,
    NEAR: "10.0.1.2",
    "far": "10.0.2.2",
    "other": "10.0.3.2",
    "third": "10.0.4.2",
}

COMMANDS = """
mount -t tmpfs none /run/netns
ip link set lo up
ip netns add hub
ip -n hub link set lo up
ip link add hub type veth peer name near netns hub
ip addr add 10.0.1.2/24 dev hub
ip link set hub up
ip route add 10.0.0.0/16 via 10.0.1.1
ip -n hub addr add 10.0.1.1/24 dev near
ip -n hub link set near up
ip netns exec hub sysctl -qw net.ipv4.ip_forward=1
"""

FAR = """
ip netns add {name}
ip -n {name} link set lo up
ip -n hub link add {name} type veth peer name hub netns {name}
ip -n hub addr add 10.0.{n}.1/24 dev {name}
ip -n hub link set {name} up
ip -n {name} addr add 10.0.{n}.2/24 dev hub
ip -n {name} link set hub up
ip -n {name} route add default via 10.0.{n}.1
"""


def make():
    """Makes them."""
    networks.make(COMMANDS)
    for number, name in enumerate(FARS):
        networks.make(FAR.format(name=name, n=2 + number))


def on(host, program, *arguments):
    """Gives the words that run a program on a host."""
    program = binary(program) if program.startswith("eyelid") else program
    return [*([] if host is NEAR else ["ip", "netns", "exec", host]), program, *arguments]


@contextmanager
def cut_off(host):
    """Nothing that it sends arrives, nor what is sent to it, and nobody is told."""
    link = ["ip", "-n", "hub", "link", "set", "near" if host is NEAR else host]
    subprocess.run([*link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*link, "up"], check=True)
