"""What docs/slot.md says to a porter: its examples are run as they stand there."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.frames import check_frame
from harness.http import get, wait_listening
from harness.processes import alive, descendants
from harness.slot import Slot
from harness.stream import Stream
from harness.waiting import DEADLINE, wait_for

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "slot.md").read_text()


def example(name):
    """Gives the arguments that run an example of the page."""
    found = re.search(rf"<!-- run: {name} -->\n```(\w+)\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"docs/slot.md has no example {name!r}"
    language, text = found.groups()
    return [sys.executable, "-c", text] if language == "python" else [language, "-c", text, name]


def test_every_example_is_run():
    run_here = {
        f"{language}-{what}"
        for language in ("shell", "python")
        for what in ("consumer", "producer")
    }
    assert set(re.findall(r"<!-- run: (\S+) -->\n```", PAGE)) == run_here | {
        "shell-producer-on-demand"
    }
    assert PAGE.count("\n```") == 2 * PAGE.count("<!-- run: "), "an example without its mark"


@pytest.fixture
def jpeg(start, directory):
    """A frame, as a file."""
    slot = Slot(directory / "made")
    capture = start("eyelid-capture", "--slot", slot.path, "--source", "test", "--size", "160x120")
    slot.frame()
    path = directory / "picture.jpg"
    path.write_bytes(slot.look()[1])
    assert capture.stop() == 0
    return path


@pytest.mark.parametrize("language", ["shell", "python"])
def test_a_consumer_gets_a_new_frame_from_a_camera_asleep(start, directory, language):
    slot = Slot(directory / "slot")
    start("eyelid-capture", "--slot", slot.path, "--source", "test", "--linger", "100ms")
    slot.wait_state("asleep")
    before = wait_for(slot.mtime, "a frame")
    copy = directory / "copy.jpg"
    with open(copy, "wb") as stdout:
        subprocess.run(
            [*example(f"{language}-consumer"), slot.path, copy],
            check=True,
            stdout=stdout,
            timeout=DEADLINE,
        )
    check_frame(copy.read_bytes())
    assert slot.mtime() > before


@pytest.mark.parametrize("language", ["shell", "python"])
def test_a_consumer_gets_a_frame_where_nothing_runs_but_eyelid(eyelid, directory, language):
    camera = eyelid("--source", "test", "--size", "160x120")
    copy = directory / "copy.jpg"
    with open(copy, "wb") as stdout:
        subprocess.run(
            [*example(f"{language}-consumer"), camera.slot.path, copy],
            check=True,
            stdout=stdout,
            timeout=DEADLINE,
        )
    assert check_frame(copy.read_bytes()).size == (160, 120), "the camera's size, not the card's"


@pytest.mark.parametrize("language", ["shell", "python"])
def test_a_consumer_gives_up_without_a_camera(directory, language):
    done = subprocess.run(
        [*example(f"{language}-consumer"), directory, directory / "copy.jpg"],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1 and b"no new frame" in done.stderr


@pytest.mark.parametrize("language", ["shell", "python"])
def test_a_producer_is_a_camera(start, directory, jpeg, language):
    slot = Slot(directory / "slot")
    slot.path.mkdir()
    address = f"unix:{directory}/socket"
    start(
        "eyelid-server", "--slots", slot.path, "--listen", address, "--timeout", f"{DEADLINE:.0f}s"
    )
    wait_listening(address)
    start(*example(f"{language}-producer"), slot.path, jpeg, 1000)
    assert get(address, "/snapshot").body == jpeg.read_bytes()
    with Stream(address) as stream:
        seen = {
            stream.part_where(lambda part: part.live(), "a frame").headers["x-timestamp"]
            for _ in range(5)
        }
    assert len(seen) == 5, "each frame has its own moment of capture"
    assert not [
        path for path in slot.path.iterdir() if path.suffix == ".jpg" and path.name != "current.jpg"
    ]


@pytest.fixture
def on_demand(start, directory, jpeg):
    """The producer that follows demand, with a camera of its own; gives program and slot."""
    shell, option, text, *name = example("shell-producer-on-demand")
    slot = Slot(directory / "slot")
    camera = "".join(f"{take}() {{ cat {jpeg}; }}\n" for take in ("take_picture", "take_half"))
    program = start(shell, option, camera + text, *name, slot.path)
    wait_for(slot.mtime, "the first frame")
    return program, slot


def test_a_shell_producer_takes_pictures_for_those_who_look_only(on_demand):
    _, slot = on_demand
    first = slot.mtime()
    time.sleep(0.5)
    assert slot.mtime() == first, "a picture for nobody"
    seen = set()
    wait_for(lambda: seen.add(slot.look()[0]) or len(seen) == 5, "five frames")


def test_a_shell_producer_makes_a_rendition_for_those_who_look_at_it_only(
    on_demand, directory, jpeg
):
    _, slot = on_demand
    half = slot.path / "current.half.jpg"
    wait_for(lambda: half.stat().st_mtime == 0, "the offer")
    frame = slot.mtime()
    for language in ("shell", "python"):
        copy = directory / "copy.jpg"
        before = half.stat().st_mtime_ns
        with open(copy, "wb") as stdout:
            subprocess.run(
                [*example(f"{language}-consumer"), slot.path, copy],
                check=True,
                stdout=stdout,
                env={**os.environ, "FILE": half.name},
                timeout=DEADLINE,
            )
        assert copy.read_bytes() == jpeg.read_bytes()
        assert half.stat().st_mtime_ns > before
    assert slot.mtime() == frame, "nobody looked at the frame"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_shell_producer_leaves_nothing_behind(on_demand, how):
    program, _ = on_demand
    helpers = descendants(program.pid)
    assert helpers
    program.stop(how)
    wait_for(lambda: not any(map(alive, helpers)), "the end of inotifywait")
