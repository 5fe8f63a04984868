"""Cameras that are sent to receivers, whoever asks or not."""

import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import players
import pytest
from packets import GOODBYE
from rtsp import Client

from harness import networks
from harness.feed import picture
from harness.slot import Slot
from harness.waiting import wait_for

ETH_P_IP = 0x0800  # linux/if_ether.h
IP_RECVTTL = 12  # linux/in.h; socket has it from Python 3.14 on

# The receiver's side is an end of a cable and no program: nothing answers there.
CABLE = """
ip link add ours type veth peer name theirs
ip link set ours up
ip link set theirs up
ip address add 192.0.2.1/24 dev ours
ip neighbour replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev ours
"""

OTHER_ADDRESS = """
ip address delete 192.0.2.1/24 dev ours
ip address add 192.0.2.3/24 dev ours
ip neighbour replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev ours
"""

SDP = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=camera
c=IN IP4 {address}
t=0 0
m=video {port} RTP/AVP 26
"""


def sdp(directory, port, address="127.0.0.1"):
    """Writes a description of what is sent to a port."""
    path = directory / "camera.sdp"
    path.write_text(SDP.format(port=port, address=address))
    return path


@pytest.fixture
def receiver():
    """Takes a port of this host; gives its socket."""
    with ExitStack() as stack:

        def receiver(port):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("127.0.0.1", port))
            one.settimeout(20)
            return one

        yield receiver


@pytest.fixture
def push(start):
    """Starts eyelid-rtp for destinations alone."""

    def push(slots, *arguments):
        return start("eyelid-rtp", "--slots", slots, "--stats-interval", "1s", *arguments)

    return push


def test_ffmpeg_and_gstreamer_show_what_is_sent(push, slots, jpeg, directory):
    push(slots, "--to", "127.0.0.1:5000", "--to", "127.0.0.1:5002", "--always")
    shown = players.ffmpeg_sdp(sdp(directory, 5000))
    assert set(shown) == {players.pixels(jpeg)}
    shown = players.gstreamer_udp(5002, directory)
    assert set(shown) == {players.pixels(jpeg)}


def test_a_receiver_that_starts_anew_is_sent_to_again(push, slots, jpeg, directory):
    program = push(slots, "--to", "127.0.0.1:5000")
    program.wait_log("Connection refused")
    for _ in range(2):
        shown = players.ffmpeg_sdp(sdp(directory, 5000))
        assert set(shown) == {players.pixels(jpeg)}
        program.wait_log("packets are taken again")


def test_reports_keep_the_camera_awake_and_their_end_lets_it_sleep(start, push, directory):
    slot = directory / "slots"
    start("eyelid-capture", "--source", "test", "--slot", slot, "--linger", "1s")
    slot = Slot(slot)
    slot.frame()
    program = push(slot.path, "--to", "127.0.0.1:5000", "--local-port", "6000")
    program.wait_log("Connection refused")
    slot.wait_state("asleep")
    receiver = players.reporting(start, 5000, 6001)
    slot.wait_state("awake")
    program.wait_log(r"[1-9]\d* frames, .* 0 dropped, 0\.0 % lost, jitter \d+\.\d ms, round trip")
    receiver.end()
    slot.wait_state("asleep")


def test_one_camera_and_one_receiver_do_not_disturb_others(push, feed, directory):
    door = picture(directory / "door.jpg")
    bed = picture(directory / "bed.jpg", (1280, 720))
    of_door = feed("slots/door", door)
    feed("slots/bed", bed)
    to = ["--to", "127.0.0.1:5000", "--to", "127.0.0.1:5002", "--to", "nowhere.invalid:5004"]
    names = ["--name", "door", "--name", "bed", "--name", "door"]
    program = push(directory / "slots", *to, *names, "--always")
    # Nobody is at the first, and the third has no address.
    program.wait_log("cannot find")
    shown = players.ffmpeg_sdp(sdp(directory, 5002))
    of_door.stop()
    shown += players.ffmpeg_sdp(sdp(directory, 5002))
    assert set(shown) == {players.pixels(bed)}
    assert program.log().count("cannot find") == 1


@pytest.fixture
def cable():
    """A network that is lost and made anew; it is there until the end of the test."""
    networks.make(CABLE)
    yield
    networks.make("ip link delete ours")


def sent_from(sources):
    """Waits until packets of pictures arrive at the cable's end from these ports, of any address.

    Gives the addresses by their ports."""
    found = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as end:
        end.bind(("theirs", ETH_P_IP))
        end.settimeout(30)
        deadline = time.monotonic() + 30
        while set(found) != set(sources):
            # Reports come in any case.
            assert time.monotonic() < deadline, f"no picture from one of {sources}: {found}"
            packet = end.recv(2000)
            port = int.from_bytes(packet[20:22], "big")
            # A probe is shorter.
            if port in sources and len(packet) > 100:
                found[port] = socket.inet_ntoa(packet[12:16])
    return found


def test_our_own_address_and_interface_may_change(push, slots, cable):
    to = ["--to", "192.0.2.2:5000", "--always"]
    push(slots, *to, "--local-port", "6000")
    push(slots, *to, "--local-port", "6002", "--interface", "ours")
    ports = [6000, 6002]
    assert sent_from(ports) == dict.fromkeys(ports, "192.0.2.1")
    networks.make(OTHER_ADDRESS)
    assert sent_from(ports) == dict.fromkeys(ports, "192.0.2.3")
    networks.make("ip link delete ours" + CABLE)
    assert sent_from(ports) == dict.fromkeys(ports, "192.0.2.1")


def test_packets_are_as_they_are_configured(push, slots, receiver):
    taking = receiver(5000)
    taking.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    taking.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    options = ["--mtu", "900", "--dscp", "AF41", "--ssrc", "0x12345678", "--ttl", "7"]
    push(slots, "--to", "127.0.0.1:5000", "--local-port", "6000", *options)
    lengths = set()
    for _ in range(100):
        packet, ancillary, _, sender = taking.recvmsg(2000, 200)
        lengths.add(len(packet))
        assert packet[8:12] == bytes.fromhex("12345678")
        assert sender == ("127.0.0.1", 6000)
        marks = {kind: int.from_bytes(data, "little") for _, kind, data in ancillary}
        assert marks[socket.IP_TOS] >> 2 == 34
        assert marks[socket.IP_TTL] == 7
    assert max(lengths) == 900


def test_sigterm_says_goodbye(push, slots, receiver):
    receiver(5000)
    reports = receiver(5001)
    program = push(slots, "--to", "127.0.0.1:5000")
    reports.recv(2000)
    program.stop()
    last = reports.recv(2000)
    assert GOODBYE in last, "no BYE"


def test_the_example_with_two_cameras(start, directory, receiver):
    ports = {5000: ("12345678", (640, 480)), 5002: ("12345679", (320, 240))}
    receivers = {port: receiver(port) for port in ports}
    config = Path(__file__).parents[2] / "examples" / "rtp" / "two-cameras.toml"
    listen = ["--listen", "127.0.0.1:0", "--slots", directory / "slots"]
    program = start("eyelid", *listen, "--config", config)

    def size(packet):
        return packet[18] * 8, packet[19] * 8

    for port, (ssrc, pixels) in ports.items():
        packet = receivers[port].recv(2000)
        assert packet[8:12] == bytes.fromhex(ssrc)
        assert size(packet) == pixels
    # One receiver goes; the other does not notice.
    receivers[5000].close()
    program.wait_log(r'camera "left" to 127\.0\.0\.1:5000: Connection refused')
    for _ in range(100):
        assert size(receivers[5002].recv(2000)) == (320, 240)


def test_the_example_with_a_camera_that_pushes(start, jpeg, directory, receiver):
    taking = receiver(5000)
    config = Path(__file__).parents[2] / "examples" / "rtp" / "pushed-camera.toml"
    listen = ["--listen", "127.0.0.1:0", "--slots", directory / "slots"]
    program = start("eyelid", *listen, "--config", config)
    program.wait_log(r"sending to 127\.0\.0\.1:5000")

    def pushed():
        url = "http://127.0.0.1:8765/gate"
        done = subprocess.run(["curl", "-sf", "-T", jpeg, url], capture_output=True, check=False)
        return done.returncode == 0

    taking.settimeout(0.2)
    for _ in range(100):
        wait_for(pushed, "the picture to be taken")
        with suppress(TimeoutError):
            packet = taking.recv(2000)
            if len(packet) > 100:
                break
    assert (packet[18] * 8, packet[19] * 8) == (640, 480)


def test_reload_keeps_what_is_as_it_was(rtp, slots, directory, receiver):
    table = '[[cameras.default.rtp]]\nto = "127.0.0.1:{port}"\nalways = true\n'
    config = directory / "eyelid.toml"
    receivers = {port: receiver(port) for port in [5000, 5001, 5002, 5003, 5004]}
    program = rtp(slots, config="".join(table.format(port=port) for port in [5000, 5002]))
    ssrc = receivers[5000].recv(2000)[8:12]
    receivers[5002].recv(2000)
    with Client(program.url) as client:
        client.play()
        config.write_text("".join(table.format(port=port) for port in [5000, 5004]))
        program.process.send_signal(signal.SIGHUP)
        program.wait_log("configuration read again")
        receivers[5004].recv(2000)
        assert receivers[5000].recv(2000)[8:12] == ssrc
        receivers[5002].settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                receivers[5002].recv(2000)
        wait_for(lambda: GOODBYE in receivers[5003].recv(2000), "a farewell to who gets no more")
        config.write_text(table.format(port=5000) + "mtu = 900\n")
        program.process.send_signal(signal.SIGHUP)
        reports = [receivers[5001].recv(2000)]
        while reports[-1][4:8] == ssrc:
            reports.append(receivers[5001].recv(2000))
        assert not any(GOODBYE in report for report in reports), "players end at it"
        for _ in range(100):
            client.packet()
        config.write_text("[rtp]\nmax-sessions = 0\n")
        program.process.send_signal(signal.SIGHUP)
        program.wait_log('configuration not used: .*line 2, key "max-sessions"')
        client.packet()


def test_reload_ends_sessions_of_a_group_that_is_no_more(rtp, slots, directory):
    table = '[[cameras.default.rtp]]\nto = "239.10.0.1:5004"\ndscp = {}\n'
    program = rtp(slots, config=table.format(10))
    program.wait_log(r"sending to 239\.10\.0\.1")
    with Client(program.url) as client:
        client.set_up("RTP/AVP;multicast")
        client.ask("PLAY")
        (directory / "eyelid.toml").write_text(table.format(20))
        program.process.send_signal(signal.SIGHUP)
        program.wait_log("configuration read again")
        assert client.socket.recv(100) == b""
