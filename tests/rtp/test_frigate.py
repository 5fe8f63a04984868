"""Frigate's ffmpeg: what it detects in has the pixels of the slot, and it records them."""

import subprocess

import frigate
import players
import pytest

from harness.waiting import DEADLINE

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


@pytest.mark.parametrize("preset", frigate.RECORD)
def test_records_and_detects_at_once(rtp, slots, jpeg, directory, preset):
    source = [*frigate.INPUT["preset-rtsp-generic"], "-i", rtp(slots).url]
    record = [*frigate.RECORD[preset], "-t", "2", directory / "door@%Y%m%d%H%M%S%z.mp4"]
    detect = frigate.detect(FPS, WIDTH, HEIGHT)
    seen = ffmpeg(*source, *record, *detect, "-t", "2", "pipe:")
    assert len(seen) >= FPS * FRAME_BYTES
    (recording,) = directory.glob("door@*.mp4")
    frames = players.hashes("-i", recording)
    assert len(frames) > 10
    if preset == "preset-record-generic":
        assert set(frames) == {players.pixels(jpeg)}
