"""Media Source Extensions: a WebSocket with fragments of MP4."""

import itertools
import re
import time
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import pytest
from video import play
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness import elsewhere
from harness.http import connect
from harness.processes import usage
from harness.waiting import DEADLINE, wait_for


def closed_with(viewer):
    """Gives the code with which the server closes."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            viewer.socket.recv(timeout=DEADLINE)
    return closed.value.rcvd.code


def test_what_comes_is_a_file_that_ffmpeg_plays(shown, door):
    with shown.mse() as viewer:
        fragments = [viewer.fragment() for _ in range(45)]
    frames, size = play(viewer.whole)
    assert (len(frames), size) == (45, (640, 480))
    (init,) = viewer.inits
    assert re.fullmatch(r'video/mp4; codecs="avc1\.42[0-9a-f]{4}"', init["mime"])
    assert (init["width"], init["height"]) == size
    assert fragments[0].is_key and fragments[0].start_s == 0
    door.wait_state("asleep")


def test_times_are_contiguous_and_say_when_a_picture_was_captured(shown):
    with shown.mse() as viewer:
        fragments = [viewer.fragment() for _ in range(45)]
    for before, after in itertools.pairwise(fragments):
        assert after.start_s == pytest.approx(before.start_s + before.duration_s, abs=1e-4)
        assert after.captured_s > before.captured_s
    ages = sorted(fragment.age_s for fragment in fragments)
    assert 0 <= ages[len(ages) // 2] < 2, ages


def test_times_are_contiguous_when_the_camera_fails_and_comes_back(video, camera, start):
    door = camera()
    shown = video()
    with shown.mse() as viewer:
        for _ in range(10):
            viewer.fragment()
        door.program.process.kill()
        door.program.wait()
        wait_for(lambda: is_told(viewer), "why there is no picture")
        before = len(viewer.fragments)
        program = ["--source", "test", "--size", "640x480", "--fps", "15", "--linger", "1s"]
        start("eyelid-capture", "--slot", door.path, *program)
        for _ in range(10):
            viewer.fragment()
        gap = viewer.fragments[before].captured_s - viewer.fragments[before - 1].captured_s
        assert gap > 1, "there was one"
        for earlier, later in itertools.pairwise(viewer.fragments):
            assert later.start_s == pytest.approx(earlier.start_s + earlier.duration_s, abs=1e-4)
    frames, size = play(viewer.whole)
    assert (len(frames), size) == (len(viewer.fragments), (640, 480))


def is_told(viewer):
    """Reads on, and says whether the viewer was told why there is no picture."""
    viewer.read_some()
    return viewer.obstacles


def test_a_new_size_is_a_new_beginning_of_the_same_stream(video, camera, start):
    door = camera()
    shown = video()
    with shown.mse() as viewer:
        before = [viewer.fragment() for _ in range(5)][-1]
        door.program.stop()
        program = ["--source", "test", "--size", "320x240", "--fps", "15", "--linger", "1s"]
        start("eyelid-capture", "--slot", door.path, *program)
        while len(viewer.inits) < 2:
            after = viewer.fragment()
        assert (viewer.inits[1]["width"], viewer.inits[1]["height"]) == (320, 240)
        assert after.is_key and after.start_s > before.start_s


def test_a_late_viewer_begins_at_once_and_disturbs_nobody(shown):
    with shown.mse() as first:
        for _ in range(10):
            first.fragment()
        began = time.monotonic()
        with shown.mse() as late:
            fragment = late.fragment()
            assert fragment.is_key and fragment.start_s == 0
            assert time.monotonic() - began < 5
            for _ in range(10):
                first.fragment()
                late.fragment()


def test_a_keyframe_may_be_asked_for(shown):
    with shown.mse() as viewer:
        assert viewer.fragment().is_key
        for _ in range(5):
            assert not viewer.fragment().is_key
        viewer.socket.send("k")
        wait_for(lambda: viewer.fragment().is_key, "a keyframe")


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda socket: [socket.send("?") for _ in range(40)], 1008),
        (lambda socket: [socket.ping() for _ in range(40)], 1008),
        (lambda socket: socket.send(b"binary"), 1003),
        (lambda socket: socket.send("x" * 2000), 1009),
    ],
)
def test_who_floods_is_sent_away_and_others_see_nothing_of_it(shown, send, code):
    with shown.mse() as other, shown.mse() as bad:
        other.fragment()
        send(bad.socket)
        assert closed_with(bad) == code
        for _ in range(10):
            other.fragment()


def test_slow_viewers_are_bounded_and_delay_nobody(shown):
    """They open their WebSocket and read nothing, or a byte now and then."""
    request = (
        "GET /door/mse HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with shown.mse() as viewer:
        viewer.fragment()
        before = usage(shown.pid)
        slow = [connect(shown.url, receive_buffer_bytes=4096) for _ in range(30)]
        try:
            for each in slow:
                each.sendall(request.encode())
                assert each.recv(12) == b"HTTP/1.1 101"
            fragments = []
            for _ in range(60):
                fragments.append(viewer.fragment())
                slow[0].recv(100)
            gaps = [
                after.captured_s - before.captured_s
                for before, after in itertools.pairwise(fragments)
            ]
            assert sorted(gaps)[len(gaps) // 2] < 0.3, "every picture, or nearly"
            grown = usage(shown.pid).anonymous_kib - before.anonymous_kib
            assert grown < 30 * 1024, f"{grown} KiB"
        finally:
            for each in slow:
                each.close()


def test_one_far_slower_than_the_others_gets_half_the_size_and_no_holes(video, door):
    shown = video(listen="0.0.0.0:0")
    with ExitStack() as stack:
        fast = stack.enter_context(shown.mse())
        stack.enter_context(reading(fast))
        with elsewhere.inside():
            slow = stack.enter_context(shown.mse(host=elsewhere.HERE))
        stack.enter_context(elsewhere.reached_by("60kbit"))
        wait_for(lambda: slow.fragment() and slow.inits[-1]["width"] == 320, "half the size")
        began = len(slow.fragments)
        while slow.fragments[-1].captured_s < slow.fragments[began - 1].captured_s + 5:
            slow.fragment()
        since = slow.fragments[began - 1 :]
        for earlier, later in itertools.pairwise(slow.fragments):
            assert later.start_s == pytest.approx(earlier.start_s + earlier.duration_s, abs=1e-4)
        gaps = sorted(
            later.captured_s - earlier.captured_s for earlier, later in itertools.pairwise(since)
        )
        assert gaps[len(gaps) // 2] < 0.3, "every picture, or nearly"
        assert not any(each.is_key for each in since[1:]), "and none is lost"
        assert [init["width"] for init in fast.inits] == [640]
    frames, size = play(fast.whole)
    assert (len(frames), size) == (len(fast.fragments), (640, 480))


@contextmanager
def reading(viewer):
    """Has a thread read what comes for a viewer."""
    done = Event()

    def read():
        while not done.is_set():
            viewer.read_some()

    thread = Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_browser_that_is_killed_lets_the_camera_sleep(shown, door):
    viewer = shown.mse()
    viewer.fragment()
    door.wait_state("awake")
    viewer.socket.socket.close()  # without a word of WebSocket's
    door.wait_state("asleep")


def test_a_computer_that_vanishes_lets_the_camera_sleep(video, door):
    shown = video(listen=f"{elsewhere.HERE}:0")
    with elsewhere.inside():
        viewer = shown.mse(host=elsewhere.HERE)
    viewer.fragment()
    with elsewhere.vanished():
        door.wait_state("asleep")


def test_no_camera_and_no_handshake(shown, door):
    with pytest.raises(InvalidStatus) as refused:
        shown.mse("window")
    assert refused.value.response.status_code == 404
    answer = shown.ask("/door/mse", "GET")
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
    with pytest.raises(InvalidStatus) as refused:
        shown.mse(origin="http://evil.example")
    assert refused.value.response.status_code == 403
    assert door.state()["state"] == "asleep"
