"""docs/esp32.md: its commands are run as they stand there, from the token to the picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.frames import check_frame
from harness.http import get
from harness.programs import binary
from harness.slot import Slot
from harness.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "esp32.md").read_text()
MOCK = REPOSITORY / "examples" / "mock-camera" / "mock_camera.py"
SERVER = "http://127.0.0.1:8080"


def example(name):
    """Gives the text of an example of the page."""
    found = re.search(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"docs/esp32.md has no example {name!r}"
    return found[1]


def test_every_example_is_run():
    marked = set(re.findall(r"<!-- run: (\S+) -->\n```", PAGE))
    assert marked == {"configuration", "curl", "ffmpeg", "python"}
    assert PAGE.count("\n```") == 2 * PAGE.count("<!-- run: "), "an example without its mark"


@pytest.fixture
def page(start, directory):
    """Does what the page says up to the board: gives the environment of who pushes."""
    make = [binary("eyelid-receive"), "--new-token", "door"]
    with open(directory / "tokens", "w") as tokens:
        made = subprocess.run(make, stdout=tokens, stderr=subprocess.PIPE, text=True, check=True)
    (directory / "eyelid.toml").write_text(example("configuration") + 'linger = "1s"\n')
    slots = ["--slots", directory / "slots"]
    program = start("eyelid", "--config", "eyelid.toml", *slots, cwd=directory)
    program.wait_out("Eyelid is ready")
    token = made.stderr.split()[-1]
    return os.environ | {"HOST": "127.0.0.1", "TOKEN": token, "EYELID_TOKEN": token}


@pytest.fixture
def picture(directory):
    """A picture of the mock camera's, as the page makes it."""
    path = directory / "picture.jpg"
    subprocess.run([sys.executable, MOCK, "--picture", path], check=True)
    return path


def wait_picture():
    """Waits for a picture at the server's door; gives it."""
    answer = wait_for(
        lambda: (answer := get(SERVER, "/door/snapshot")).status == 200 and answer,
        lambda: f"a picture; {get(SERVER, '/door/snapshot')}",
    )
    return check_frame(answer.body)


def test_each_way_of_curl_is_taken(page, picture, directory):
    done = subprocess.run(
        ["sh", "-ec", example("curl")],
        cwd=directory,
        env=page,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert re.fullmatch(r'(\{"awake":(true|false)\}\s*){3}', done.stdout), done.stdout


def test_ffmpeg_pushes_a_video(page, start, directory):
    video = directory / "video.avi"
    make = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10"]
    subprocess.run([*make, "-t", "60", "-c:v", "mjpeg", video], check=True)
    start("sh", "-ec", example("ffmpeg"), env=page | {"VIDEO": str(video)})
    assert wait_picture().size == (320, 240)


def test_python_pushes_a_picture(page, picture, start, directory):
    start(sys.executable, "-c", example("python"), env=page, cwd=directory)
    assert wait_picture().size == (640, 480)


@pytest.mark.parametrize(
    "options", [[], ["--firmware", "links2004"], ["--firmware", "esp-idf"], ["--post"]]
)
def test_the_mock_camera_sleeps_until_somebody_looks(page, start, directory, options):
    camera = start(sys.executable, MOCK, "ws://127.0.0.1:8765/door", *options, env=page)
    assert wait_picture().size == (640, 480)
    if "--post" in options:
        camera.wait_log("somebody looks")
    else:
        camera.wait_log("told when to sleep")
        camera.wait_log("\nmock-camera: awake")
    Slot(directory / "slots" / "door").wait_state("asleep")
    camera.wait_log("nobody looks" if "--post" in options else "\nmock-camera: asleep")
