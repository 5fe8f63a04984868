"""WebRTC out of a container with a network of its own, by ports that its host forwards.

As `docker run -p 8080:8080 -p 8189:8189/udp` has it. What Docker's bridge does is done here by
nftables, for podman's needs more than this suite installs.
"""

import subprocess

import pytest

from harness import elsewhere, networks
from harness.waiting import wait_for
from harness.whep import Viewer

HOST = elsewhere.HERE
BRIDGE, CONTAINER = "172.30.0.1", "172.30.0.2"
UDP = 8189

# elsewhere --- this namespace, the host --- container
NETWORK = f"""
sysctl -qw net.ipv4.ip_forward=1
ip netns add container
ip link add bridge type veth peer name eth0 netns container
ip addr add {BRIDGE}/24 dev bridge
ip link set bridge up
ip -n container link set lo up
ip -n container addr add {CONTAINER}/24 dev eth0
ip -n container link set eth0 up
ip -n container route add default via {BRIDGE}
"""

FORWARD = """
table ip docker {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        ip daddr {host} tcp dport {tcp} dnat to {container}
        ip daddr {host} udp dport {udp} dnat to {container}
    }}
}}
"""


@pytest.fixture
def container(run, directory):
    """A container of which a visitor reaches the host only; gives its port at that."""
    elsewhere.make()
    networks.make(NETWORK)
    file = directory / "eyelid.toml"
    file.write_text(
        '[server]\nslots = "/dev/shm/webcam"\n[cameras.default]\nsource = "test"\n'
        f'size = "320x240"\nlinger = "1s"\n[video]\ncandidates = ["{HOST}"]\n'
    )
    options = ["--volume", f"{file}:/etc/eyelid/eyelid.toml:ro"]
    container = run(options=options, network="ns:/run/netns/container")
    rules = FORWARD.format(host=HOST, container=CONTAINER, tcp=container.port, udp=UDP)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    yield container
    subprocess.run(["nft", "delete", "table", "ip", "docker"], check=True)


def test_who_reaches_the_host_alone_sees_pictures(container):
    with elsewhere.inside():  # a thread is where it was started
        viewer = Viewer(f"http://{HOST}:{container.port}", "/whep")
    with viewer:
        viewer.wait_frames(10)
        assert viewer.size == (320, 240)
    wait_for(lambda: "camera asleep" in container.log(), "the camera sleeps")
