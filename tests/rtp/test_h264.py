"""H.264 from eyelid-video's tap: players show what lies in the slot, as encoding leaves it."""

import cv2
import players
import pytest
from PIL import Image

from harness.frames import difference

# Each frame may be made of less than the one before has left to be desired: the rate begins low.
FRAMES = 30
# What encoding at a low rate does to a picture; another picture differs by more than 50.
ENCODED = 8


@pytest.fixture
def h264(start, rtp, directory):
    """Starts eyelid-video, and eyelid-rtp at its taps; gives a camera's URL."""

    def h264(slots, *arguments, **options):
        taps = directory / "taps"
        video = start(
            "eyelid-video", "--slots", slots, "--taps", taps, "--udp", "127.0.0.1:0",
            "--listen", "127.0.0.1:0",
        )  # fmt: skip
        video.wait_log("listening on")
        return rtp(slots, "--taps", taps, *arguments, **options).url + "/?codec=h264"

    return h264


def look(frame, jpeg):
    """Says how far a frame is from the picture."""
    shown = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return difference(shown, Image.open(jpeg).convert("RGB"))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffmpeg(h264, slots, jpeg, monkeypatch, transport):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"rtsp_transport;{transport}")
    capture = cv2.VideoCapture(h264(slots), cv2.CAP_FFMPEG)
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") == b"h264"
    for _ in range(FRAMES):
        read, frame = capture.read()
        assert read
    capture.release()
    assert look(frame, jpeg) < ENCODED


@pytest.mark.parametrize("protocols", ["tcp", "udp"])
def test_gstreamer(h264, slots, jpeg, directory, protocols):
    frames = players.gstreamer_h264(h264(slots), directory, protocols, FRAMES)
    assert len(frames) >= FRAMES - 1
    assert (
        difference(Image.open(frames[-1]).convert("RGB"), Image.open(jpeg).convert("RGB")) < ENCODED
    )


def test_the_camera_wakes_for_it_and_sleeps_after_it(h264, asleep, monkeypatch):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    capture = cv2.VideoCapture(h264(asleep.path), cv2.CAP_FFMPEG)
    assert capture.read()[0]
    capture.release()
    asleep.wait_state("asleep")


def test_a_recorder_keeps_what_came(h264, slots, directory):
    film = directory / "film.mp4"
    options = ["-rtsp_transport", "tcp", "-i", h264(slots), "-c", "copy", "-frames:v", FRAMES]
    players.run("ffmpeg", "-nostdin", "-loglevel", "error", *options, film)
    assert len(players.hashes("-i", film)) == FRAMES
