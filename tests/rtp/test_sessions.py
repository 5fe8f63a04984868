"""What clients of RTSP are answered, and what becomes of the camera meanwhile."""

import contextlib
import hashlib
import itertools
import socket
import time

import packets
import pytest
from rtsp import INTERLEAVED, Client

from harness.slot import Slot
from harness.waiting import wait_for


@pytest.fixture
def asleep(start, directory):
    """A camera that sleeps soon after the last look; its slot."""
    slot = directory / "slots"
    start("eyelid-capture", "--source", "test", "--slot", slot, "--linger", "1s")
    slot = Slot(slot)
    slot.frame()
    slot.wait_state("asleep")
    return slot


def test_the_camera_wakes_at_setup_and_sleeps_after_the_last_session(rtp, asleep):
    url = rtp(asleep.path).url
    with Client(url) as one, Client(url) as other:
        described = one.ask("DESCRIBE")
        assert "a=x-dimensions" in described.body or "a=framesize" in described.body
        assert asleep.state()["state"] == "asleep", "woken by DESCRIBE"
        assert one.set_up(INTERLEAVED).status == 200
        asleep.wait_state("awake")
        assert other.set_up(INTERLEAVED).status == 200
        assert one.ask("PLAY").status == other.ask("PLAY").status == 200
        assert one.ask("TEARDOWN").status == 200
        until = time.monotonic() + 3
        while time.monotonic() < until:
            other.packet()
        assert asleep.state()["state"] == "awake"
    asleep.wait_state("asleep")


def test_pause_lets_the_camera_sleep_and_play_wakes_it(rtp, asleep):
    with Client(rtp(asleep.path).url) as client:
        client.play()
        client.packet()
        assert client.ask("PAUSE").status == 200
        asleep.wait_state("asleep")
        assert client.buffer == b"", "packets after PAUSE"
        assert client.ask("PLAY").status == 200
        channels = [client.packet()[0] for _ in range(20)]
        assert 0 in channels


def test_one_clock_over_naps(rtp, asleep):
    def timestamp():
        while True:
            channel, packet = client.packet()
            if channel == 0:
                return int.from_bytes(packet[4:8])

    with Client(rtp(asleep.path).url) as client:
        client.play()
        before, began = timestamp(), time.monotonic()
        client.ask("PAUSE")
        asleep.wait_state("asleep")
        client.ask("PLAY")
        passed = ((timestamp() - before) % 2**32) / 90_000
        assert abs(passed - (time.monotonic() - began)) < 0.5


def test_reports_come_at_once_and_name_the_stream(rtp, slots):
    with Client(rtp(slots).url) as client:
        transport = client.set_up(INTERLEAVED).headers["transport"]
        ssrc = int(transport.rsplit("ssrc=", 1)[1], 16)
        played = client.ask("PLAY")
        assert played.headers["range"] == "npt=now-"
        assert "seq=" in played.headers["rtp-info"]
        packets = {}
        while len(packets) < 2:
            channel, packet = client.packet()
            packets.setdefault(channel, packet)
        assert packets[1][1] == 200, "no sender report"
        assert int.from_bytes(packets[1][4:8]) == ssrc == int.from_bytes(packets[0][8:12])
        sequence = int(played.headers["rtp-info"].split("seq=")[1].split(";")[0])
        assert int.from_bytes(packets[0][2:4]) == sequence


def test_passwords_by_digest_and_basic(rtp, slots, directory):
    secret = hashlib.md5(b"anna:Eyelid:secret").hexdigest()
    (directory / "htdigest").write_text(f"anna:Eyelid:{secret}\n")
    url = rtp(slots, "--auth-file", directory / "htdigest").url

    def digest(client, method, nonce):
        uri = client.url + "/"
        what = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
        response = hashlib.md5(f"{secret}:{nonce}:{what}".encode()).hexdigest()
        return (
            f'Digest username="anna", realm="Eyelid", nonce="{nonce}", uri="{uri}", '
            f'response="{response}"'
        )

    with Client(url) as client, Client(url) as other:
        assert client.ask("OPTIONS").status == 200
        refused = client.ask("DESCRIBE")
        assert refused.status == 401
        challenges = [value for name, value in refused.all if name == "WWW-Authenticate"]
        nonce = challenges[0].split('nonce="')[1].split('"')[0]
        assert challenges[1] == 'Basic realm="Eyelid"'
        right = digest(client, "DESCRIBE", nonce)
        assert client.ask("DESCRIBE", Authorization=right).status == 200
        replayed = other.ask("DESCRIBE", Authorization=right)
        assert replayed.status == 401 and "stale=true" in replayed.headers["www-authenticate"]
        basic = "Basic YW5uYTpzZWNyZXQ="
        assert other.ask("DESCRIBE", Authorization=basic).status == 200
        asked = time.monotonic()
        assert other.ask("DESCRIBE", Authorization="Basic YTpi").status == 401
        assert time.monotonic() - asked >= 1, "guessing is fast"


def test_nobody_can_be_attacked(rtp, slots):
    with Client(rtp(slots).url) as client:
        client.ask("DESCRIBE")
        for transport, status in [
            ("RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.1", 461),
            ("RTP/AVP;unicast;client_port=53-54", 461),
            ("RTP/AVP;multicast", 461),
            ("RTP/AVP;unicast;client_port=5000-5001", 200),
        ]:
            response = client.ask("SETUP", "/track=0", Transport=transport)
            assert response.status == status, transport


def test_strangers_are_refused_and_sessions_do_not_notice(rtp, slots):
    program = rtp(slots)
    with Client(program.url) as healthy:
        healthy.play()
        for said, status in [
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"OPTIONS * RTSP/2.0\r\n\r\n", 505),
            (b"OPTIONS * RTSP/1.0\r\nX: " + b"x" * 17000, 413),
            (b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * 65 + b"\r\n", 413),
            (b"OPTIONS * RTSP/1.0\r\nContent-Length: 99999\r\n\r\n", 413),
        ]:
            with Client(program.url) as stranger:
                stranger.socket.sendall(said)
                assert stranger.response().status == status, said[:40]
                stranger.closed()
        # Pipelined, and in pieces.
        with Client(program.url) as stranger:
            asked = b"".join(b"OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n" % n for n in range(50))
            for at in range(0, len(asked), 7):
                stranger.socket.sendall(asked[at : at + 7])
            assert [int(stranger.response().headers["cseq"]) for _ in range(50)] == [*range(50)]
        for _ in range(50):
            healthy.packet()
    assert program.running()


def test_as_many_sessions_as_are_configured(rtp, slots):
    url = rtp(slots, "--max-sessions", "2").url
    with Client(url) as one, Client(url) as two, Client(url) as three:
        assert one.set_up(INTERLEAVED).status == two.set_up(INTERLEAVED).status == 200
        assert three.set_up(INTERLEAVED).status == 503
        assert one.ask("TEARDOWN").status == 200
        assert three.set_up(INTERLEAVED).status == 200


def test_udp_goes_where_the_hole_was_punched(rtp, slots):
    def bound():
        socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        socket_.bind(("127.0.0.1", 0))
        socket_.settimeout(10)
        return socket_

    with Client(rtp(slots).url) as client:
        said, real = bound(), bound()
        port = said.getsockname()[1]
        response = client.set_up(f"RTP/AVP;unicast;client_port={port}-{port + 1}")
        server = int(response.headers["transport"].split("server_port=")[1].split("-")[0])
        client.ask("PLAY")
        assert said.recv(2000)[1] & 127 == 26
        real.sendto(b"\x80\x14" + bytes(10), ("127.0.0.1", server))
        assert (
            wait_for(lambda: real.recv(2000), "packets at the port that was shown")[1] & 127 == 26
        )


def test_the_programs_end_is_told(rtp, slots):
    program = rtp(slots)
    with Client(program.url) as client:
        client.play()
        client.packet()
        program.stop()
        rest = client.buffer
        while more := client.socket.recv(65536):
            rest += more
        assert b"\x81\xcb" in rest[-16:], "no BYE"


def test_a_hundred_sessions_and_the_camera_sleeps_after_the_last(rtp, asleep):
    url = rtp(asleep.path).url
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(url)) for _ in range(100)]
        for client in clients:
            client.play()
        for client in clients:
            packets.check_frames(client.rtp_packets(50))
        for client in clients[:-1]:
            client.socket.close()
        packets.check_frames(clients[-1].rtp_packets(200))
        assert asleep.state()["state"] == "awake"
    asleep.wait_state("asleep")


def test_who_does_not_read_delays_nobody_and_sees_the_newest(rtp, slots):
    url = rtp(slots).url
    with Client(url) as idle, Client(url) as healthy:
        idle.play()
        healthy.play()
        began = time.monotonic()
        while time.monotonic() < began + 5:
            packets.check_frames(healthy.rtp_packets(50))
        # What lies in the sockets was captured long ago; behind it comes the newest.
        seen = idle.rtp_packets(1)
        until = seen[0].timestamp + 90_000 * 4
        while packets.distance_90k(until, seen[-1].timestamp) < 0:
            seen += idle.rtp_packets(50)
        captured = packets.check_frames(seen)
        pauses = [packets.distance_90k(*pair) for pair in itertools.pairwise(captured)]
        assert max(pauses) > 90_000 * 2, "frames were kept for who did not read"
