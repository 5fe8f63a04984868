"""Crowds: connections that ask for nothing, ask slowly, or take nothing.

Healthy clients notice none of it.
"""

import json
import resource
import select
import socket
import time
from contextlib import ExitStack

import pytest

from harness import elsewhere
from harness.crowd import Crowd
from harness.healthy import Healthy
from harness.http import get
from harness.stream import Stream
from harness.waiting import wait_for

WAITING = 512  # connections without a request (crates/libraries/http/src/admission.rs)
HEADER = 16 << 10  # bytes of one (docs/http.md)
OTHERS = 50  # descriptors of the server, besides
ASK = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"

MEGABYTE = 1 << 20


def counter(server, name):
    """Gives a number of `/metrics`."""
    lines = get(server.url, "/metrics").body.decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"eyelid_{name}_total "))


def clients(server):
    """Gives how many clients stream."""
    return len(json.loads(get(server.url, "/status").body)["clients"])


def test_ten_thousand_connections_at_once(server, healthy):
    before = server.most_memory()
    with Crowd(server.port).come(10_000) as crowd:
        healthy.thrive(5)
        assert crowd.opened == 10_000
        assert counter(server, "connections_dismissed") > WAITING
        assert server.descriptors() < WAITING + OTHERS
        assert set(crowd.answers) == {b""}, "those that go for others hear nothing"
        # Who asks is served, though it waited among the others.
        stranger = socket.create_connection(("127.0.0.1", server.port), timeout=40)
        crowd.come(WAITING // 2)
        stranger.sendall(ASK % b"status")
        assert stranger.recv(12) == b"HTTP/1.1 200"
        stranger.close()
    assert server.most_memory() - before < 16 * MEGABYTE


def test_slow_headers(server, healthy):
    before = server.most_memory()
    opening = b"GET /stream HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * (HEADER - 1000)
    with Crowd(server.port).come(2 * WAITING, opening) as crowd:
        crowd.stay(WAITING)

        # However often they add a byte, their time is up some day.
        def trickle():
            crowd.say(b"x")
            healthy.thrive(1)
            return len(crowd) == 0

        wait_for(trickle, lambda: f"the end of {len(crowd)} slow requests")
        assert {answer[:12] for answer in crowd.answers} == {b""}
    assert server.most_memory() - before < 2 * WAITING * HEADER + 16 * MEGABYTE


def test_connections_that_have_had_their_answer(server, healthy):
    # Not all at once: who has not asked yet must not be among those that have waited longest.
    with Crowd(server.port).come(2 * WAITING, ASK % b"nowhere", at_once=100) as crowd:
        crowd.stay(WAITING)
        healthy.thrive(3)
        assert server.descriptors() < WAITING + OTHERS
        assert {answer[:12] for answer in crowd.answers} == {b"HTTP/1.1 404"}, (
            "each had its answer first"
        )


def hung_up(connection):
    """Says whether a Unix socket's other end is closed, though not all it sent is read."""
    poll = select.poll()
    poll.register(connection, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def test_clients_that_take_nothing_and_clients_that_vanish(serve, directory):
    path = directory / "socket"
    server = serve("--listen", f"unix:{path}")
    before = server.most_memory()
    with Healthy(server.url) as healthy, ExitStack() as stack:

        def crowd(number, text, **options):
            return stack.enter_context(Crowd(server.port, **options)).come(number, text)

        slow = crowd(300, ASK % b"stream", receive_buffer=2048)
        # A snapshot fits the kernel's buffers, so more than one is asked for.
        crowd(20, (ASK % b"snapshot") * 100, receive_buffer=2048)
        with elsewhere.inside():
            crowd(50, ASK % b"stream", host=elsewhere.HERE)
            crowd(50, b"GET", host=elsewhere.HERE)
        proxy = stack.enter_context(socket.socket(socket.AF_UNIX))
        proxy.connect(str(path))
        proxy.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                proxy.sendall((ASK % b"viewer.js") * 20)
        wait_for(lambda: clients(server) > len(slow) + 50, "all are clients")
        with elsewhere.vanished():
            healthy.thrive(20)
            wait_for(lambda: hung_up(proxy), "the server to give the proxy up", 90)
            wait_for(lambda: clients(server) <= 2, lambda: f"{clients(server)} clients left", 90)
            wait_for(
                lambda: server.descriptors() < OTHERS,
                lambda: f"{server.descriptors()} descriptors left",
                90,
            )
            healthy.thrive(3)
    assert server.most_memory() - before < 48 * MEGABYTE


def test_as_many_clients_as_there_may_be(serve):
    server = serve("--max-clients", "50")
    with ExitStack() as stack:
        streams = [stack.enter_context(Stream(server.url)) for _ in range(50)]
        # Neither do those beyond the limit keep anybody out, nor those that ask for nothing.
        with Crowd(server.port).come(2 * WAITING, ASK % b"stream") as crowd:
            crowd.stay(0)
            heads = {answer[:12] for answer in crowd.answers}
            assert heads <= {b"HTTP/1.1 503", b""} and b"HTTP/1.1 503" in heads
            refused = get(server.url, "/snapshot")
            assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        for stream in streams:
            assert stream.part().live()
        assert server.descriptors() < 50 + WAITING + OTHERS
    with Crowd(server.port).come(2 * WAITING):
        wait_for(lambda: get(server.url, "/snapshot").status == 200, "room again")
        with Stream(server.url) as stream:
            assert stream.part().live()


def test_without_descriptors_to_spare(serve):
    server = serve(preexec_fn=lambda: limit_descriptors(256))
    streams = [Stream(server.url) for _ in range(20)]
    with Crowd(server.port).come(5_000) as crowd:
        for stream in streams * 3:
            assert stream.part().live()
        for _ in range(10):
            assert get(server.url, "/snapshot").status == 200
        with Crowd(server.port).come(500, ASK % b"stream"):
            for stream in streams * 3:
                assert stream.part().live(), "frames need descriptors, too"
        assert crowd.opened == 5_000
    for stream in streams:
        stream.close()
    assert "cannot accept" not in server.program.log()


def limit_descriptors(number):
    """For a program that is to have few."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


def test_when_accepting_fails(serve):
    server = serve()
    stream = Stream(server.url)
    open_now = server.descriptors()
    # Taken away from a running server, as a machine that has no more would.
    resource.prlimit(server.program.pid, resource.RLIMIT_NOFILE, (open_now + 8, open_now + 8))
    with Crowd(server.port).come(100):
        wait_for(lambda: "cannot accept a connection" in server.program.log(), "a word about it")
        used = server.processor_time()
        for _ in range(15):
            assert stream.part().live()
        assert server.processor_time() - used < 0.5, "it spins"
        # The oldest of those that ask for nothing go, so that somebody is served even now.
        wait_for(lambda: get(server.url, "/status").status == 200, "an answer")
        assert counter(server, "connections_dismissed") > 0
    assert server.program.log().count("cannot accept") <= 3
    stream.close()


def test_when_accepting_fails_and_nobody_can_go(serve):
    server = serve()
    with Stream(server.url) as stream:
        assert stream.part().live()
        open_now = server.descriptors()
        before = resource.prlimit(server.program.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.program.pid, resource.RLIMIT_NOFILE, (open_now, before[1]))
        with Crowd(server.port).come(20):
            wait_for(
                lambda: "cannot accept a connection" in server.program.log(), "a word about it"
            )
            used = server.processor_time()
            time.sleep(1)  # the time over which it must not spin
            assert server.processor_time() - used < 0.5, "it spins"
            resource.prlimit(server.program.pid, resource.RLIMIT_NOFILE, before)
            assert get(server.url, "/status").status == 200
        wait_for(lambda: stream.part().live(), "frames need descriptors, too")


MODES = {
    "headers": ["-H"],
    "body": ["-B", "-s", "100000"],
    "ranges": ["-R"],
    "read": ["-X", "-w", "1", "-y", "10", "-z", "1", "-k", "5"],
}


def test_slowhttptest(server, healthy, start):
    paths = {"headers": "/", "body": "/", "ranges": "/snapshot", "read": "/stream"}
    rate = ["-c", "500", "-r", "250", "-i", "1", "-l", "8", "-p", "5", "-x", "10"]
    tests = [
        start("slowhttptest", *options, *rate, "-u", f"{server.url}{paths[mode]}")
        for mode, options in MODES.items()
    ]
    for test in tests:
        test.wait(90)
        healthy.thrive(1)
        said = test.out() + test.log()
        assert "service available:" in said and "YES" in said, said
        assert "NO" not in said.replace("NORMAL", ""), said
