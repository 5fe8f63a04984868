"""Frigate's ffmpeg: what it detects in has the pixels of the slot, and it records them."""

import signal
import subprocess

import frigate
import players
import pytest
from PIL import Image
from test_h264 import ENCODED

from harness.cameras import start_camera
from harness.frames import difference
from harness.waiting import DEADLINE, wait_for

FPS, WIDTH, HEIGHT = 5, 320, 240
FRAMES = 4
FRAME_BYTES = WIDTH * HEIGHT * 3 // 2


def ffmpeg(*arguments):
    """Runs it; gives what it wrote to its pipe."""
    words = [str(word) for word in ["ffmpeg", "-nostdin", *frigate.GLOBAL.split(), *arguments]]
    done = subprocess.run(words, capture_output=True, timeout=2 * DEADLINE)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    return done.stdout


@pytest.mark.parametrize("preset", frigate.INPUT)
def test_detects_in_the_pixels_of_the_slot(rtp, slots, jpeg, preset):
    detect = frigate.detect(FPS, WIDTH, HEIGHT)
    source = [*frigate.INPUT[preset], "-i", rtp(slots).url]
    seen = ffmpeg(*source, *detect, "-frames:v", FRAMES, "pipe:")
    scale = ["-vf", f"scale={WIDTH}:{HEIGHT}", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    expected = ffmpeg("-i", jpeg, *scale, "pipe:")
    assert len(expected) == FRAME_BYTES
    assert seen == expected * FRAMES


def record(start, url, preset, directory):
    """Records and detects at once for some seconds; gives the recording."""
    source = [*frigate.INPUT["preset-rtsp-generic"], "-i", url]
    output = [*frigate.RECORD[preset], directory / "door@%Y%m%d%H%M%S%z.mp4"]
    seen = directory / "seen"
    detect = [*frigate.detect(FPS, WIDTH, HEIGHT), seen]
    recorder = start("ffmpeg", *frigate.GLOBAL.split(), *source, *output, *detect)
    # Told to end, as Frigate does, ffmpeg completes what it writes.
    wait_for(lambda: seen.exists() and seen.stat().st_size > 2 * FPS * FRAME_BYTES, "frames")
    recorder.stop(signal.SIGINT)
    (recording,) = directory.glob("door@*.mp4")
    return recording


def test_records_the_pixels_of_the_slot(rtp, slots, start, jpeg, directory):
    recording = record(start, rtp(slots).url, "preset-record-generic", directory)
    frames = players.hashes("-i", recording)
    assert len(frames) > 10
    assert set(frames) == {players.pixels(jpeg)}


def test_records_h264_as_it_comes_and_detects_in_it(h264, slots, start, jpeg, directory):
    recording = record(start, h264(slots), "preset-record-generic", directory)
    probe = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", recording]
    assert players.run("ffprobe", *probe).strip() == "h264"
    assert len(players.hashes("-i", recording)) > 10
    detected = (directory / "seen").read_bytes()
    whole = len(detected) // FRAME_BYTES * FRAME_BYTES
    luma = detected[whole - FRAME_BYTES :][: WIDTH * HEIGHT]
    last = Image.frombytes("L", (WIDTH, HEIGHT), luma)
    picture = Image.open(jpeg).convert("L").resize((WIDTH, HEIGHT))
    assert difference(last, picture) < ENCODED


def test_encodes_what_it_records(rtp, start, directory):
    camera = start_camera(start, directory / "slots")
    camera.frame()
    recording = record(start, rtp(camera.path).url, "mjpeg with a rate", directory)
    assert len(set(players.hashes("-i", recording))) > 10, "the picture stands still"
