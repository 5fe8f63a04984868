"""examples/simulate-camera, and the whole path from a video file to a client."""

import itertools
import signal
import subprocess
from pathlib import Path

import cv2
import numpy
import pytest

from harness.processes import alive, descendants
from harness.waiting import wait_for

SCRIPT = Path(__file__).parents[2] / "examples" / "simulate-camera"
PICTURE = "simulated-camera.jpg"


def small(frame):
    """Gives a tiny version of a frame, to compare frames by."""
    return cv2.resize(frame, (32, 16), interpolation=cv2.INTER_AREA).astype(int)


def read(address, most):
    """Gives up to `most` frames of a video or stream."""
    video = cv2.VideoCapture(str(address), cv2.CAP_FFMPEG)
    frames = []
    while len(frames) < most and (got := video.read())[0]:
        frames.append(small(got[1]))
    video.release()
    return frames


def test_a_video_file_arrives_at_a_client_as_a_stream(start, eyelid, folder, video):
    start(SCRIPT, video, folder)
    camera = eyelid("--source", f"folder:{folder}")
    original = read(video, 10_000)
    received = read(camera.url + "/stream", 40)
    assert len(received) == 40
    distances = [[numpy.abs(frame - other).mean() for other in original] for frame in received]
    places = [int(numpy.argmin(row)) for row in distances]
    assert max(min(row) for row in distances) < 5, "a frame that is not in the video"
    steps = [(after - before) % len(original) for before, after in itertools.pairwise(places)]
    assert sum(steps) < len(steps) * len(original) / 4, f"not in order: {places}"
    assert len(set(places)) > 20, f"it hardly moves: {places}"


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_replaces_one_picture_and_leaves_nothing_behind(start, folder, video, how, code):
    script = start(SCRIPT, video, folder, "--fps", "15")
    seen, names = set(), set()

    def moves():
        names.update(path.name for path in folder.iterdir())
        if (folder / PICTURE).exists():
            seen.add((folder / PICTURE).read_bytes())
        return len(seen) > 10

    wait_for(moves, lambda: f"pictures in {folder}; its log:\n{script.log()}")
    assert names <= {PICTURE, PICTURE + ".tmp"}
    assert {jpeg[-2:] for jpeg in seen} == {b"\xff\xd9"}, "half a picture was visible"
    players = descendants(script.pid)
    assert players
    assert script.stop(how) == code
    assert not any(map(alive, players)), "ffmpeg still runs"
    assert list(folder.iterdir()) == []
    assert script.log() == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.mp4", "."], 1, 'video "nowhere.mp4": no such file'),
        ([__file__, "nowhere"], 1, 'directory "nowhere": no such directory'),
        ([__file__, "{folder}"], 1, "could not play"),
        ([__file__], 2, "into which directory?"),
        ([], 2, "which video?"),
        (["a", "b", "c"], 2, 'unexpected argument "c"'),
        (["a", "b", "--fps", "fast"], 2, '--fps "fast" is not a number'),
        (["a", "b", "--fsp", "1"], 2, 'unknown option "--fsp"'),
    ],
)
def test_mistakes_are_told(folder, arguments, code, words):
    arguments = [str(argument).format(folder=folder) for argument in arguments]
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert words in done.stderr.splitlines()[-1]


def test_without_ffmpeg_it_says_so_and_help_is_help(folder, video):
    done = subprocess.run(
        ["/bin/sh", SCRIPT, video, folder], capture_output=True, text=True, env={"PATH": "/nowhere"}
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "ffmpeg is not installed" in done.stderr
    done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: simulate-camera VIDEO DIRECTORY")
