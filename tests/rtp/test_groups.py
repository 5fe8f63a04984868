"""Groups: several receivers of one, and groups of IPv6."""

import re
import socket

import packets
import players
import pytest
from rtsp import Client
from sink import Sink, join

from harness import networks
from harness.waiting import wait_for

GROUP = "239.10.0.1"
GROUP_6 = "ff15::e:1"
LOSSY, HEALTHY = 0xBAD, 0x600D
SDP_6 = f"""v=0
o=- 1 1 IN IP6 2001:db8::1
s=camera
c=IN IP6 {GROUP_6}
t=0 0
m=video 5004 RTP/AVP 26
"""

# IPv6 beside the addresses that the cable has, at once: nobody else has them.
IPV6 = """
ip address add 2001:db8::1/64 dev ours nodad
ip -n receiver address add 2001:db8::2/64 dev theirs nodad
"""


def test_the_worst_receiver_of_a_group_decides_until_it_leaves(start, directory):
    slot = directory / "slots"
    start("eyelid-capture", "--source", "test", "--slot", slot)
    options = ["--to", f"{GROUP}:5004", "--adapt", "--stats-interval", "1s"]
    program = start("eyelid-rtp", "--slots", slot, *options)
    with (
        Sink(join(GROUP, "lo", 5004)) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receivers,
    ):
        sink.wait()
        ssrc = sink.packets[-1].ssrc

        def report(receiver, fraction):
            sink.wait()
            sequence = sink.packets[-1].sequence
            data = packets.receiver_report(
                ssrc, fraction=fraction, ssrc=receiver, sequence=sequence
            )
            receivers.sendto(data, (GROUP, 5005))

        # One that loses nothing hides no other.
        for _ in range(2):
            report(LOSSY, 51)
            report(HEALTHY, 0)
        program.wait_log(r"19\.9 % lost; sending Low instead of Current")
        program.wait_log(r"frames, [^\n]* 19\.9 % lost")
        receivers.sendto(packets.goodbye(LOSSY), (GROUP, 5005))
        left = len(program.log())

        def is_larger():
            report(HEALTHY, 0)
            return "0.0 % lost; sending Current instead of Low" in program.log()

        wait_for(is_larger, "the frame as configured, when who lost it has left")
        told = re.findall(r"frames, [^\n]* (\d+\.\d) % lost", program.log()[left:])
        assert told and set(told[1:]) == {"0.0"}, told


def test_a_group_keeps_the_ssrc_that_its_sessions_were_told_of(rtp, slots):
    program = rtp(slots, "--to", f"{GROUP}:5004")
    program.wait_log("sending to ")
    with (
        Client(program.url) as client,
        Sink(join(GROUP, "lo", 5004)) as sink,
        Sink(join(GROUP, "lo", 5005)) as reports,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        transport = client.set_up("RTP/AVP;multicast").headers["transport"]
        ssrc = int(transport.rsplit("ssrc=", 1)[1], 16)
        assert client.ask("PLAY").status == 200
        sink.wait()

        def collide():
            receiver.sendto(packets.receiver_report(ssrc, ssrc=ssrc), (GROUP, 5005))

        def said_bye():
            return any(packets.is_goodbye(report, ssrc) for report in list(reports.datagrams))

        collide()
        said = f"a receiver has the SSRC 0x{ssrc:08X}, too; it "
        program.wait_log(said + "stays")
        sink.wait()
        assert not said_bye() and {packet.ssrc for packet in sink.packets} == {ssrc}
        assert client.ask("TEARDOWN").status == 200
        collide()
        program.wait_log(said + "is ")
        wait_for(said_bye, "a farewell of the SSRC")


@pytest.fixture
def group(rtp, slots, receiver_computer):
    """A group of IPv6 by the cable; gives the URL of its session."""
    networks.make(IPV6)
    to = ["--to", f"[{GROUP_6}]:5004", "--interface", "ours"]
    program = rtp(slots, "--rtsp", "[2001:db8::1]:0", *to)
    url = program.wait_log(r"rtsp://\[2001:db8::1\]:[1-9]\d*")[0]
    program.wait_log(r"sending to \[ff15::e:1\]")
    return url


def test_a_group_of_ipv6_by_rtsp(group, jpeg):
    with networks.inside("receiver"):
        shown = players.ffmpeg(group, "udp_multicast")
    # Who joins within a frame has the rest of it alone.
    assert set(shown[1:]) == {players.pixels(jpeg)}


def test_a_group_of_ipv6_by_a_file_of_sdp(group, jpeg, directory):
    """SETUP of a session keeps it going, or a report; a player of a file sends none."""
    sdp = directory / "group.sdp"
    sdp.write_text(SDP_6)
    with networks.inside("receiver"):
        shown = players.ffmpeg_sdp(sdp)
    assert set(shown[1:]) == {players.pixels(jpeg)}


def test_a_group_of_ipv6_by_a_socket_that_has_joined_it(group, jpeg, directory):
    """GStreamer's rtspsrc of Debian 12 has a race of its own there: it fails in PAUSE now and then
    with "busy" although packets come."""
    with networks.inside("receiver"):
        client = Client(group)
        sock = join(GROUP_6, "theirs", 5004)
    with client, Sink(sock) as sink:
        transport = client.set_up("RTP/AVP;multicast").headers["transport"]
        assert f"destination={GROUP_6};port=5004-5005" in transport, transport
        assert client.ask("PLAY").status == 200
        sink.wait(200)
    sink.check_frames()
    shown = players.assembled(sink.packets, directory)
    assert len(shown) > 1
    assert set(shown) == {players.pixels(jpeg)}
