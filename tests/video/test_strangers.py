"""What strangers send: much of it, or none of what it should be."""

import json
import os
import random
import socket
from contextlib import suppress
from urllib.parse import urljoin

import pytest

from harness import whep
from harness.http import connect, free_port
from harness.processes import usage
from harness.waiting import wait_for

SDP = {"Content_Type": "application/sdp"}
BOMBS = {
    "empty": b"",
    "no text": bytes(range(256)) * 4,
    "lines": b"v=0\r\n" + b"a=x\r\n" * 3_000,
    "one line": b"v=0\r\na=" + b"x" * 15_000,
    "media": whep.offer() + b"m=video 9 UDP/TLS/RTP/SAVPF 102\r\n" * 400,
    "candidates": whep.offer() + b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 300,
    "payloads": whep.offer().replace(b"SAVPF 102", b"SAVPF " + b"102 " * 3_000),
    "numbers": whep.offer().replace(b"102", b"9" * 400),
    "too long": whep.offer() + b"a=x\r\n" * 200_000,
}


@pytest.fixture
def watched(shown):
    """Somebody watches all the while, and sees nothing of it; gives eyelid-video."""
    with shown.mse() as viewer:
        viewer.fragment()
        shown.viewer = viewer
        yield shown
        for _ in range(15):
            viewer.fragment()
    assert shown.program.running()


@pytest.mark.parametrize("name", BOMBS)
def test_a_description_that_is_none(watched, name):
    answer = watched.ask("/door/whep", "POST", BOMBS[name], **SDP)
    assert answer.status in (400, 406, 413, 201), answer
    if answer.status == 201:
        assert name in ("candidates", "payloads", "lines", "one line")
        watched.ask(urljoin("/door/whep", answer.headers["location"]), "DELETE")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 10_000,
        b'{"type":"request","type":"answer"}',
        b'{"type":"answer","id":"' + b"x" * 10_000 + b'","sdp":"v=0"}',
        b'{"type":"offer","sdp":' + json.dumps("v=0\r\n" * 1000).encode() + b"}",
        b'{"type":"remote_candidate","id":"x","candidates":' + b"[{}," * 3000,
        b'{"type":9}',
    ],
    ids=range(8),
)
def test_json_that_is_none(watched, body):
    answer = watched.ask("/door/webrtc", "POST", body, Content_Type="application/json")
    assert 400 <= answer.status < 500, answer


def test_thousands_of_posts(watched):
    """Each begins a session that nobody comes for: they are bounded, and so is what they cost."""
    before = usage(watched.pid)
    statuses = {}
    offer = whep.offer()
    for number in range(2_000):
        answer = watched.ask("/door/whep", "POST", offer, **SDP)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        if number % 500 == 0:
            watched.viewer.fragment()
    assert set(statuses) <= {201, 429, 503}, statuses
    assert statuses.get(429, 0) + statuses.get(503, 0) > 1_000, statuses
    grown = usage(watched.pid).anonymous_kib - before.anonymous_kib
    assert grown < 60 * 1024, f"{grown} KiB"
    # What began ends by itself.
    wait_for(
        lambda: usage(watched.pid).descriptors <= before.descriptors + 5, "its descriptors back"
    )


def test_garbage_by_udp(door, video):
    port = free_port(kind=socket.SOCK_DGRAM)
    shown = video(udp=f"127.0.0.1:{port}")
    with shown.mse() as viewer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        viewer.fragment()
        answer = shown.ask("/door/whep", "POST", whep.offer(), **SDP)
        assert answer.status == 201, answer
        before = usage(shown.pid)
        dice = random.Random(1)
        # Of no kind, of STUN's, of DTLS', of RTP's and RTCP's, and each again as it was.
        firsts = [
            b"",
            b"\x00\x01\x00\x00\x21\x12\xa4\x42",
            b"\x16\xfe\xfd",
            b"\x80\x66",
            b"\x81\xc8",
        ]
        for number in range(5_000):
            packet = firsts[number % len(firsts)] + dice.randbytes(dice.randrange(1200))
            for _ in range(2):
                stranger.sendto(packet, ("127.0.0.1", port))
            if number % 500 == 0:
                viewer.fragment()
        for _ in range(15):
            viewer.fragment()
        assert usage(shown.pid).anonymous_kib - before.anonymous_kib < 30 * 1024


def test_garbage_by_http_and_by_the_tap(watched):
    dice = random.Random(2)
    for _ in range(100):
        with connect(watched.url) as stranger:
            stranger.sendall(dice.randbytes(200) + b"\r\n\r\n")
        # Those before may still count among its readers: then it is closed at once.
        with watched.tap() as tap, suppress(BrokenPipeError):
            tap.socket.sendall(os.urandom(1000))
    watched.viewer.fragment()
