"""What strangers send: much of it, or none of what it should be."""

import json
import os
import random
import select
import socket
from collections import Counter
from contextlib import ExitStack, suppress
from urllib.parse import urljoin

import pytest
from strangers import Handshakes, Relay, RelayedViewer, Watching, many, posts
from websockets.exceptions import InvalidStatus

from harness import elsewhere, whep
from harness.http import connect, free_port, get
from harness.processes import usage
from harness.waiting import wait_for

SDP = {"Content_Type": "application/sdp"}
AT_ONCE = 50  # connections, each with a request
LONGEST_PAUSE_S = 5  # between two pictures, on a busy machine
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


def test_ten_thousand_posts(watched):
    """Each begins a session that nobody comes for: they are bounded, and so is what they cost."""
    before = usage(watched.pid)
    statuses = Counter()
    offer = whep.offer()
    with watched.timed() as tap, Watching(tap) as watching:
        for batch in range(10_000 // AT_ONCE):
            for status, headers, body in posts(watched.url, "/door/whep", offer, AT_ONCE):
                statuses[status] += 1
                if status != 201:
                    assert headers["retry-after"] == "2" and json.loads(body)["error"]
            # As many as may watch, the tap among them.
            assert len(watched.status()["sessions"]) <= 100
            assert usage(watched.pid).descriptors < before.descriptors + 60
            if batch % 10 == 0:
                watched.viewer.fragment()
    assert set(statuses) == {201, 429, 503}, statuses
    assert statuses[429] + statuses[503] > 5_000, statuses
    grown = usage(watched.pid).anonymous_kib - before.anonymous_kib
    assert grown < 60 * 1024, f"{grown} KiB"
    assert watching.pictures > 20 and watching.pause_s < LONGEST_PAUSE_S
    # What began ends by itself.
    wait_for(lambda: len(watched.status()["sessions"]) == 1, "the end of all but the viewer")
    wait_for(
        lambda: usage(watched.pid).descriptors <= before.descriptors + 5, "its descriptors back"
    )


def test_one_address_has_so_many_websockets_and_others_theirs(reached):
    with elsewhere.inside(), ExitStack() as stack:
        for _ in range(16):
            last = stack.enter_context(reached.mse(host=elsewhere.HERE))
        with pytest.raises(InvalidStatus) as refused:
            reached.mse(host=elsewhere.HERE)
        response = refused.value.response
        assert (response.status_code, response.headers["retry-after"]) == (429, "2")
        assert "this address" in json.loads(response.body)["error"]
        # A page cannot read that of a WebSocket, and asks without one.
        url = f"http://{elsewhere.HERE}:{reached.port}"
        assert get(url, "/door/mse").status == 429
        last.socket.close()
        wait_for(lambda: get(url, "/door/mse").status == 426, "room for another")
        stack.enter_context(reached.mse(host=elsewhere.HERE)).fragment()
    with reached.mse(host=elsewhere.HERE) as other:
        other.fragment()


def test_handshakes_that_are_left_keep_nobody_waiting(reached):
    """Two addresses begin more of them than there is room for, and go on with none."""
    with Handshakes(reached, ["127.0.0.2", "127.0.0.3"]) as flood:
        wait_for(lambda: len(flood.begun) >= 20, "all room to be taken")
        with reached.mse() as other, whep.Viewer(reached.url) as viewer:
            viewer.wait_frames(5)
            for _ in range(5):
                other.fragment()
        assert flood.is_alive()
    assert usage(reached.pid).anonymous_kib < 60 * 1024


def test_packets_of_a_session_that_are_sent_again(door, video):
    """By who has heard them: from where they came, and from elsewhere; while it lasts and after."""
    port = free_port(kind=socket.SOCK_DGRAM)
    shown = video(listen="0.0.0.0:0", udp=f"{elsewhere.HERE}:{port}")
    server = (elsewhere.HERE, port)
    url = f"http://{elsewhere.HERE}:{shown.port}"
    with (
        Relay(elsewhere.HERE, server) as relay,
        shown.mse() as other,
        whep.Viewer(url) as third,
        many(elsewhere.HERE, 100) as strangers,
    ):

        def repeat():
            for _ in range(5):
                relay.again(packets)
                other.fragment()
            for stranger in strangers:
                for packet in packets:
                    stranger.sendto(packet, server)
            other.fragment()

        with RelayedViewer(url, relay.port) as viewer:
            viewer.wait_frames(10)
            before = usage(shown.pid)
            # Those of the beginning, checks and handshake, and some of what came later.
            wait_for(
                lambda: {packet[0] for packet in relay.heard} >= {0, 22, 129},
                "checks, a handshake and reports",
            )
            packets = relay.heard[:100] + relay.heard[100:][-50:]
            repeat()
            seen = viewer.frames, third.frames
            viewer.wait_frames(seen[0] + 15)
            third.wait_frames(seen[1] + 15)
            assert len(shown.status()["sessions"]) == 3
            assert shown.ask(viewer.resource, "DELETE").status in (200, 204)
        wait_for(lambda: len(shown.status()["sessions"]) == 2, "its end")
        repeat()
        seen = third.frames
        third.wait_frames(seen + 15)
        assert len(shown.status()["sessions"]) == 2
        heard = select.select(strangers, [], [], 0)[0]
        assert not heard, "who repeats what others have said is not answered"
        assert usage(shown.pid).anonymous_kib - before.anonymous_kib < 10 * 1024


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
