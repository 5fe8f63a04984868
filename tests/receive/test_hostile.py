"""Cameras that mean harm. Another, and who looks at it, must not notice."""

import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest
from pictures import bomb, claims, picture
from receiver import configuration, head, serve, shown
from steady import Steady
from wire import BINARY, CONTINUATION, PING, TEXT, frame

from harness.crowd import Crowd
from harness.http import connect
from harness.processes import usage
from harness.waiting import wait_for

MEGABYTE = 1 << 20
WAITING = 512  # connections without a request (crates/libraries/http/src/admission.rs)
OTHERS = 80  # descriptors of the receiver, besides
MAX_CAMERAS = 4


@pytest.fixture
def receiver(receive):
    """A receiver of two cameras: one is left alone, the other is not."""
    names = configuration(("default", {}), ("door", {"linger": "1s"}), max_cameras=MAX_CAMERAS)
    return receive(names)


@pytest.fixture
def steady(start, receiver):
    """The camera that is left alone."""
    with Steady(receiver, serve(start, receiver)) as steady:
        yield steady


@contextmanager
def bounded(receiver, bytes_):
    """Fails if the receiver ever has more memory of its own than before and this."""
    before, most, stop = receiver.own_bytes(), [0], threading.Event()

    def look():
        while not stop.wait(0.02):
            most[0] = max(most[0], receiver.own_bytes())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    grown = max(most[0], receiver.own_bytes()) - before
    print(f"grown by {grown / MEGABYTE:.1f} MiB")
    assert grown < bytes_, f"grown by {grown / MEGABYTE:.1f} MiB"


def still_well(receiver, number=9):
    """The camera that was attacked is one again."""
    with receiver.camera() as camera:
        camera.send_jpeg(jpeg := picture(number))
        shown(receiver.slot(), jpeg)


def until_refused(link, pieces):
    """Writes pieces until the other side has had enough; gives how many bytes it took."""
    sent = 0
    with suppress(OSError):
        for piece in pieces:
            link.socket.sendall(piece)
            sent += len(piece)
    return sent


def test_ten_thousand_connections(receiver, steady):
    with bounded(receiver, 24 * MEGABYTE), Crowd(receiver.port).come(10_000) as crowd:
        steady.thrive(40)
        assert crowd.opened == 10_000
        assert usage(receiver.pid).descriptors < WAITING + OTHERS
        still_well(receiver)


def test_slow_handshakes(receiver, steady):
    opening = b"GET /door HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nX-Slow: " + b"x" * 15_000
    crowd = Crowd(receiver.port)
    with bounded(receiver, 40 * MEGABYTE), crowd:
        crowd.come(2 * WAITING, opening)
        crowd.stay(WAITING)
        still_well(receiver)

        def trickle():
            crowd.say(b"x")
            steady.thrive(5)
            return len(crowd) == 0

        wait_for(trickle, lambda: f"the end of {len(crowd)} slow requests")


def test_websockets_that_say_nothing(receiver, steady):
    """Each takes the camera from the one before: there is one at a time."""
    with bounded(receiver, 16 * MEGABYTE), ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(receiver.camera())
        wait_for(
            lambda: usage(receiver.pid).descriptors < OTHERS,
            lambda: f"{usage(receiver.pid).descriptors} descriptors",
        )
        steady.thrive(20)
        still_well(receiver)


def test_bodies_that_stop_before_their_end(receiver, steady):
    """Each holds what has come of a picture of 1 MiB: there is a bound to how many may."""
    length = MEGABYTE - 1
    begun = head("POST", "/door", f"Content-Length: {length}") + picture(1, length)[:-1]
    statuses = []
    with bounded(receiver, (4 * MAX_CAMERAS + 16) * MEGABYTE), ExitStack() as stack:
        links = []
        for _ in range(100):
            links.append(stack.enter_context(connect(receiver.url)))
            with suppress(OSError):
                links[-1].sendall(begun)
        steady.thrive(40)
        for link in links:
            with suppress(ConnectionError):
                statuses.append(link.recv(12))
    assert set(statuses) <= {b"HTTP/1.1 503", b"HTTP/1.1 408", b"HTTP/1.1 429", b""}, set(statuses)
    assert b"HTTP/1.1 503" in statuses and b"HTTP/1.1 408" in statuses, set(statuses)
    still_well(receiver)


def test_frames_that_are_huge_or_have_no_end(receiver, steady):
    with bounded(receiver, 16 * MEGABYTE):
        for _ in range(20):
            with receiver.camera() as link:
                link.send(frame(BINARY, b"", length=1 << 40))
                assert link.close_code(5) == 1009
            with receiver.camera() as link:
                more = frame(CONTINUATION, bytes(60_000), False)
                until_refused(link, [frame(BINARY, b"\xff\xd8", False), *[more] * 1000])
                with suppress(ConnectionError, TimeoutError):
                    assert link.close_code(5) in (1009, None)
        # Fragments of nothing: no byte more, and no end.
        with receiver.camera() as link:
            nothing = frame(CONTINUATION, b"", False) * 10_000
            link.send(frame(BINARY, b"\xff\xd8", False))
            until_refused(link, [nothing] * 20)
        steady.thrive(20)
    still_well(receiver)


ENDLESS = {
    "a body": (b"", bytes(60_000)),
    "a part's header": (b"--b\r\nX: ", b"x" * 60_000),
    "a part": (b"--b\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8", bytes(60_000)),
    "a part that says its length": (b"--b\r\nContent-Length: 99999999\r\n\r\n", bytes(60_000)),
    "parts of nothing": (b"", b"--b\r\n\r\n\r\n" * 6_000),
    "boundaries that are none": (b"--b\r\n\r\n\xff\xd8", b"\r\n--\r\n--a" * 6_000),
}


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data", "multipart/x-mixed-replace"])
def test_bodies_without_end(receiver, steady, kind):
    kind_ = kind + ("; boundary=b" if "multipart" in kind else "")
    opening = head("POST", "/door", f"Content-Type: {kind_}", "Transfer-Encoding: chunked")
    with bounded(receiver, 12 * MEGABYTE):
        for name, (begin, more) in ENDLESS.items():
            chunk = b"%x\r\n%s\r\n" % (len(more), more)
            with connect(receiver.url) as connection:
                connection.sendall(opening + b"%x\r\n%s\r\n" % (len(begin), begin) * bool(begin))
                with suppress(OSError):
                    for _ in range(200):
                        connection.sendall(chunk)
                with suppress(ConnectionError):
                    status = connection.recv(12)
                    assert status in (b"HTTP/1.1 413", b"HTTP/1.1 422", b""), (name, status)
        steady.thrive(20)
    still_well(receiver)


BOMBS = {
    "65535 x 65535 in the header": lambda: claims(65535, 65535),
    "8000 x 8000, turned": bomb,
    "8000 x 8000, grey and turned": lambda: bomb("L"),
    "8000 x 8000, CMYK": lambda: bomb("CMYK", turned=False),
    "8000 x 8000": lambda: bomb(turned=False),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs(receiver, steady, kind):
    jpeg = BOMBS[kind]()
    assert len(jpeg) < MEGABYTE
    with bounded(receiver, 24 * MEGABYTE), receiver.camera() as camera:
        for _ in range(5):
            receiver.slot().look()
            camera.send_jpeg(jpeg)
            answer = receiver.post(jpeg)
            # What need not be decoded may be as large as it likes.
            assert answer.status == (200 if kind == "8000 x 8000" else 422), answer
            steady.thrive(5)
    still_well(receiver)


FLOODS = {
    "texts": frame(TEXT, b'{"t":1}') * 1000,
    "long texts": frame(TEXT, b"x" * 60_000),
    "texts in fragments": (frame(TEXT, b"x", False) + frame(CONTINUATION, b"x")) * 1000,
    "empty texts": frame(TEXT, b"") * 1000,
    "pings": frame(PING, b"x" * 125) * 500,
    "pongs": frame(10, b"x" * 125) * 500,
    "empty pictures": frame(BINARY, b"") * 9 + frame(BINARY, picture(1)),
    "tiny pictures": frame(BINARY, claims(1, 1)) * 10,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_of_who_never_reads(receiver, steady, flood):
    piece = FLOODS[flood]
    with bounded(receiver, 8 * MEGABYTE), receiver.camera() as camera:
        camera.socket.settimeout(1)  # it may be held up, once its pongs fill its own buffers
        end = time.monotonic() + 3
        with suppress(OSError):
            while time.monotonic() < end:
                camera.socket.sendall(piece)
        steady.thrive(10)
    still_well(receiver)


def test_requests_of_who_never_reads(receiver, steady):
    # Sixteen links ask for real work as fast as it is done, and each gets its share.
    steady.least_shown = 0.5
    jpeg = picture(1)
    push = head("POST", "/door", f"Content-Length: {len(jpeg)}") + jpeg
    status = head("GET", "/status")
    with bounded(receiver, 8 * MEGABYTE), ExitStack() as stack:
        for request in [push, status] * 8:
            link = stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port)))
            link.settimeout(0.3)
            with suppress(OSError):
                for _ in range(200):
                    link.sendall(request * 10)
        steady.thrive(20)
        still_well(receiver)


def test_rubbish(receiver, steady):
    """What is no HTTP, and what is none any more."""
    with bounded(receiver, 8 * MEGABYTE):
        tls = b"\x16\x03\x01\x02\x00\x01"
        for opening in b"\xff\xd8\xff\xe0", tls, b"GET\r\n\r\n", b"\r\n" * 9000:
            with connect(receiver.url) as link:
                link.sendall(opening)
                link.shutdown(socket.SHUT_WR)
                assert link.recv(100)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b"")
        with receiver.camera() as camera:
            camera.send(bytes(range(256)) * 100)
            assert camera.close_code(5) in (1002, 1003, 1009)
        steady.thrive(10)
    still_well(receiver)
