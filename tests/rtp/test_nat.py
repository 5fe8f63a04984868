"""Players behind a router that gives each of their ports another one (NAT, by nftables)."""

import subprocess

import players
import pytest
from rtsp import INTERLEAVED, Client, Ports

from harness import networks
from harness.waiting import wait_for

SERVER, ROUTER, HOME = "10.0.5.1", "10.0.5.2", "192.168.9.2"

# this namespace --- router --- home
NETWORK = f"""
ip netns add router
ip netns add home
ip link add outside type veth peer name wan netns router
ip address add {SERVER}/24 dev outside
ip link set outside up
ip -n router address add {ROUTER}/24 dev wan
ip -n router link set wan up
ip -n router link add lan type veth peer name eth netns home
ip -n router address add 192.168.9.1/24 dev lan
ip -n router link set lan up
ip -n home address add {HOME}/24 dev eth
ip -n home link set lo up
ip -n home link set eth up
ip -n home route add default via 192.168.9.1
ip netns exec router sysctl -q -w net.ipv4.ip_forward=1
"""
# No port of the router is that of the player, nor are two of them one behind the other.
MASQUERADE = """
table ip nat {
    chain leaving {
        type nat hook postrouting priority srcnat
        oifname "wan" masquerade fully-random
    }
}
"""


@pytest.fixture
def home():
    """What is opened within is opened behind the router."""
    networks.make(NETWORK)
    subprocess.run(
        ["ip", "netns", "exec", "router", "nft", "-f", "-"],
        input=MASQUERADE,
        text=True,
        check=True,
    )
    yield lambda: networks.inside("home")
    networks.make("ip link delete outside\nip netns delete home\nip netns delete router")


@pytest.fixture
def url(rtp, slots, home):
    program = rtp(slots, "--rtsp", f"{SERVER}:0")
    return program.wait_log(rf"rtsp://{SERVER}:[1-9]\d*")[0]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ffmpeg_behind_a_router(url, jpeg, home, transport):
    with home():
        shown = players.ffmpeg(url, transport)
    assert shown == [players.pixels(jpeg)] * players.FRAMES


@pytest.mark.parametrize("protocols", ["udp", "tcp"])
def test_gstreamer_behind_a_router(url, jpeg, directory, home, protocols):
    with home():
        shown = players.gstreamer(url + "/", directory, protocols)
    assert shown == [players.pixels(jpeg)] * players.FRAMES


def test_a_client_that_shows_no_port_gets_nothing_and_one_that_does_does(url, home):
    with home(), Client(url) as client, Ports(HOME) as ports:
        transport = client.set_up(ports.transport).headers["transport"]
        rtp_port = int(transport.split("server_port=")[1].split("-")[0])
        assert client.ask("PLAY").status == 200
        ports.rtp.settimeout(1)
        with pytest.raises(TimeoutError):
            # The router lets in what nobody behind it has asked for? Then it is none.
            ports.packets(1)

        def comes():
            ports.rtp.sendto(b"\x80\0\0\0", (SERVER, rtp_port))
            try:
                return ports.packets(1)
            except TimeoutError:
                return None

        wait_for(comes, "packets at the port that was shown")
        assert client.ask("TEARDOWN").status == 200
        assert client.set_up(INTERLEAVED).status == 200
