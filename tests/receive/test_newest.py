"""The newest picture wins: after a stall, in a socket, and by its moment of capture."""

import json
import os
import signal
import socket
import time
from contextlib import contextmanager

import pytest
from cameras import Pushing
from pictures import mark, picture
from receiver import EVERYWHERE, bearer, configuration, head, serve, shown, token_file
from viewing import Viewer
from wire import BINARY, CONTINUATION, TEXT, WebSocket, frame

from harness import elsewhere
from harness.http import connect
from harness.waiting import wait_for

STALL_S = 5
SEND_BUFFER = 2872  # the kernel doubles it to 5744 bytes, which a camera has (lwIP's TCP_SND_BUF)
YOUNG_MS = 100


@contextmanager
def stopped(receiver):
    """The receiver gets no time."""
    os.kill(receiver.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(receiver.pid, signal.SIGCONT)


@contextmanager
def link_down(_):
    """The camera's link carries nothing."""
    with elsewhere.vanished():
        yield


@pytest.fixture
def slow_link():
    """The camera's link carries 1 Mbit/s, and has no queue of its own."""
    with elsewhere.slow("1mbit"):
        yield


@pytest.fixture
def watched(start, receive, directory):
    """A receiver of a camera elsewhere; gives it, what connects the camera, and its server."""
    tokens = token_file(directory / "tokens", ("door", "secret"))
    receiver = receive(
        configuration(("door", {"linger": "1s"}), token_file=tokens), listen=EVERYWHERE
    )

    def connect(*headers):
        there = f"http://{elsewhere.HERE}:{receiver.port}"
        with elsewhere.inside():
            return WebSocket(there, "/door", bearer("secret"), *headers, send_buffer=SEND_BUFFER)

    return receiver, connect, serve(start, receiver)


@pytest.mark.parametrize("stall", [stopped, link_down])
def test_the_first_picture_after_a_stall_is_new(watched, stall):
    receiver, connect, server = watched
    with connect() as camera, Pushing(camera.send_jpeg) as pushing, Viewer(server) as viewer:
        viewer.wait(40)
        with stall(receiver):
            time.sleep(STALL_S)
            ended = time.time_ns()
        seen = viewer.wait(40, after_ns=ended)
    # While the receiver stands still its kernel may take all that comes.
    if stall is link_down:
        assert pushing.longest_send_s > 1, "the camera was not held up"
    ages = [round(each.age_ms) for each in seen]
    assert ages[0] < YOUNG_MS, f"{ages} ms"
    assert sorted(ages)[len(ages) // 2] < YOUNG_MS, f"{ages} ms"
    # It did not wait for long to be sure, either.
    assert (seen[0].came_ns - ended) / 1e9 < 2.5


@pytest.mark.parametrize("way", ["plain", "POST", "eyelid.v1"])
def test_where_the_link_is_the_bound_the_first_picture_after_a_stall_is_new(
    watched, slow_link, way
):
    """All pictures come alike there, those of before the stall too."""
    receiver, connect, server = watched
    with (
        sending(receiver, connect, way) as send,
        Pushing(send, length=30_000),
        Viewer(server) as viewer,
    ):
        usual = [each.age_ms for each in viewer.wait(12)[4:]]
        with link_down(receiver):
            time.sleep(STALL_S)
            ended = time.time_ns()
        seen = viewer.wait(6, after_ns=ended)
    ages = [round(each.age_ms) for each in seen]
    # So long a picture is in the camera's hand and on its way, give or take what TCP repeats.
    assert min(usual) > 300, f"{usual} ms"
    assert max(ages) < 1.5 * max(usual) < STALL_S * 500, f"{ages} ms; before: {usual} ms"
    assert (seen[0].came_ns - ended) / 1e9 < 4


@contextmanager
def sending(receiver, connect, way):
    """A camera that is connected; gives what sends a picture."""
    if way == "POST":
        with posting(receiver) as link:

            def send(jpeg):
                part = b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n"
                link.sendall(b"%x\r\n%s\r\n" % (len(part), part))

            yield send
    elif way == "eyelid.v1":
        with connect("Sec-WebSocket-Protocol: eyelid.v1") as camera:

            def send(jpeg):
                said = json.dumps({"t": mark(jpeg).captured_ns // 1_000_000 % 2**32}).encode()
                camera.send(frame(TEXT, said), frame(BINARY, jpeg))

            yield send
    else:
        with connect() as camera:
            yield camera.send_jpeg


@contextmanager
def posting(receiver):
    """A body without end, from elsewhere."""
    with elsewhere.inside():
        link = socket.create_connection((elsewhere.HERE, receiver.port))
    with link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        kind = "Content-Type: multipart/x-mixed-replace; boundary=b"
        link.sendall(head("POST", "/door", bearer("secret"), kind, "Transfer-Encoding: chunked"))
        yield link


def test_a_pause_that_was_asked_for_is_no_stall(watched):
    """A camera that was told to sleep has no old pictures: its first one is shown."""
    receiver, connect, _ = watched
    slot = receiver.slot()
    with connect("Sec-WebSocket-Protocol: eyelid.v1") as camera:
        assert json.loads(camera.text()) == {"eyelid": "wake"}
        for number in range(20):
            camera.send_jpeg(jpeg := picture(number))
            shown(slot, jpeg)
            time.sleep(0.05)
        camera.send_jpeg(picture(20))  # for the last look
        assert json.loads(camera.text()) == {"eyelid": "sleep"}
        slot.look()
        assert json.loads(camera.text()) == {"eyelid": "wake"}
        camera.send_jpeg(jpeg := picture(100))
        shown(slot, jpeg, deadline=1)


def test_a_slow_camera_is_no_stall(receiver):
    """One picture each 1.5 s is this camera's way: each is shown."""
    with receiver.camera() as camera:
        for number in range(5):
            camera.send_jpeg(jpeg := picture(number))
            shown(receiver.slot(), jpeg, deadline=1)
            time.sleep(1.5)


def test_a_newer_whole_frame_in_the_socket_wins(receiver):
    slot = receiver.slot()
    with receiver.camera() as camera:
        camera.send_jpeg(jpeg := picture(0))
        shown(slot, jpeg)
        for number in range(1, 40, 4):
            before = slot.mtime()
            several = [picture(number + more) for more in range(4)]
            # A wish waits already.
            camera.send(b"".join(frame(BINARY, jpeg) for jpeg in several))
            wait_for(lambda before=before: slot.mtime() != before, "a picture")
            assert slot.look()[1] == several[-1], "an older one was published"
        assert receiver.push()["dropped"] >= 30


def test_half_of_a_newer_frame_holds_none_up(receiver):
    slot = receiver.slot()
    with receiver.camera() as camera:
        camera.send_jpeg(jpeg := picture(0))
        shown(slot, jpeg)
        for number in range(1, 6):
            whole, half = picture(number), frame(BINARY, picture(100 + number))
            camera.send(frame(BINARY, whole) + half[:9_000])
            shown(slot, whole, deadline=0.5)
            camera.send(half[9_000:])
            wait_for(lambda number=number: mark(slot.look()[1]).number == 100 + number, "the half")


@pytest.mark.parametrize("way", ["WebSocket", "fragments", "POST"])
def test_a_picture_is_as_old_as_its_first_byte(receiver, way):
    slot = receiver.slot()
    jpeg = picture(1)
    if way == "POST":
        begun = head("POST", "/door", f"Content-Length: {len(jpeg)}")
        pieces = [begun + jpeg[:1000], *cut(jpeg[1000:])]
        with connect(receiver.url) as connection:
            first, last = trickle(connection.sendall, pieces)
            assert connection.recv(12) == b"HTTP/1.1 200"
    else:
        with receiver.camera() as camera:
            camera.send_jpeg(picture(0))
            wait_for(slot.mtime, "a picture")
            slot.look()
            if way == "fragments":
                pieces = [frame(BINARY, jpeg[:1000], False)]
                rest = cut(jpeg[1000:])
                pieces += [frame(CONTINUATION, piece, piece is rest[-1]) for piece in rest]
            else:
                whole = frame(BINARY, jpeg)
                pieces = [whole[:1000], *cut(whole[1000:])]
            first, last = trickle(camera.send, pieces)
            wait_for(lambda: slot.look()[1] == jpeg, "the picture")
    assert slot.look()[1] == jpeg
    assert last - first > 500e6
    assert abs(slot.mtime() - first) < 50e6, f"{(slot.mtime() - first) / 1e6} ms after its first"


def cut(body):
    """Cuts a body into six."""
    size = len(body) // 6 + 1
    return [body[at : at + size] for at in range(0, len(body), size)]


def trickle(send, pieces):
    """Sends pieces, 100 ms between; gives when the first and the last were sent."""
    times = []
    for piece in pieces:
        times.append(time.time_ns())
        send(piece)
        time.sleep(0.1)
    return times[0], times[-1]


def test_a_cameras_own_clock(receiver):
    """What it says is believed, however late its picture comes."""
    slot = receiver.slot()
    booted_ns = time.time_ns() - int(100e9)
    with receiver.camera("/door", "Sec-WebSocket-Protocol: eyelid.v1") as camera:

        def send(jpeg, captured_ns):
            said = json.dumps({"t": (captured_ns - booted_ns) // 1_000_000}).encode()
            camera.send(frame(TEXT, said), frame(BINARY, jpeg))

        for number in range(20):
            captured = time.time_ns()
            send(jpeg := picture(number), captured)
            shown(slot, jpeg)
            assert abs(slot.mtime() - captured) < 50e6
            time.sleep(0.05)
        captured = time.time_ns()
        time.sleep(0.4)
        send(jpeg := picture(20), captured)
        shown(slot, jpeg)
        late = (slot.mtime() - captured) / 1e6
        assert -20 < late < 50, f"{late} ms"


def test_clocks_that_jump_are_not_believed_for_ever(receiver):
    """A reboot sets the camera's clock to zero; nonsense is no clock."""
    slot = receiver.slot()
    protocol = "Sec-WebSocket-Protocol: eyelid.v1"
    for start_ms in 5_000_000, 0:
        with receiver.camera("/door", protocol) as camera:
            for number in range(3):
                said = json.dumps({"t": start_ms + 50 * number}).encode()
                before = time.time_ns()
                jpeg = picture(number)
                camera.send(frame(TEXT, said), frame(BINARY, jpeg))
                shown(slot, jpeg)
                assert slot.mtime() - before > -200e6, "an old date"
                assert slot.mtime() <= time.time_ns(), "a date to come"
                time.sleep(0.05)
            for said in b'{"t":-5}', b'{"t":1e300}', b'{"t":"soon"}', b'{"t":18446744073709551615}':
                before = time.time_ns()
                jpeg = picture(9)
                camera.send(frame(TEXT, said), frame(BINARY, jpeg))
                shown(slot, jpeg)
                assert before - 2e9 < slot.mtime() <= time.time_ns(), said


def test_a_dead_camera_is_noticed_within_twelve_seconds(watched):
    receiver, connect, _ = watched
    camera = connect()
    camera.send_jpeg(jpeg := picture(0))
    shown(receiver.slot(), jpeg)
    assert receiver.push()["connected"]
    with elsewhere.vanished():
        began = time.monotonic()
        receiver.wait_push(connected=False, deadline=20)
        took = time.monotonic() - began
    assert 4 < took < 12.5, f"{took:.1f} s"
