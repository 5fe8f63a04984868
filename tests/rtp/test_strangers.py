"""Who means harm, or knows no better, is refused within bounds; who plays does not notice."""

import contextlib
import socket

import packets
import pytest
from rtsp import Client
from viewer import Viewer

from harness.crowd import Crowd, allow_connections
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


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """This process may have as many open as a crowd takes."""
    allow_connections()


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


WAITING = 512  # connections without a session (crates/libraries/http/src/admission.rs)
OTHERS = 50  # descriptors besides
HEADER = b"OPTIONS * RTSP/1.0\r\nX: " + b"x" * 15_000  # of 16 KiB that one may have


@pytest.mark.parametrize("opening", [b"", HEADER], ids=["silent", "half a request"])
def test_ten_thousand_connections_cost_little_and_stop_nobody(rtp, start, directory, opening):
    slot = directory / "slots"
    slot.mkdir()
    start("eyelid-capture", "--source", "test", "--fps", "10", "--slot", slot)
    program = rtp(slot)
    port = int(program.url.rsplit(":", 1)[1])
    # A crowd has one processor to itself.
    options = {"share": 0.5}
    with Viewer(program.url, **options) as viewer, Viewer(program.url, udp=True, **options):
        before = usage(program.pid).anonymous_kib
        with Crowd(port).come(10_000, opening) as crowd:
            viewer.see(20)
            assert crowd.opened == 10_000
            assert usage(program.pid).descriptors < WAITING + OTHERS
            with Client(program.url) as after:
                after.play()
                packets.check_frames(after.rtp_packets(50))
            crowd.stay(WAITING)
            cost = usage(program.pid).anonymous_kib - before
            assert cost < WAITING * 32, f"{cost} KiB"


def test_reports_of_nobody_and_broken_ones_change_nothing(program, healthy):
    for number in range(200):
        spoofed = packets.receiver_report(number, fraction=255, lost=9999)
        for data in [spoofed, spoofed[: number % len(spoofed)]]:
            healthy.socket.sendall(b"$\x01" + len(data).to_bytes(2) + data)
    packets.check_frames(healthy.rtp_packets(200))
    assert healthy.ask("OPTIONS", "*").status == 200
