"""The way to a slow viewer.

    this namespace: camera, server, proxy --- router --(2 Mbit/s)-- viewer

The bottleneck is at a router, as in life: what sends here learns of it by loss and by the clock of
the acknowledgements. The kernel's settings for TCP are those that most hosts have, not this
machine's.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness.waiting import DEADLINE

HERE = "10.0.1.1"
LINK = 2_000_000  # bits per second

COMMANDS = f"""
mount -t tmpfs none /run/netns
ip link set lo up
ip route replace local 127.0.0.0/8 dev lo table local congctl cubic
ip route replace local 127.0.0.1 dev lo table local congctl cubic
sysctl -qw net.ipv4.tcp_rmem=4096\t131072\t6291456
sysctl -qw net.ipv4.tcp_wmem=4096\t16384\t4194304
ip netns add router
ip netns add viewer
ip link add router type veth peer name here netns router
ip addr add {HERE}/24 dev router
ip link set router up
ip route add default via 10.0.1.2 congctl cubic
ip -n router addr add 10.0.1.2/24 dev here
ip -n router link set here up
ip -n router link add viewer type veth peer name router netns viewer
ip -n router addr add 10.0.2.1/24 dev viewer
ip -n router link set viewer up
ip -n viewer addr add 10.0.2.2/24 dev router
ip -n viewer link set router up
ip -n viewer link set lo up
ip -n viewer route add default via 10.0.2.1
ip netns exec router sysctl -qw net.ipv4.ip_forward=1
ip netns exec router tc qdisc add dev viewer root tbf rate {LINK} burst 15k latency 50ms
"""


def make():
    """Makes it, in the namespace that this process is in."""
    Path("/run/netns").mkdir(exist_ok=True)
    for command in COMMANDS.strip().splitlines():
        subprocess.run(command.split(" "), check=True)


def view(path, port=80, seconds=10):
    """Looks at a stream from the slow viewer's place; gives what viewer.py prints."""
    viewer = Path(__file__).with_name("viewer.py")
    command = [
        "ip",
        "netns",
        "exec",
        "viewer",
        sys.executable,
        viewer,
        f"http://{HERE}:{port}{path}",
        str(seconds),
    ]
    environment = {**os.environ, "PYTHONPATH": str(viewer.parent.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + DEADLINE, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
