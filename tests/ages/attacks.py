"""What strangers do to a server, and how old the frames of healthy clients are meanwhile.

Strangers have computers of their own. So the server has a core for itself here, where there are
two; on the others the camera and the healthy clients run whenever they want to, the attackers when
nobody else does.
"""

import os
import time
from contextlib import ExitStack, contextmanager

from priority import first

from harness.cameras import start_camera
from harness.crowd import Crowd
from harness.healthy import Healthy
from harness.http import get
from harness.servers import Server

ASK = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


def floods(server, until):
    """Connections without a request, as many as come."""
    while time.monotonic() < until:
        with Crowd(server.port) as crowd:
            crowd.come(10_000)


def idle(server, until):
    """10,000 connections without a request at once."""
    with Crowd(server.port) as crowd:
        crowd.come(10_000)
        while time.monotonic() < until:
            crowd.come(min(500, 10_000 - len(crowd)))
            time.sleep(0.5)


def slow_headers(server, until):
    """500 requests that add a byte each second."""
    with Crowd(server.port) as crowd:
        while time.monotonic() < until:
            crowd.come(500 - len(crowd), b"GET / HTTP/1.1\r\nX: ")
            crowd.say(b"x")
            time.sleep(1)


def slow_readers(server, until):
    """300 streams that take nothing."""
    with Crowd(server.port, receive_buffer=2048) as crowd:
        crowd.come(300, ASK % b"stream")
        time.sleep(until - time.monotonic())


def streams(server, until):
    """900 streams that take nothing, of the 1,000 that there may be."""
    with Crowd(server.port, receive_buffer=2048) as crowd:
        crowd.come(900, ASK % b"stream")
        time.sleep(until - time.monotonic())


def nonsense(server, until):
    """What is no HTTP, as fast as it goes."""
    while time.monotonic() < until:
        with Crowd(server.port) as crowd:
            crowd.come(1_000, b"\x16\x03\x01 nonsense\r\n\r\n")


ATTACKS = {
    "10,000 connections without a request": idle,
    "the same, again and again": floods,
    "500 slow headers": slow_headers,
    "300 streams that take nothing": slow_readers,
    "900 streams that take nothing": streams,
    "nonsense, again and again": nonsense,
}


def start_server(start, slots):
    """Starts a camera and a server of it, each with a core of its own where there are two."""
    core, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or [core])
    with first():
        slot = start_camera(start, slots)
        slot.frame()
        server = Server(start("eyelid-server", "--slots", slots, "--listen", "0.0.0.0:0"), slot)
    os.sched_setaffinity(server.program.pid, [core])
    get(server.url, "/snapshot")
    return server


@contextmanager
def healthy_clients(server):
    """Healthy clients of it, who run before all else; what they saw is told when they are left."""
    with ExitStack() as stack:
        with first():
            healthy = stack.enter_context(Healthy(server.url))
        yield healthy


class Windows:
    """When who attacked, and so how old the frames were that came meanwhile."""

    def __init__(self):
        self._windows = []  # who, from, to
        self._seen = []

    @contextmanager
    def of(self, who):
        """What comes until this is left is seen under an attack of this name."""
        began = time.time()
        yield
        self._windows.append((who, began, time.time()))

    def take(self, healthy):
        """Keeps what healthy clients have seen, who are gone."""
        self._seen += healthy.seen

    def ages(self, who):
        """Gives the ages in seconds of the frames that came then."""
        windows = [(begin, end) for name, begin, end in self._windows if name == who]
        return [
            age for came, age in self._seen if any(begin <= came <= end for begin, end in windows)
        ]
