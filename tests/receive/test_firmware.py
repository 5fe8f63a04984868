"""What cameras' firmware does, right or wrong, as a replay."""

import time

import pytest
from firmware import FIRMWARES, Links2004, random_nerd_tutorials
from pictures import picture
from receiver import configuration, converse, head, shown
from wire import BINARY, CLOSE, PING, PONG, TEXT, frame

from harness.http import connect
from harness.stream import Stream
from harness.waiting import wait_for

# Lengths at which headers change, and a multiple of the buffers of 1024 bytes.
LENGTHS = [8_192, 19_001, 65_534, 65_535, 65_536, 200_000]


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_a_firmware_and_its_lengths(firmware, receiver):
    camera = FIRMWARES[firmware](receiver.url, "/door")
    for number, length in enumerate(LENGTHS):
        jpeg = picture(number, length)
        camera.send(jpeg)
        shown(receiver.slot(), jpeg)
    push = receiver.wait_push(connected=True, frames=len(LENGTHS), refused=0, sleeps=False)
    assert push["bytes"] >= sum(LENGTHS)
    assert camera.link.silent(), "it was told something"


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_texts_and_pings_between_frames(firmware, receiver):
    camera = FIRMWARES[firmware](receiver.url, "/door")
    said = [b"PING", b'{"type":"hello","id":"esp32-cam"}', b'{"temperature":21.5}', b""]
    for number, text in enumerate(said):
        camera.link.send(frame(TEXT, text))
        camera.link.send(frame(PING, text))
        jpeg = picture(number)
        camera.send(jpeg)
        shown(receiver.slot(), jpeg)
        assert camera.link.receive() == (PONG, text)
    assert receiver.push()["refused"] == 0
    assert camera.link.silent(), "it was told something"


@pytest.mark.parametrize(
    "padding",
    [bytes(1), bytes(3_000), b"\xff" * 64, b"\xff\xd9", picture(0, 8_000)[:5_000]],
    ids=["a zero", "zeros", "FF", "a second EOI", "half of another"],
)
def test_what_stands_behind_the_end_is_cut(padding, receiver):
    camera = receiver.camera()
    for number in range(3):
        jpeg = picture(number)
        camera.send_jpeg(jpeg + padding)
        shown(receiver.slot(), jpeg)
    jpeg = picture(9)
    assert receiver.post(jpeg + padding).status == 200
    shown(receiver.slot(), jpeg)


def test_a_camera_number_in_the_jfif_version(receiver):
    camera = receiver.camera()
    for number in range(4):
        jpeg = bytearray(picture(number))
        jpeg[12] = number
        camera.send_jpeg(bytes(jpeg))
        shown(receiver.slot(), bytes(jpeg))


@pytest.mark.parametrize("prefix", [b"HMR2\x07\0\0\0\0\0J8", bytes(16), bytes(64)])
def test_what_sketches_put_before_a_picture_is_cut(prefix, receiver):
    with receiver.camera() as camera:
        for number in range(3):
            jpeg = picture(number)
            camera.send_jpeg(prefix + jpeg)
            shown(receiver.slot(), jpeg)


def test_half_frames_are_refused_and_counted_and_the_next_is_shown(receiver, server):
    camera = receiver.camera()
    camera.send_jpeg(first := picture(0))
    shown(receiver.slot(), first)
    whole = picture(1)
    halves = [whole[:-2], whole[:9_000], whole[:4], b"PNG", bytes(65) + whole, b""]
    for number, half in enumerate(halves, 1):
        camera.send_jpeg(half)
        push = receiver.wait_push(refused=number)
        assert push["last_error"], push
        assert receiver.slot().look()[1] == first, "half a picture"
    camera.send_jpeg(last := picture(2))
    shown(receiver.slot(), last)
    assert receiver.push()["frames"] == 2
    assert receiver.push()["connected"]


@pytest.mark.parametrize("way", ["frame", "fragments", "within a fragment", "POST", "stream"])
def test_half_frames_that_the_connection_ends_are_counted(receiver, way):
    whole = picture(1)
    if way in ("POST", "stream"):
        with connect(receiver.url) as link:
            length = f"Content-Length: {2 * len(whole)}"
            begun = head("POST", "/door", length) + whole * (way == "stream")
            link.sendall(begun + picture(2)[:9_000])
    else:
        with receiver.camera() as camera:
            message = {
                "frame": frame(BINARY, whole)[:9_000],
                "fragments": frame(BINARY, whole[:9_000], False),
                "within a fragment": frame(BINARY, whole, False)[:9_000],
            }
            camera.send(message[way])
    push = receiver.wait_push(refused=1, connected=False, frames=int(way == "stream"))
    assert push["last_error"], push


def test_a_connection_that_ends_between_frames_has_no_half(receiver):
    with receiver.camera() as camera:
        camera.send_jpeg(jpeg := picture(1))
        shown(receiver.slot(), jpeg)
    push = receiver.wait_push(connected=False)
    assert (push["refused"], "lost" in push["last_error"]) == (0, True), push


def test_ten_bad_frames_in_a_row_end_it_and_fewer_do_not(receiver):
    camera = receiver.camera()
    refused = 0

    def send_bad():
        nonlocal refused
        camera.send_jpeg(b"no picture")
        refused += 1
        receiver.wait_push(refused=refused)

    for number in range(3):
        for _ in range(9):
            send_bad()
        camera.send_jpeg(jpeg := picture(number))
        shown(receiver.slot(), jpeg)
    for _ in range(10):
        send_bad()
    assert camera.close_code() == 1003
    receiver.wait_push(connected=False, refused=37)
    with receiver.camera() as again:
        again.send_jpeg(jpeg := picture(9))
        shown(receiver.slot(), jpeg)


def test_a_stream_out_of_step_ends_and_the_next_connection_is_well(receiver):
    camera = Links2004(receiver.url, "/door")
    camera.send(first := picture(0))
    shown(receiver.slot(), first)
    # It gave up in the middle: what follows is taken for the rest of this one.
    camera.send_cut_off(picture(1), 9_000)
    for number in range(2, 20):
        if camera.link.silent():
            camera.send_cut_off(picture(number), None)
    code = camera.link.close_code()
    assert code in (1002, 1003, 1009), code
    assert receiver.slot().look()[1] == first, "a picture of two halves"
    again = Links2004(receiver.url, "/door")
    again.send(jpeg := picture(20))
    shown(receiver.slot(), jpeg)


KINDS = ["multipart/form-data", "image/jpg", "image/jpeg", "application/octet-stream", "text/x", ""]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bare_jpeg_with_any_type(kind, receiver):
    jpeg = picture(1)
    answer = receiver.post(jpeg, Content_Type=kind)
    assert (answer.status, answer.body) == (200, b'{"awake":true}')
    shown(receiver.slot(), jpeg)


def test_random_nerd_tutorials_form_and_its_missing_bytes(receiver):
    jpeg = picture(1, 19_001)
    status, _ = converse(receiver.url, *random_nerd_tutorials(jpeg))
    assert status == 200
    shown(receiver.slot(), jpeg)
    began = time.monotonic()
    status, _ = converse(receiver.url, *random_nerd_tutorials(picture(2, 19 * 1024)))
    waited = time.monotonic() - began
    assert status == 408
    assert 9.5 < waited < 12, f"after {waited:.1f} s"
    assert receiver.slot().look()[1] == jpeg
    assert receiver.push()["refused"] == 1, "it was counted"


@pytest.mark.parametrize("pause_s", [0, 0.3])
def test_a_form_has_one_picture(receiver, pause_s):
    """The first, however slowly it comes; and the camera stays with its WebSocket."""
    one, two = picture(1), picture(2)
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + jpeg + b"\r\n"
        for jpeg in (one, two)
    ]
    length = sum(map(len, parts)) + 7
    kind = "Content-Type: Multipart/Form-Data; boundary=b"
    begun = head("POST", "/door", kind, f"Content-Length: {length}")
    with receiver.camera() as camera, connect(receiver.url) as link:
        for piece in [begun + parts[0], parts[1], b"--b--\r\n"]:
            link.sendall(piece)
            time.sleep(pause_s)
        assert link.recv(12) == b"HTTP/1.1 200"
        shown(receiver.slot(), one)
        assert camera.silent()
        assert receiver.push()["frames"] == 1
        camera.send_jpeg(two)
        shown(receiver.slot(), two)


def test_what_a_form_has_behind_its_picture_may_be_as_large_as_one(receive):
    receiver = receive(configuration(("door", {"max-bytes": "2MiB"})))
    small, large = picture(1), picture(2, 1_500_000)
    parts = [b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg for jpeg in (small, large)]
    body = b"\r\n".join([*parts, b"--b--\r\n"])
    answer = receiver.post(body, Content_Type="multipart/form-data; boundary=b")
    assert answer.status == 200, answer
    shown(receiver.slot(), small)
    push = receiver.push()
    assert (push["frames"], push["refused"]) == (1, 0), push


def test_a_form_with_other_parts(receiver):
    jpeg = picture(1)
    parts = [
        b'Content-Disposition: form-data; name="id"\r\n\r\nesp32-cam-07',
        b'Content-Disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n' + jpeg,
        b'Content-Disposition: form-data; name="battery"\r\n\r\n3.71',
    ]
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    answer = receiver.post(body, Content_Type="multipart/form-data; boundary=b")
    assert answer.status == 200, answer
    shown(receiver.slot(), jpeg)


def test_a_rebooted_camera_takes_over_at_once(receiver, server):
    old = receiver.camera()
    old.send_jpeg(jpeg := picture(0))
    shown(receiver.slot(), jpeg)
    # In the middle of a picture the power went; no FIN came.
    old.send(frame(BINARY, picture(1))[:9_000])
    new = receiver.camera()
    began = time.monotonic()
    assert old.close_code() == 4001
    new.send_jpeg(jpeg := picture(2))
    shown(receiver.slot(), jpeg)
    assert time.monotonic() - began < 1, "not at once"
    push = receiver.push()
    assert push["connected"] and push["refused"] == 0, push
    with Stream(server, "/door/stream") as stream:
        for number in range(3, 6):
            new.send_jpeg(jpeg := picture(number))
            stream.part_where(lambda part, jpeg=jpeg: part.jpeg == jpeg, f"picture {number}")
    assert new.silent()


def test_silence_is_pinged_and_ended(receive):
    """Three cameras fall silent at once; what each does then decides."""
    receiver = receive(configuration("answers", "silent", "stuck"))
    cameras = {name: receiver.camera(f"/{name}") for name in ("answers", "silent", "stuck")}
    began = time.monotonic()
    # One stops in the middle of a picture.
    cameras["stuck"].send(frame(BINARY, picture(1))[:9_000])
    ends = {}
    answered = 0

    def all_ended():
        nonlocal answered
        for name, camera in cameras.items():
            while name not in ends and not camera.silent():
                heard = camera.receive()
                if heard is None or heard[0] == CLOSE:
                    ends[name] = time.monotonic() - began
                elif heard[0] == PING and name == "answers":
                    camera.send(frame(PONG, heard[1]))
                    answered += 1
        return len(ends) == 2

    wait_for(all_ended, lambda: f"the end of two; ended: {ends}", 60)
    assert set(ends) == {"silent", "stuck"}
    assert 39 < ends["silent"] < 43, ends
    assert ends["stuck"] < 43, ends
    assert answered >= 1
    cameras["answers"].send_jpeg(jpeg := picture(2))
    shown(receiver.slot("answers"), jpeg)
