"""The soak's clients: each looks for a while in its own way and goes.

Every frame that it sees is checked.
"""

import socket
import time

from harness.http import connect, get
from harness.stream import Stream

SLOW_BUFFER_BYTES = 4096  # as little as the kernel gives: much less than a frame


class Round:
    """What the clients of one round share: where to look, until when, and what they saw."""

    def __init__(self, camera, pictures, end):
        self.camera = camera
        self.pictures = pictures
        self.end = end
        self.frames = 0
        self.cards = 0
        self.failures = []

    def goes_on(self):
        """Says whether to look on."""
        return time.monotonic() < self.end

    def saw(self, jpeg):
        """Checks and counts a frame."""
        self.pictures.check(jpeg)
        self.frames += 1

    def run(self, client):
        """Runs one client and keeps what went wrong with it."""
        try:
            client(self)
        except Exception as error:
            self.failures.append(f"{client.__name__}: {error!r}")


def watch(looking):
    """A browser: takes every frame at once."""
    with Stream(looking.camera.url) as stream:
        _read(looking, stream, pause=0.0)


def watch_slowly(looking):
    """A client that thinks about each frame, behind a small socket buffer."""
    with Stream(looking.camera.url, receive_buffer_bytes=SLOW_BUFFER_BYTES) as stream:
        _read(looking, stream, pause=0.4)


def watch_few(looking):
    """A client that wants two frames a second."""
    with Stream(looking.camera.url, "/stream?fps=2") as stream:
        _read(looking, stream, pause=0.0)


def _read(looking, stream, pause):
    assert stream.status == 200
    live = 0
    while looking.goes_on() or not live:
        part = stream.part()
        if part.live():
            looking.saw(part.jpeg)
            live += 1
        else:
            looking.cards += 1
        time.sleep(pause)


def reopen(looking):
    """A page that opens its stream again and again."""
    while True:
        with Stream(looking.camera.url) as stream:
            looking.saw(stream.part_where(lambda part: part.live(), "a live frame").jpeg)
        if not looking.goes_on():
            break
        time.sleep(0.1)


def poll_snapshots(looking):
    """A time-lapse: a new connection for each picture."""
    while True:
        answer = get(looking.camera.url, "/snapshot")
        assert answer.status == 200, f"snapshot: {answer.status} {answer.body!r}"
        looking.saw(answer.body)
        if not looking.goes_on():
            break
        time.sleep(0.1)


def poll_status(looking):
    """A monitor: wakes nobody."""
    while True:
        for path in ("/status", "/metrics", "/"):
            assert get(looking.camera.url, path).status == 200, path
        if not looking.goes_on():
            break
        time.sleep(0.2)


def poll_slot(looking):
    """A program that reads the slot, without the server."""
    last = looking.camera.slot.mtime()
    frames = 0
    while True:
        seen = looking.camera.slot.look()
        if seen and seen[0] != last:
            last = seen[0]
            looking.saw(seen[1])
            frames += 1
        if not looking.goes_on() and frames:
            break
        time.sleep(0.05)


def take_nothing(looking):
    """Asks for a stream, takes nothing of it and hangs up."""
    connection = connect(looking.camera.url)
    with connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while looking.goes_on():
            time.sleep(0.1)


def hang_up(looking):
    """Hangs up in the middle of everything, by a reset."""
    while True:
        connection = connect(looking.camera.url)
        with connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if not looking.goes_on():
            break
        time.sleep(0.1)


# Some are met more often than others.
ALL = [
    watch,
    watch,
    watch,
    watch_slowly,
    watch_few,
    reopen,
    poll_snapshots,
    poll_status,
    poll_slot,
    take_nothing,
    hang_up,
]
