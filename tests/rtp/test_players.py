"""Players show, bit by bit, what lies in the slot."""

import cv2
import players
import pytest
from PIL import Image
from rtsp import Client

from harness.cameras import start_camera
from harness.feed import picture
from harness.frames import difference


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffmpeg(rtp, slots, jpeg, transport):
    url = rtp(slots).url
    assert players.ffmpeg(url, transport) == [players.pixels(jpeg)] * players.FRAMES


@pytest.mark.parametrize("protocols", ["tcp", "udp", "tcp+udp+udp-mcast"])
def test_gstreamer(rtp, slots, jpeg, directory, protocols):
    shown = players.gstreamer(rtp(slots).url + "/", directory, protocols)
    assert shown == [players.pixels(jpeg)] * players.FRAMES


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_mpv(rtp, slots, jpeg, directory, transport):
    shown = players.mpv(rtp(slots).url, directory, transport)
    assert len(shown) == players.FRAMES
    for path in shown:
        assert difference(Image.open(path), Image.open(jpeg).convert("RGB")) < 3


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_opencv(rtp, slots, jpeg, monkeypatch, transport):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"rtsp_transport;{transport}")
    capture = cv2.VideoCapture(rtp(slots).url, cv2.CAP_FFMPEG)
    for _ in range(players.FRAMES):
        read, frame = capture.read()
        assert read
        shown = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        assert difference(shown, Image.open(jpeg).convert("RGB")) < 3
    capture.release()


@pytest.mark.parametrize("transport", ["multicast", "udp-mcast"])
def test_multicast(rtp, slots, jpeg, directory, transport):
    program = rtp(slots, "--to", "239.10.0.1:5004")
    program.wait_log(r"sending to 239\.10\.0\.1")
    if transport == "multicast":
        shown = players.ffmpeg(program.url, "udp_multicast")
    else:
        shown = players.gstreamer(program.url + "/", directory, transport)
    # Who joins within a frame has the rest of it alone.
    assert set(shown[1:]) == {players.pixels(jpeg)}


@pytest.mark.parametrize(
    "size, options",
    [
        ((640, 480), {"subsampling": "4:2:2"}),
        ((1920, 1080), {"quality": 95}),
        ((1280, 720), {"restart_marker_rows": 1}),
        ((640, 480), {"optimize": True}),
        ((640, 480), {"progressive": True}),
        ((644, 484), {}),
        ((16, 16), {}),
        ((2040, 120), {"quality": 30}),
        ((640, 480), {"subsampling": "4:2:2", "restart_marker_blocks": 4}),
        # These are coded anew, without a loss.
        ((1280, 720), {"optimize": True}),
        ((640, 480), {"optimize": True, "subsampling": "4:2:2", "restart_marker_rows": 2}),
    ],
)
def test_pictures_of_many_kinds(rtp, feed, directory, size, options):
    jpeg = picture(directory / "kind.jpg", size, **options)
    url = rtp(feed("slots", jpeg).slot).url
    for transport in ["tcp", "udp"]:
        shown = players.ffmpeg(url, transport)
        if size[0] % 8 or size[1] % 8:
            # RTP carries the size in units of 8 pixels: what is beyond the picture is shown, too.
            assert len(set(shown)) == 1 and len(shown) == players.FRAMES
        else:
            assert shown == [players.pixels(jpeg)] * players.FRAMES


def test_what_rtp_cannot_carry_is_refused_by_name(rtp, feed, directory):
    jpeg = picture(directory / "kind.jpg", subsampling="4:4:4")
    program = rtp(feed("slots", jpeg).slot)
    with Client(program.url) as client:
        client.play()
        program.wait_log(r'camera "default": JPEG with sampling 444, and RTP carries 422 and 420')


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_by_ipv6(rtp, slots, jpeg, transport):
    program = rtp(slots, "--rtsp", "[::1]:0")
    url = program.wait_log(r"rtsp://\[::1\]:[1-9]\d*")[0]
    assert players.ffmpeg(url, transport) == [players.pixels(jpeg)] * players.FRAMES


def test_a_camera_by_its_name_and_in_half_its_size(rtp, start, directory):
    start_camera(start, directory / "slots/door")
    url = rtp(directory / "slots").url + "/door"
    sizes = [players.sizes(url + query, directory) for query in ["", "?size=half", "?size=quarter"]]
    assert sizes == [{(640, 480)}, {(320, 240)}, {(160, 120)}]
