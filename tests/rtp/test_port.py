"""Frames through a port of 100 Mbit/s whose queue holds 32 KB, as small switches have them: a fifth
of a frame. What is sent at once is lost there; what is spread is not."""

import os
import socket
import struct

import cable
import packets
import pytest
from cable import THERE
from rtsp import Client, Ports
from sink import Sink
from viewer import BUFFER, SO_RCVBUFFORCE

from harness import networks
from harness.feed import picture

# As for docs/performance.md: EYELID_RTP_PORT_FRAMES=1000.
FRAMES = int(os.environ.get("EYELID_RTP_PORT_FRAMES", "150"))
FPS = 30
HERE = "192.0.2.1"

# A switch between: what this host itself cannot send it would be told of. Packets are cut before
# the port. The bucket holds what it carries in a millisecond: a busy machine is late by that, and
# with two packets in it the port carried less than it is to. A third of the queue is the bucket's.
SWITCH = f"""
ip netns add receiver
ip netns add switch
ip -n receiver link set lo up
ip link add ours type veth peer name one netns switch
ip -n switch link add other type veth peer name theirs netns receiver
ip -n switch link add name bridge type bridge
ip -n switch link set one master bridge
ip -n switch link set other master bridge
ip -n switch link set bridge up
ip -n switch link set one up
ip -n switch link set other up
ip address add {HERE}/24 dev ours
ip link set ours up
ip -n receiver address add {THERE}/24 dev theirs
ip -n receiver link set theirs up
ip netns exec switch tc qdisc add dev other root tbf rate 100mbit burst 12k limit 20k
"""


@pytest.fixture
def port():
    """The cable to the receiver's computer ends at this port."""
    networks.make(SWITCH)
    yield
    networks.make("ip link delete ours\nip netns delete switch\nip netns delete receiver")


@pytest.fixture
def large(feed, directory):
    """A slot with frames of 147 KB, 30 a second."""
    jpeg = picture(directory / "large.jpg", (1920, 1080), quality=30)
    size = jpeg.stat().st_size
    assert 130_000 < size < 170_000, size
    return feed("slots", jpeg, fps=FPS).slot


def enlarge(sock):
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)


def take(sock, frames):
    """Takes packets until so many frames have ended; gives the packets."""
    taken, ended = [], 0
    while ended < frames:
        taken.append(packets.packet(sock.recv(2000)))
        ended += taken[-1].marker
    return taken


def test_a_session_by_udp_loses_nothing(rtp, large, port):
    program = rtp(large, "--rtsp", f"{HERE}:0")
    url = program.wait_log(rf"rtsp://{HERE}:[1-9]\d*")[0]
    with networks.inside("receiver"):
        client, ports = Client(url), Ports(THERE)
    with client, ports:
        enlarge(ports.rtp)
        ports.play(client)
        taken = take(ports.rtp, FRAMES)
        assert dropped(ports.rtp) == 0, "the receiver itself was too slow"
    # Who begins within a frame has the rest of it alone.
    assert len(packets.check_frames(taken)) >= FRAMES - 1


@pytest.mark.parametrize("pace", ["spread", "burst"])
def test_a_destination_loses_nothing_unless_it_is_to(start, large, port, pace):
    options = ["--always", *(["--burst"] if pace == "burst" else [])]
    with Sink(cable.udp()) as sink:
        enlarge(sink.socket)
        start("eyelid-rtp", "--slots", large, "--to", f"{THERE}:5000", *options)
        sink.wait(FRAMES * 20)
    if pace == "spread":
        assert len(sink.check_frames()) > 1
    else:
        with pytest.raises(AssertionError, match="a packet is missing"):
            sink.check_frames()


def dropped(sock):
    """Gives how many datagrams found no room in this socket (socket(7), SO_MEMINFO)."""
    so_meminfo, drops = 55, 8
    values = sock.getsockopt(socket.SOL_SOCKET, so_meminfo, 9 * 4)
    return struct.unpack("9I", values)[drops]
