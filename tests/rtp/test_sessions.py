"""What clients of RTSP are answered, and what becomes of the camera meanwhile."""

import contextlib
import itertools
import socket
import time

import packets
import pytest
from rtsp import INTERLEAVED, Client, Ports

from harness.slot import Slot
from harness.waiting import wait_for

ETH_P_IP = 0x0800  # linux/if_ether.h


def test_the_camera_wakes_at_setup_and_sleeps_after_the_last_session(rtp, asleep):
    url = rtp(asleep.path).url
    with Client(url) as one, Client(url) as other:
        described = one.ask("DESCRIBE")
        assert "a=x-dimensions" in described.body or "a=framesize" in described.body
        assert f"a=framerate:{asleep.state()['fps']:g}\r\n" in described.body
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


def bound(port=0):
    socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    socket_.bind(("127.0.0.1", port))
    socket_.settimeout(10)
    return socket_


def comes(socket_):
    """Says whether packets still come, once those are read that had come before."""
    socket_.settimeout(0.5)
    until = time.monotonic() + 1.5
    try:
        while time.monotonic() < until:
            socket_.recv(2000)
    except TimeoutError:
        return False
    return True


def test_udp_goes_where_the_hole_was_punched(rtp, slots):
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
        wait_for(lambda: not comes(said), "the end of those to the port that was said")
        # Others have that address, too, or say so.
        for other in [bound(), bound(53), said]:
            other.sendto(b"\x80\x14" + bytes(10), ("127.0.0.1", server))
            assert not comes(other), other.getsockname()
        assert comes(real)


def test_udp_goes_to_no_port_of_other_programs(rtp, slots):
    with Client(rtp(slots).url) as client, Ports() as ports:
        response = client.set_up(ports.transport)
        server = int(response.headers["transport"].split("server_port=")[1].split("-")[0])
        assert client.ask("PLAY").status == 200
        names = bound(53)
        names.sendto(b"\x80\x14" + bytes(10), ("127.0.0.1", server))
        assert not comes(names)
        assert comes(ports.rtp)


def test_after_a_pause_the_hole_is_where_it_is_then(rtp, slots):
    with Client(rtp(slots).url) as client, Ports() as ports:
        transport = client.set_up(ports.transport).headers["transport"]
        server = int(transport.split("server_port=")[1].split("-")[0])
        ports.rtp.sendto(b"\x80\x14" + bytes(10), ("127.0.0.1", server))
        assert client.ask("PLAY").status == 200
        ports.packets(1)
        assert client.ask("PAUSE").status == 200
        assert client.ask("PLAY").status == 200
        real = bound()
        real.sendto(b"\x80\x14" + bytes(10), ("127.0.0.1", server))
        assert comes(real)


def test_a_session_answers_for_its_own_camera_only(rtp, feed, jpeg, directory):
    feed("slots/door", jpeg)
    feed("slots/bed", jpeg)
    with Client(rtp(directory / "slots").url) as client:
        client.play("/door")
        for path, played, ended in [
            ("/bed", 455, 454),
            ("/nowhere", 404, 404),
            ("/door?size=huge", 404, 404),
            ("*", 400, 400),
        ]:
            assert client.ask("PLAY", path).status == played
            assert client.ask("PAUSE", path).status == played
            assert client.ask("TEARDOWN", path).status == ended
        packets.check_frames(client.rtp_packets(100))
        # As clients say it, whatever they were told; routers and proxies change the host.
        for path in ["/door", "/door/", "/door/trackID=0", "rtsp://camera.example:1/door/"]:
            assert client.ask("PAUSE", path).status == 200
            assert client.ask("PLAY", path).status == 200
        assert client.ask("TEARDOWN", "/door/streamid=0").status == 200


def test_the_programs_end_is_told(rtp, slots):
    program = rtp(slots)
    with Client(program.url) as client:
        client.play()
        client.packet()
        program.stop()
        client.ended_with_bye()


def whole_frame(ports):
    """Reads until there was a whole frame among what comes by UDP: too much comes to take all."""
    frame = []
    while not frame or not frame[-1].marker:
        (packet,) = ports.packets(1)
        follows = frame and packet.sequence == (frame[-1].sequence + 1) % 65536
        frame = [packet] if packet.offset == 0 else [*frame, packet] if follows else []
    packets.check_frames(frame)


def test_a_hundred_sessions_and_the_camera_sleeps_15_s_after_the_last(rtp, start, directory):
    slot = directory / "slots"
    start("eyelid-capture", "--source", "test", "--slot", slot)
    slot = Slot(slot)
    slot.frame()
    url = rtp(slot.path).url
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(url)) for _ in range(100)]
        by_udp = [stack.enter_context(Ports()) for _ in range(50)]
        for client, ports in zip(clients, by_udp, strict=False):
            ports.play(client)
        for client in clients[50:]:
            client.play()
        for client in clients[50:]:
            packets.check_frames(client.rtp_packets(50))
        for ports in by_udp:
            whole_frame(ports)
        for client in clients[:-1]:
            client.socket.close()
        packets.check_frames(clients[-1].rtp_packets(200))
        assert slot.state()["state"] == "awake"
    ended = time.monotonic()
    slot.wait_state("asleep")
    assert 14.5 < time.monotonic() - ended < 20


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::]:0"])
def test_packets_of_sessions_are_marked(rtp, slots, listen):
    program = rtp(slots, "--rtsp", listen, "--rtsp-dscp", "AF41")
    # IPv4 may come to a socket of IPv6, too.
    address = listen.removesuffix("0").replace("[", r"\[").replace(".", r"\.")
    port = int(program.wait_log(rf"rtsp://{address}([1-9]\d*)\n(?!.*rtsp://{address})")[1])
    url = f"rtsp://127.0.0.1:{port}"
    with Client(url) as client, Ports() as ports:
        for one in [ports.rtp, ports.rtcp]:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        ports.play(client)
        for one in [ports.rtp, ports.rtcp]:
            _, ((_, _, mark),), _, _ = one.recvmsg(2000, 200)
            assert mark[0] >> 2 == 34
    link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    with link, Client(url) as client:
        link.bind(("lo", ETH_P_IP))
        link.settimeout(10)
        client.play()
        marks = []
        while len(marks) < 10:
            packet = link.recv(65536)
            is_ours = packet[9] == socket.IPPROTO_TCP and int.from_bytes(packet[20:22]) == port
            # The kernel has answered before there was a connection to mark.
            if is_ours and len(packet) > 100:
                marks.append(packet[1] >> 2)
        assert set(marks) == {34}


def test_the_log_says_who_is_refused_and_why(rtp, slots):
    program = rtp(slots)
    with Client(program.url) as client:
        assert client.ask("DESCRIBE", "/nowhere?size=half").status == 404
        where = client.socket.getsockname()
        refused = f"client {where[0]}:{where[1]} is not served:"
        program.wait_log(
            rf'{refused} there is no camera, or no size of one, "/nowhere\?size=half" \(404\)'
        )
        assert client.ask("DESCRIBE", "/other").status == 404
        assert client.set_up("RTP/AVP;multicast").status == 461
        program.wait_log(rf'{refused} no transport of "RTP/AVP;multicast" can be had .*\(461\)')
        assert "/other" not in program.log(), "of each status there is one line in a while"


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
