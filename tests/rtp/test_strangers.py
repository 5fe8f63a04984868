"""Who means harm, or knows no better, is refused within bounds; who plays does not notice."""

import contextlib
import socket

import packets
import pytest
from rtsp import Client

from harness.crowd import allow_connections
from harness.http import connect
from harness.processes import usage

GARBAGE = {
    "noise": bytes(range(256)) * 8,
    "no version": b"OPTIONS *\r\n\r\n",
    "no CSeq": b"OPTIONS * RTSP/1.0\r\n\r\n",
    "a head without end": b"OPTIONS * RTSP/1.0\r\nX: " + b"a" * 100_000,
    "a thousand fields": b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    "a negative body": b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n",
    "half a request": b"DESCRIBE rtsp://localhost/ RTSP/1.0\r\nCSe",
    "packets of nobody": b"$\x00\xff\xff" + b"\0" * 65535,
    "lone line feeds": b"\r\n" * 100_000,
}
IDLE = 1500


@pytest.fixture
def program(rtp, slots):
    return rtp(slots)


@pytest.fixture
def healthy(program):
    """A client that plays; nothing may happen to it."""
    with Client(program.url) as client:
        client.play()
        yield client


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_answered_by_a_status_or_the_end(program, healthy, name):
    with connect(program.url) as stranger:
        answer = b""
        with contextlib.suppress(ConnectionError):
            stranger.sendall(GARBAGE[name])
            stranger.shutdown(socket.SHUT_WR)
            answer = stranger.recv(65536)
        assert answer == b"" or answer.startswith((b"RTSP/1.0 4", b"RTSP/1.0 5")), answer
    packets.check_frames(healthy.rtp_packets(200))
    assert program.running()


def test_connections_that_say_nothing_cost_little_and_stop_nobody(program, healthy):
    allow_connections()
    before = usage(program.pid).anonymous_kib
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE):
            with contextlib.suppress(OSError):
                stack.enter_context(connect(program.url))
        packets.check_frames(healthy.rtp_packets(200))
        cost = usage(program.pid).anonymous_kib - before
        assert cost < IDLE * 40, f"{cost} KiB"
    packets.check_frames(healthy.rtp_packets(200))
    with Client(program.url) as after:
        assert after.ask("OPTIONS", "*").status == 200


def test_reports_of_nobody_and_broken_ones_change_nothing(program, healthy):
    for number in range(200):
        spoofed = packets.receiver_report(number, fraction=255, lost=9999)
        for data in [spoofed, spoofed[: number % len(spoofed)]]:
            healthy.socket.sendall(b"$\x01" + len(data).to_bytes(2) + data)
    packets.check_frames(healthy.rtp_packets(200))
    assert healthy.ask("OPTIONS", "*").status == 200
