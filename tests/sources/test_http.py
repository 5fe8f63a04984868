"""`http`: another Eyelid, another program's server, and strangers that do everything wrong."""

import json
import os
import signal
import ssl
import time

import pytest
import stranger
from stranger import Stranger

from harness import certificates
from harness.frames import check_frame
from harness.http import free_port, get, wait_listening
from harness.processes import peak_kib
from harness.slot import Slot
from harness.stream import Stream
from harness.waiting import wait_for

MEGABYTE_KB = 1024


@pytest.fixture
def server(china):
    """A stranger, its pictures in the clear."""
    server = Stranger(china.jpeg)
    yield server
    server.close()


@pytest.fixture
def far(start, directory):
    """Another Eyelid: starts one with a camera; gives its program, `url` and `slot`."""

    def far(*arguments):
        slots = directory / "far"
        program = start("eyelid", "--listen", "127.0.0.1:0", "--slots", slots, *arguments)
        program.url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        program.slot = Slot(slots, program)
        return program

    return far


@pytest.mark.parametrize("path", ["/stream", "/", "/snapshot"])
def test_another_eyelid(far, capture, start, directory, path):
    """Its stream, its page and its snapshots are shown, and are as old as they are there."""
    other = far("--source", "test", "--linger", "1s")
    program = capture(other.url + path, "--linger", "1s")
    address = f"unix:{directory}/socket"
    start("eyelid-server", "--slots", program.slot.path, "--listen", address)
    wait_listening(address)
    with Stream(address) as stream:
        part = stream.part_where(lambda part: part.live(), "a frame")
        check_frame(part.jpeg)
        mtime, _ = program.slot.look_after(0)
        assert mtime <= time.time_ns()
    assert program.slot.wait_state("asleep")["source"] == other.url


def test_both_cameras_sleep_when_nobody_looks_at_the_near_one(far, capture):
    """The far camera is awake for as long as somebody looks here, and no longer."""
    other = far("--source", "test", "--linger", "1s")
    program = capture(f"{other.url}/stream", "--linger", "1s")
    program.slot.frame()
    other.slot.wait_state("awake")
    program.slot.wait_state("asleep")
    other.slot.wait_state("asleep")
    first = program.slot.mtime()
    program.slot.look_after(first)
    other.slot.wait_state("awake")


def test_both_moments_of_capture_are_one(far, capture):
    """On one clock the near slot tells the moment that the far slot does."""
    other = far("--source", "test", "--fps", "2")
    program = capture(f"{other.url}/stream")
    program.slot.frame()

    def same():
        near, there = program.slot.look(), other.slot.mtime()
        return near and there and abs(near[0] - there) < 2_000  # X-Timestamp has microseconds

    wait_for(same, "one moment in both slots")


def test_a_far_camera_that_fails_is_told_of(far, capture):
    other = far("--source", "command:echo lens cap is on >&2; exit 3")
    program = capture(f"{other.url}/stream")

    def waits():
        program.slot.look()
        return (program.slot.state() or {}).get("waiting")

    told = wait_for(waits, lambda: f"a reason; state: {program.slot.state()}")
    wait_for(lambda: "has no picture of its camera" in waits(), lambda: f"the card; {told}")
    assert program.slot.mtime() is None


def test_a_far_host_that_comes_back_is_seen(far, capture, start, directory):
    port = free_port()
    program = capture(f"http://127.0.0.1:{port}/stream")
    program.slot.wait_state("failed")
    assert "cannot be reached" in program.slot.state()["error"]
    start("eyelid", "--listen", f"127.0.0.1:{port}", "--slots", directory / "far")
    program.slot.frame()


def test_ustreamer(capture, start, directory, china):
    """Another program's server, its page included. It has no camera, but a picture for that."""
    picture = directory / "blank.jpg"
    picture.write_bytes(china.jpeg)
    port = free_port()
    start("ustreamer", "--device", directory / "none", "--port", port, "--blank", picture)
    wait_listening(f"http://127.0.0.1:{port}")
    for path in ("/stream", "/snapshot", "/"):
        program = capture(f"http://127.0.0.1:{port}{path}")
        program.slot.frame_like(china.picture)
        program.stop()


def test_an_esp32(capture, server, china):
    """Its clock begins with the board; its pictures are as old as they are all the same."""
    before = time.time_ns()
    program = capture(f"{server.url}/board", "--linger", "1s")
    program.slot.frame_like(china.picture)
    mtime, _ = program.slot.look_after(0)
    assert before <= mtime <= time.time_ns()
    program.slot.look_after(mtime)
    program.slot.wait_state("asleep")
    wait_for(lambda: not server.open, "the connection to be closed")


def test_a_far_eyelid_is_asked_for_no_more_frames_than_are_published(far, capture):
    other = far("--source", "test", "--fps", "30")
    program = capture(f"{other.url}/stream", "--fps", "1")
    last = 0
    for _ in range(4):
        last, _ = program.slot.look_after(last)
    (client,) = json.loads(get(other.url, "/status").body)["clients"]
    assert client["frames_sent"] <= 6, "of some 100 that its camera has taken"


def test_who_takes_no_query_is_asked_without(capture, server, china):
    server.takes_queries = False
    program = capture(f"{server.url}/stream", "--fps", "10")
    program.slot.frame_like(china.picture)
    assert [path for path, _ in server.asked] == ["/stream?fps=10", "/stream"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("no-head", "no answer within 10 s"),
        ("large-head", "the connection ended before an answer had come"),
        ("text", "sent no complete picture for 10s: it sends text, not JPEGs"),
        ("loop", "redirects more than 5 times"),
        ("busy", '503 Service Unavailable: "too many clients"'),
    ],
)
def test_a_stranger_without_pictures_is_failed_in_little_memory(capture, server, path, error):
    program = capture(f"{server.url}/{path}")
    state = program.slot.wait_state("failed")
    assert error in state["error"]
    assert state["error"].startswith(f"{server.url}: ")
    assert peak_kib(program.pid) < 40 * MEGABYTE_KB


def test_a_part_that_never_ends_costs_no_more_than_a_frame_may(capture, server):
    program = capture(f"{server.url}/endless")
    program.wait_log("broken frames dropped")
    assert peak_kib(program.pid) < 200 * MEGABYTE_KB
    assert program.slot.mtime() is None


def test_frames_that_are_whole_are_shown_of_one_that_breaks_off(capture, server, china):
    program = capture(f"{server.url}/breaks-off")
    program.slot.frame_like(china.picture)
    assert "ended" in program.slot.wait_state("failed")["error"]


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_clock_that_is_an_hour_off_makes_no_frame_old(capture, server, ahead_s):
    server.ahead_s = ahead_s
    before = time.time_ns()
    program = capture(f"{server.url}/stream")
    mtime, _ = program.slot.look_after(0)
    assert before <= mtime <= time.time_ns()
    program.slot.look_after(mtime)


def test_a_pause_is_kept(capture, server):
    """While it lasts the camera is tried, and nobody asked."""
    program = capture(f"{server.url}/busy")
    first = program.slot.wait_state("failed")["retry"]

    def tried():
        program.slot.look()
        return program.slot.state()["retry"] != first

    wait_for(tried, "another try")
    assert len(server.asked) == 1


def test_digest_and_nonces_that_grow_old(capture, server, directory, china):
    login = directory / "login"
    login.write_text(":".join(stranger.LOGIN) + "\n")
    program = capture(f"{server.url}/digest?a=b", "--login-file", login)
    program.slot.frame_like(china.picture)
    server.nonce = stranger.NONCES[1]
    mtime = program.slot.mtime()
    asked = len(server.asked)
    program.slot.look_after(mtime)
    wait_for(lambda: len(server.asked) > asked + 4, "more requests")
    program.slot.wait_state("awake")
    assert "authorization" not in {name.lower() for name in server.asked[0][1]}
    login.write_text(f"{stranger.LOGIN[0]}:wrong")
    program.stop()
    refused = capture(f"{server.url}/digest", "--login-file", login)
    error = refused.slot.wait_state("failed")["error"]
    assert "refuses the user and password" in error
    assert "who is there?" in error
    assert "wrong" not in error + refused.log()


def test_a_camera_s_own_certificate(capture, directory, china):
    """Nobody vouches for it, and its name is another; in `ca-file` it is believed."""
    key, certificate = certificates.self_signed(directory)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = Stranger(china.jpeg, tls)
    try:
        program = capture(f"{server.url}/stream")
        assert "no trusted connection" in program.slot.wait_state("failed")["error"]
        program.stop()
        program = capture(f"{server.url}/stream", "--ca-file", certificate)
        program.slot.frame_like(china.picture)
    finally:
        server.close()


def test_who_is_held_up_goes_on_with_what_is_new(far, capture):
    """What came while the near host stood still is soon forgotten."""
    other = far("--source", "test")
    program = capture(f"{other.url}/stream", "--linger", "1h")
    mtime, _ = program.slot.look_after(0)
    program.slot.look_after(mtime)
    os.kill(program.pid, signal.SIGSTOP)
    # As long as it takes to fill what lies between two programs.
    time.sleep(1.5)
    resumed = time.time_ns()
    os.kill(program.pid, signal.SIGCONT)
    program.slot.look_after(resumed)
    program.slot.wait_state("awake")
