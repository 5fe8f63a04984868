"""The tap: H.264 for any program, by a Unix socket."""

import io
import itertools
import json
import subprocess
import time
from contextlib import suppress

from PIL import Image, ImageChops, ImageStat
from video import Tap, nal_types, play

from harness.processes import descriptors
from harness.waiting import wait_for

SPS, PPS, IDR, SLICE = 7, 8, 5, 1


def test_the_first_bytes_are_a_keyframe_that_ffmpeg_plays(shown, door, directory):
    path = shown.taps / "door.h264"
    recorded = directory / "recorded.h264"
    record = ["-f", "h264", "-i", f"unix:{path}", "-frames:v", "30", "-c", "copy"]
    command = ["ffmpeg", "-nostdin", "-v", "error", *record, "-f", "h264", recorded]
    subprocess.run(command, check=True, timeout=60)
    annex_b = recorded.read_bytes()
    assert nal_types(annex_b)[:3] == [SPS, PPS, IDR]
    frames, size = play(annex_b, form="h264")
    assert size == (640, 480)
    assert len(frames) >= 29
    door.wait_state("asleep")


def test_ffprobe_says_what_it_is(camera, video):
    slot = camera(fps=60)  # it looks at 5 s, and takes it for 25 frames/s
    shown = video()
    probe = ["ffprobe", "-v", "error", "-f", "h264", "-show_streams", "-of", "json"]
    tap = f"unix:{shown.taps / 'door.h264'}"
    said = subprocess.run([*probe, tap], capture_output=True, timeout=60, check=True)
    (stream,) = json.loads(said.stdout)["streams"]
    wanted = {
        "codec_name": "h264",
        "profile": "Constrained Baseline",
        "width": 640,
        "height": 480,
        "pix_fmt": "yuv420p",
        "has_b_frames": 0,
    }
    assert {name: stream[name] for name in wanted} == wanted
    assert not said.stderr, said.stderr
    slot.wait_state("asleep")


def test_taps_alone_are_reason_to_run(start, door, directory):
    taps = directory / "taps"
    where = ["--slots", directory / "slots", "--taps", taps, "--udp", "0"]
    program = start("eyelid-video", *where)
    for _ in range(2):  # the end of the only reader is not the program's
        wait_for((taps / "door.h264").exists, "the tap")
        with Tap(taps / "door.h264") as tap:
            assert nal_types(tap.read(100))[:1] == [SPS]
        door.wait_state("asleep")
    assert program.process.poll() is None


def test_it_shows_what_the_camera_shows(shown, door):
    """Compared with the JPEG of the same camera, pixel by pixel."""
    with shown.tap() as tap:
        annex_b = tap.read(200_000)
        jpeg = door.look()[1]
    frames, size = play(annex_b[: annex_b.rindex(b"\0\0\0\1")], form="h264")
    picture = Image.open(io.BytesIO(jpeg)).convert("L")
    ours = Image.frombytes("L", size, frames[-1])
    # The picture moves and has a clock: most of it is the same.
    difference = ImageStat.Stat(ImageChops.difference(picture, ours)).mean[0]
    assert difference < 12, difference
    assert ImageStat.Stat(ours).stddev[0] > 20, "there is something to be seen"


def test_times_and_numbers_are_those_of_the_pictures(shown, door):
    with shown.timed() as tap:
        seen = [tap.picture() for _ in range(30)]
        began, now = seen[0], time.time_ns()
    is_key, is_after_gap, captured_ns, _, annex_b = began
    assert (is_key, is_after_gap, nal_types(annex_b)) == (True, False, [SPS, PPS, IDR])
    assert 0 < now - seen[-1][2] < 5e9, "captured just now"
    moments, numbers = [each[2] for each in seen], [each[3] for each in seen]
    assert moments == sorted(set(moments)) and captured_ns == moments[0]
    assert numbers == list(range(numbers[0], numbers[0] + 30)), "who reads misses nothing"
    assert all(nal_types(each[4])[-1] in (SLICE, IDR) for each in seen)


def test_a_keyframe_comes_when_it_is_asked_for_and_not_more_often(shown):
    with shown.timed() as tap:
        tap.picture()
        tap.ask_key()
        keys = []
        end = time.monotonic() + 2
        while time.monotonic() < end:
            tap.ask_key()
            is_key, _, captured_ns, _, _ = tap.picture()
            if is_key:
                keys.append(captured_ns)
    gaps = [(after - before) / 1e9 for before, after in itertools.pairwise(keys)]
    assert keys, "none came"
    assert min(gaps, default=1) > 0.2, gaps


def test_who_does_not_read_loses_pictures_and_delays_nobody(shown):
    with shown.timed() as slow, shown.timed() as quick:
        slow.picture()
        seen = [quick.picture() for _ in range(60)]
        numbers = [each[3] for each in seen]
        assert numbers == list(range(numbers[0], numbers[0] + 60))
        # It reads again: what lay there, and then from a keyframe on what is new.
        before = slow.picture()
        while not (now := slow.picture())[1]:
            assert now[3] == before[3] + 1, "no gap that is not said"
            before = now
        is_key, _, captured_ns, number, _ = now
        assert is_key and number > before[3] + 1
        assert time.time_ns() - captured_ns < 5e9


def test_the_camera_sleeps_when_the_last_reader_is_gone(shown, door):
    with shown.tap() as tap:
        tap.read(1000)
        door.wait_state("awake")
    door.wait_state("asleep")
    before = descriptors(shown.pid)
    for _ in range(20):
        with shown.tap() as tap:
            tap.read(100)
    wait_for(lambda: descriptors(shown.pid) <= before, "its descriptors back")


def test_a_camera_whose_slot_comes_later_has_a_tap_then(shown, camera):
    assert [path.name for path in shown.taps.glob("*.h264")] == ["door.h264"]
    late = camera("late")
    wait_for((shown.taps / "late.h264").exists, "its tap")
    with shown.tap("late") as tap:
        tap.read(1000)
        late.wait_state("awake")
    with shown.tap() as tap:
        tap.read(1000)


def test_a_name_of_no_camera_is_told_by_the_end(shown):
    for name in ["window", "..", "", "a" * 100]:
        with shown.timed(name) as tap, suppress(ConnectionResetError):
            assert tap.socket.recv(1) == b"", name
