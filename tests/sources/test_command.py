"""`command`: any program that writes JPEGs to stdout, however it behaves."""

import io
import itertools
import os
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest
import rpicam_vid
from media import MEDIA, photographs, play, upright
from PIL import Image

from harness.frames import check_frame, difference
from harness.http import wait_listening
from harness.processes import alive
from harness.stream import Stream
from harness.waiting import wait_for

PI_PAGE = Path(__file__).resolve().parents[2] / "docs" / "raspberry-pi.md"
RPICAM_VID = re.findall(r"command:(exec rpicam-vid [^'\"\n]+)", PI_PAGE.read_text())
assert RPICAM_VID, f"no command line of rpicam-vid in {PI_PAGE}"


def pid_in(path):
    """Waits for a pid file and gives the pid."""
    return int(wait_for(lambda: path.exists() and path.read_text().strip(), f"a pid in {path}"))


def wait_gone(*pids):
    wait_for(
        lambda: not any(map(alive, pids)),
        lambda: f"the end of {pids}; alive: {[*filter(alive, pids)]}",
    )


@pytest.mark.parametrize(
    "output",
    [
        ["-f", "mjpeg"],
        ["-f", "mpjpeg"],
        ["-f", "mpjpeg", "-boundary_tag", "a b:c"],
        ["-c:v", "mjpeg", "-f", "image2pipe"],
    ],
    ids=" ".join,
)
def test_ffmpeg_plays_a_video(capture, video, output):
    program = capture(f"command:exec {play(video, *output)}")
    seen = {}

    def seen_enough():
        if look := program.slot.look():
            seen[look[0]] = look[1]
        return len(set(seen.values())) >= 20

    wait_for(seen_enough, lambda: f"20 frames; seen: {len(seen)}, state: {program.slot.state()}")
    assert {check_frame(jpeg).size for jpeg in seen.values()} == {(640, 272)}
    program.slot.wait_state("awake", width=640, height=272)


@pytest.mark.parametrize(
    ("pixels", "huffman", "kind"),
    [
        ("yuvj420p", "default", "baseline-420"),
        ("yuvj420p", "optimal", "baseline-420-optimized"),
        ("yuvj422p", "default", "baseline-422-unusual"),
        ("yuvj444p", "default", "baseline-444-unusual"),
    ],
)
def test_the_state_says_what_kind_of_jpeg_ffmpeg_makes(capture, video, pixels, huffman, kind):
    program = capture(
        "command:exec " + play(video, "-pix_fmt", pixels, "-huffman", huffman, "-f", "mjpeg")
    )
    program.slot.wait_state("awake", jpeg=kind)


@pytest.fixture
def rpicam_vid_in_path(directory, monkeypatch):
    """Puts the stand-in first in PATH, under the name of the real program."""
    program = directory / "bin" / "rpicam-vid"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join([sys.executable, rpicam_vid.__file__])} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("rpicam_vid_in_path")
@pytest.mark.parametrize("command", RPICAM_VID)
@pytest.mark.parametrize("encoder", rpicam_vid.ENCODERS)
def test_rpicam_vid_is_served_by_the_documented_command_line(
    start, capture, directory, monkeypatch, command, encoder
):
    monkeypatch.setenv("ENCODER", encoder)
    chosen = rpicam_vid.options(shlex.split(command)[2:])
    assert chosen.flush, "the end of each frame would come with the next one"
    frames = (
        rpicam_vid.frame(n, chosen.width, chosen.height, chosen.quality, encoder)
        for n in range(rpicam_vid.CYCLE)
    )
    pictures = {Image.open(io.BytesIO(frame)).tobytes() for frame in frames}
    program = capture(f"command:{command}")
    address = f"unix:{directory}/socket"
    start("eyelid-server", "--slots", program.slot.path, "--listen", address)
    wait_listening(address)
    seen = set()
    with Stream(address) as stream:
        while len(seen) < 3:
            jpeg = stream.part_where(
                lambda part: part.live(), f"a frame; state: {program.slot.state()}"
            ).jpeg
            seen.add(check_frame(jpeg).tobytes())
    assert seen <= pictures, "the same pictures to the last bit"
    program.slot.wait_state("awake", width=chosen.width, height=chosen.height)


def test_concatenated_photographs_with_thumbnails_are_cut_right(capture):
    names = ["china.jpg", "r_canon.jpg", "L01.jpg", "flower.jpg", "r_pana.jpg", "large.jpg"]
    assert {MEDIA / name for name in names} <= set(photographs())
    wanted = {name: upright((MEDIA / name).read_bytes()) for name in names}
    files = shlex.join(str(MEDIA / name) for name in names)
    program = capture(
        f"command:for i in $(seq 100000); do for f in {files}; do cat $f; sleep 0.05; done; done"
    )
    missing = set(names)

    def all_seen():
        if look := program.slot.look():
            frame = check_frame(look[1])
            like = {
                name
                for name in names
                if frame.size == wanted[name].size and difference(frame, wanted[name]) < 12
            }
            assert like, f"a frame of {frame.size} that is none of the photographs"
            missing.difference_update(like)
        return not missing

    wait_for(
        all_seen, lambda: f"every photograph; missing: {missing}, state: {program.slot.state()}"
    )


def test_bytes_between_the_pictures_do_no_harm(capture, china):
    photo = shlex.quote(str(MEDIA / "china.jpg"))
    program = capture(
        f"command:while :; do echo noise; head -c 5000 {photo}; cat {photo}; sleep 0.1; done"
    )
    program.slot.frame_like(china.picture)


def test_one_that_exits_is_failed_and_tried_again_and_recovers(capture, directory, china):
    starts, photo = directory / "starts", shlex.quote(str(MEDIA / "china.jpg"))
    works = f"while :; do cat {photo}; sleep 0.1; done"
    program = capture(f"command:date +%s.%N >> {starts}; [ -e {directory}/go ] || exit 3; {works}")
    state = program.slot.wait_state("failed")
    assert "3" in state["error"], state
    wait_for(lambda: len(starts.read_text().splitlines()) >= 3, "it is tried again and again")
    times = [float(line) for line in starts.read_text().splitlines()]
    assert min(after - before for before, after in itertools.pairwise(times)) > 0.2, (
        "without a pause in between"
    )
    (directory / "go").touch()
    program.slot.frame_like(china.picture)
    assert program.slot.wait_state("awake")["error"] is None


def test_one_that_cannot_be_started_is_failed(capture):
    program = capture("command:/nowhere/at-all --now")
    assert program.slot.wait_state("failed")["error"]
    program.wait_log("/nowhere/at-all")


def test_one_that_never_says_anything_is_failed_and_ended(capture, directory):
    program = capture(f"command:echo $$ > {directory}/pid; exec sleep 100000")
    pid = pid_in(directory / "pid")
    assert program.slot.wait_state("failed")["error"]
    wait_gone(pid)


def test_one_that_falls_silent_is_failed_and_started_again(capture, directory, china):
    photo = shlex.quote(str(MEDIA / "china.jpg"))
    program = capture(f"command:echo $$ > {directory}/pid; cat {photo}; exec sleep 100000")
    first = pid_in(directory / "pid")
    wait_for(lambda: program.slot.look() and program.slot.state()["state"] == "failed", "failed")
    wait_gone(first)
    wait_for(
        lambda: program.slot.look() and pid_in(directory / "pid") != first, "it is started again"
    )


STUBBORN = """trap '' TERM INT HUP
echo $$ > {directory}/pid
(while :; do sleep 1; done) &
echo $! > {directory}/child
while :; do cat {photo}; sleep 0.1; done"""


@pytest.fixture
def stubborn(capture, directory):
    """A command that ignores SIGTERM, as does a process it started; both run."""
    photo = shlex.quote(str(MEDIA / "china.jpg"))
    program = capture(
        "command:" + STUBBORN.format(directory=directory, photo=photo), "--linger", "1s"
    )
    program.slot.frame()
    program.pids = pid_in(directory / "pid"), pid_in(directory / "child")
    yield program
    for pid in filter(alive, program.pids):
        os.kill(pid, signal.SIGKILL)


def test_one_that_ignores_sigterm_is_killed_with_all_it_started(stubborn):
    wait_gone(*stubborn.pids)
    stubborn.slot.wait_state("asleep")


def test_one_that_ignores_sigterm_does_not_outlive_us(stubborn):
    assert stubborn.stop() == 0
    wait_gone(*stubborn.pids)


def test_its_stderr_is_in_our_log(capture):
    photo = shlex.quote(str(MEDIA / "china.jpg"))
    program = capture(
        f"command:echo 'lens cap is on' >&2; while :; do cat {photo}; sleep 0.1; done"
    )
    program.slot.frame()
    program.wait_log("lens cap is on")


def test_much_on_stderr_does_not_stop_it(capture, china):
    photo = shlex.quote(str(MEDIA / "china.jpg"))
    program = capture(
        f"command:yes complaint | head -n 20000 >&2; while :; do cat {photo}; sleep 0.1; done"
    )
    program.slot.frame_like(china.picture)


def test_it_runs_on_demand_only(capture, directory):
    photo = shlex.quote(str(MEDIA / "china.jpg"))
    program = capture(
        f"command:echo $$ > {directory}/pid; while :; do cat {photo}; sleep 0.1; done",
        "--linger",
        "1s",
    )
    program.slot.frame()
    wait_for(lambda: program.slot.look() and alive(pid_in(directory / "pid")), "the command runs")
    first = pid_in(directory / "pid")
    program.slot.wait_state("asleep")
    wait_gone(first)
    stale = program.slot.mtime()
    program.slot.frame(after=stale)
    second = pid_in(directory / "pid")
    assert second != first
    program.slot.wait_state("asleep")
    wait_gone(second)
    assert program.stop() == 0
