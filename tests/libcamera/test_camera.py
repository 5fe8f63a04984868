"""`libcamera`: the virtual cameras of libcamera, from their buffers to a client's screen."""

import json
import os
import re
import time
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from harness.frames import check_frame, difference
from harness.http import get
from harness.processes import descriptors
from harness.stream import Stream
from harness.waiting import wait_for

NO_CAMERA = {"LIBCAMERA_PIPELINES_MATCH_LIST": "uvcvideo"}
SIDE = ("--camera", "Virtual1")


def side_picture():
    return Image.open("/tmp/picture.jpg").convert("RGB")


def name(value):
    """Names a test by its command line."""
    return (" ".join(value) or "no options") if isinstance(value, list) else ""


def served(start, directory):
    """Starts a server, on a port of its own choice; gives its address."""
    server = start("eyelid-server", "--slots", directory / "slot", "--listen", "127.0.0.1:0")
    return server.wait_log(r"listening on (http://127\.0\.0\.1:[1-9]\d*)")[1]


def heap(environment):
    """Gives the lines that the stand-in for the heap has written."""
    return Path(environment["EYELID_HEAP_LOG"]).read_text().splitlines()


# Which camera, which size, which controls


def test_lists_cameras_with_the_sizes_that_they_really_have(once):
    code, text, log = once("--list")
    assert code == 0, log
    assert "Virtual0\n    libcamera, Front, front\n    NV12" in text
    assert "640x480 (5 to 30 fps)" in text
    assert "400x240" not in text, "libcamera names it, but the camera would give another"
    code, text, _ = once("--list", "--json")
    front, side = json.loads(text)
    assert (code, front["id"], side["id"]) == (0, "Virtual0", "Virtual1")
    assert (side["model"], side["location"]) == ("Side", "external")
    (nv12,) = front["formats"]
    sizes = {size["size"] for size in nv12["sizes"]}
    assert (nv12["format"], sizes) == ("NV12", {"320x240", "640x480", "1280x720", "1920x1080"})
    assert {(size["min_fps"], size["max_fps"]) for size in nv12["sizes"]} == {(5, 30)}


def test_lists_controls(once):
    code, text, _ = once("--list-controls", "--camera", "Virtual1")
    assert code == 0
    assert re.search(r"^FrameDurationLimits +2 of: whole number.*66666 to 1000000", text, re.M), (
        text
    )
    code, text, _ = once("--list-controls", "--json")
    controls = {control["name"]: control for control in json.loads(text)}
    assert controls["FaceDetectMode"]["choices"] == ["Off"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "Virtual"], r'"Virtual": several .* "Virtual0", "Virtual1"'),
        (["--size", "111x112"], r"no size 111x112: it has NV12 .*640x480"),
        (["--min-size", "2000x100"], r"no size of at least 2000x100: it has NV12 .*1920x1080"),
        (["--control", "Zoom=1"], r'no control "Zoom": it has FaceDetectMode, FrameDurationLimits'),
        (["--control", "FaceDetectMode=Loud"], r"FaceDetectMode=Loud: use Off"),
        (["--control", "FrameDurationLimits=1"], r"use 2 of: whole number"),
    ],
    ids=name,
)
def test_what_the_camera_does_not_have_is_an_error_that_lists_what_it_has(
    once, directory, arguments, words
):
    code, _, log = once("--slot", directory, "--source", "libcamera", *arguments)
    assert code == 78
    assert re.search(words, log.splitlines()[-1]), log


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ([], (1280, 720)),
        (["--size", "320x240"], (320, 240)),
        (["--smallest"], (320, 240)),
        (["--min-size", "330x16", "--smallest"], (640, 480)),
        (["--max-size", "8000x8000"], (1920, 1080)),
        (["--max-size", "1280x719"], (640, 480)),
        (["--camera", "0", "--buffers", "3", "--control", "FaceDetectMode=Off"], (1280, 720)),
        ([*SIDE, "--smallest"], (322, 242)),
    ],
    ids=name,
)
def test_takes_the_size_that_was_asked_for(capture, arguments, size):
    program = capture(*arguments)
    assert program.slot.frame().size == size
    width, height = size
    program.slot.wait_state("awake", width=width, height=height)


# Pictures


@pytest.mark.parametrize(
    ("arguments", "turn"),
    [
        ([], lambda picture: picture),
        (["--rotate", "90"], lambda picture: picture.rotate(-90, expand=True)),
        (["--rotate", "180"], lambda picture: picture.rotate(180)),
        (["--rotate", "270"], lambda picture: picture.rotate(90, expand=True)),
        (["--flip", "horizontal"], ImageOps.mirror),
        (
            ["--flip", "vertical", "--rotate", "90"],
            lambda picture: ImageOps.flip(picture).rotate(-90, expand=True),
        ),
        (
            ["--smallest", "--rotate", "90"],
            lambda picture: picture.resize((322, 242)).rotate(-90, expand=True),
        ),
        (["--optimize"], lambda picture: picture),
    ],
    ids=name,
)
def test_the_picture_is_the_camera_s_turned_as_asked(capture, arguments, turn):
    program = capture(*SIDE, *arguments)
    program.slot.frame_like(turn(side_picture()))


def test_renditions_and_planes_are_turned_as_the_frame_is(capture):
    slot = capture(*SIDE, "--smallest", "--rotate", "90").slot
    upright = side_picture().resize((322, 242)).rotate(-90, expand=True)
    slot.frame()
    for file, size in (
        ("current.low.jpg", (242, 322)),
        ("current.half.jpg", (121, 161)),
        ("current.quarter.jpg", (61, 81)),
    ):
        slot.rendition(file).frame_like(upright.resize(size, Image.Resampling.BOX))
    head, rest = slot.rendition("current.y4m").look_after(0)[1].split(b"\n", 1)
    assert head.startswith(b"YUV4MPEG2 W242 H322 ")
    samples = rest.removeprefix(b"FRAME\n")
    luma = Image.frombytes("L", (242, 322), samples[: 242 * 322])
    chroma = samples[242 * 322 :]
    half = len(chroma) // 2
    colour = [
        Image.frombytes("L", (121, 161), plane).resize(luma.size)
        for plane in (chroma[:half], chroma[half:])
    ]
    assert difference(Image.merge("YCbCr", [luma, *colour]), upright) < 12


def test_frames_follow_one_another_and_none_is_torn(capture):
    program = capture("--size", "640x480")
    seen = set()
    for _ in range(50):
        captured, _ = program.slot.look_after(max(seen, default=0))
        seen.add(captured)
        check_frame(program.slot.look()[1])
    assert len(seen) == 50


def test_the_rate_is_kept_although_the_camera_is_faster(capture):
    program = capture("--size", "320x240", "--fps", "10")
    published = []
    while len(published) < 15:
        program.slot.look()
        inode = program.slot.file.stat().st_ino if program.slot.file.exists() else None
        if inode and (not published or published[-1][0] != inode):
            published.append((inode, program.slot.mtime()))
    assert published[-1][1] - published[0][1] > 0.1e9 * 13
    assert program.slot.state()["fps"] == 10


def test_the_cpu_reads_buffers_only_between_start_and_end(capture, environment):
    program = capture("--size", "320x240", "--linger", "100ms")
    for _ in range(3):
        before = program.slot.mtime() or 0
        program.slot.frame(after=before)
        program.slot.wait_state("asleep")
    assert program.stop() == 0
    reading = set()
    spans = 0
    for line in heap(environment):
        what, *_, inode = line.split()
        if what == "start":
            assert inode not in reading, "started twice"
            reading.add(inode)
            spans += 1
        elif what == "end":
            reading.remove(inode)
    assert spans >= 3, "no access was announced"
    assert not reading, "an access was never ended"


# Full pictures

BESIDE, CHANGE = "", "one"


@pytest.mark.parametrize("fault", [BESIDE, CHANGE], ids=["beside", "change"])
def test_full_pictures_are_the_camera_s_largest_turned_as_asked(capture, stills, fault):
    stills.write_text(fault)
    program = capture(*SIDE, "--smallest", "--rotate", "90", EYELID_LOG="debug")
    told = program.slot.wait_state("awake", height=322)["renditions"]["full"]
    assert (told["width"], told["height"]) == (720, 1280)
    for _ in range(3):
        asked_ns = time.time_ns()
        seen = program.slot.next_full()
        assert (program.slot.path / "current.full.jpg").stat().st_mtime_ns > asked_ns
        expected = side_picture().rotate(-90, expand=True)
        assert seen.size == expected.size and difference(seen, expected) < 12
        assert program.slot.frame(after=time.time_ns()).size == (242, 322)
    way = "full pictures of 1280x720 beside its frames"
    assert (f": {way}" in program.log(), f"no {way}" in program.log()) == (not fault, bool(fault))


@pytest.mark.parametrize("fault", [BESIDE, CHANGE], ids=["beside", "change"])
def test_a_stream_goes_on_after_a_full_picture(start, capture, stills, directory, fault):
    stills.write_text(fault)
    program = capture("--size", "640x480", EYELID_LOG="debug")
    address = served(start, directory)
    # Until it comes there may be a "no signal", which is dated when it is sent.
    program.slot.frame()
    with Stream(address) as stream:
        before = [stream.part() for _ in range(20)]
        assert program.slot.next_full().size == (1920, 1080)
        parts = [stream.part() for _ in range(100)]
    stamps = [float(part.headers["x-timestamp"]) for part in before + parts]
    assert all(part.live() for part in parts)
    assert stamps == sorted(set(stamps)), "a frame came twice, or out of order"
    assert {check_frame(part.jpeg).size for part in parts} == {(640, 480)}
    program.wait_log("ms were a full picture's")
    assert program.slot.wait_state("awake")["error"] is None


@pytest.mark.parametrize("fault", [BESIDE, CHANGE], ids=["beside", "change"])
def test_a_full_picture_takes_how_long(capture, stills, fault):
    """With -s it says so (docs/sources.md)."""
    stills.write_text(fault)
    program = capture("--size", "640x480", EYELID_LOG="debug")
    program.slot.frame()
    began = time.monotonic()
    program.slot.next_full()
    first_ms = (time.monotonic() - began) * 1000
    # A picture that is looked at is a wish for the next.
    pictures = 5
    while len(re.findall("ms were a full picture's", program.log())) < pictures:
        program.slot.next_full()
        program.slot.frame(after=time.time_ns())
    kept_ms = [int(ms) for ms in re.findall(r"(\d+) ms were a full", program.log())]
    print(f"{fault or 'beside'}: {first_ms:.0f} ms from the wish to the first picture;")
    print(f"kept from the stream for {kept_ms} ms")
    assert max(kept_ms) < 3000, "0.4 s of it is the wait for the exposure"


def test_a_camera_that_fails_at_its_full_size_goes_on_without(capture, stills):
    stills.write_text("one narrow")
    program = capture("--size", "640x480")
    program.slot.frame()
    full = program.slot.path / "current.full.jpg"
    wait_for(full.exists, "an offer")
    full.read_bytes()
    wait_for(lambda: not full.exists(), program.log)
    assert program.slot.frame(after=time.time_ns()).size == (640, 480)
    state = program.slot.wait_state("awake")
    assert "full" not in state["renditions"] and state["error"] is None
    (line,) = re.findall(".*no full pictures.*", program.log())
    assert "cannot configure it: Cannot allocate memory" in line
    assert "failed" not in program.log()


@pytest.mark.parametrize("fault", [BESIDE, CHANGE], ids=["beside", "change"])
def test_full_pictures_and_sleeps_leave_no_buffer_behind(capture, stills, environment, fault):
    stills.write_text(fault)
    program = capture("--size", "320x240", "--linger", "500ms")
    program.slot.frame()
    counts = []
    for _ in range(4):
        # The second look is a wish as well, and is answered before the camera sleeps.
        program.slot.next_full()
        program.slot.wait_state("asleep")
        maps = Path(f"/proc/{program.pid}/maps").read_text()
        counts.append((fewest_descriptors(program.pid), maps.count("eyelid-heap-buffer")))
    assert program.stop() == 0
    assert len(set(counts)) == 1, counts
    reading = set()
    for line in heap(environment):
        what, *_, inode = line.split()
        if what == "start":
            assert inode not in reading, "started twice"
            reading.add(inode)
        elif what == "end":
            reading.remove(inode)
    assert not reading, "an access was never ended"


def test_a_camera_at_its_largest_size_offers_no_full_pictures(capture):
    program = capture("--size", "1920x1080")
    program.slot.frame()
    assert "full" not in program.slot.wait_state("awake")["renditions"]
    assert not (program.slot.path / "current.full.jpg").exists()


# Time


@pytest.mark.parametrize("boot_s", [0, 500_000], ids=["never slept", "slept for days"])
def test_mtime_is_the_moment_of_capture_however_long_the_machine_slept(capture, boot_s):
    before = ("unshare", "--time", "--boottime", str(boot_s)) if boot_s else ()
    program = capture("--size", "320x240", before=before)
    for _ in range(5):
        asked_ns = time.time_ns()
        captured, _ = program.slot.look_after(asked_ns)
        assert captured <= time.time_ns(), "captured in the future"


# Asleep and awake


def test_from_asleep_to_a_stream_and_back(start, capture, directory):
    program = capture("--size", "640x480", "--linger", "1s")
    address = served(start, directory)
    # A producer that starts assumes that somebody looks.
    asleep = program.slot.wait_state("asleep")
    assert (asleep["source"], asleep["error"], asleep["settling"]) == ("libcamera", None, False)
    assert json.loads(get(address, "/status").body)["cameras"][0]["state"] == "asleep"

    asked_ns = time.time_ns()
    answer = get(address, "/snapshot")
    assert answer.status == 200
    assert float(answer.headers["x-timestamp"]) * 1e9 >= asked_ns - 1e6
    assert check_frame(answer.body).size == (640, 480)
    awake = program.slot.wait_state("awake", width=640, height=480, settling=False)

    with Stream(address) as stream:
        parts = [stream.part() for _ in range(100)]
        program.slot.wait_state("awake")
    stamps = [float(part.headers["x-timestamp"]) for part in parts]
    assert all(part.live() for part in parts)
    assert stamps == sorted(set(stamps)), "a frame came twice, or out of order"
    assert {check_frame(part.jpeg).size for part in parts} == {(640, 480)}
    assert len({part.jpeg for part in parts}) == 100, "the bars move with each frame"

    asleep = program.slot.wait_state("asleep")
    assert asleep["since"] > awake["since"]
    assert (asleep["error"], asleep["settling"]) == (None, False)


def fewest_descriptors(pid):
    """Gives how many files a process has open at the least.

    While it makes a frame, which it may, there are more.
    """
    counts = []
    wait_for(lambda: counts.append(descriptors(pid)) or len(counts) == 50, "fifty looks")
    return min(counts)


def memory_kb(pid):
    return int(re.search(r"Rss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[1])


def test_a_thousand_sleeps_leave_no_trace(capture, environment):
    """EYELID_SLEEPS says how many, for a longer run by hand."""
    sleeps = int(os.environ.get("EYELID_SLEEPS", "1000"))
    program = capture("--size", "320x240", "--linger", "0s")
    program.slot.frame()
    seen = {}
    for sleep in range(sleeps):
        program.slot.wait_state("asleep")
        program.slot.look_after(program.slot.mtime())
        if sleep in (sleeps // 10, sleeps - 1):
            seen[sleep] = fewest_descriptors(program.pid), memory_kb(program.pid)
    (files, memory), (last_files, last_memory) = seen.values()
    buffers = sum(line.startswith("alloc") for line in heap(environment))
    print(
        f"{sleeps} sleeps: {last_files} descriptors, {memory} KB, then {last_memory} KB,"
        f" {buffers} buffers in all"
    )
    assert last_files == files
    # AddressSanitizer keeps much of what was freed.
    more = 16 * 1024 if "EYELID_SANITIZED" in os.environ else 1024
    assert last_memory < memory + more
    assert buffers <= 8, "asleep is not released: buffers are allocated once"


# Faults


def test_no_camera_is_failed_with_what_libcamera_said_and_it_goes_on(capture):
    program = capture(**NO_CAMERA)
    error = program.slot.wait_state("failed")["error"]
    assert error.startswith("libcamera: no camera found"), error
    assert program.running()  # tests/vm plugs one in
    assert len(re.findall("no camera found", program.log())) <= 3, "it is not told again and again"


def test_a_camera_of_another_name_is_failed_and_the_others_are_named(capture):
    program = capture("--camera", "imx708")
    error = program.slot.wait_state("failed")["error"]
    assert error == 'libcamera: no camera "imx708": there is "Virtual0", "Virtual1"'


def test_without_memory_for_buffers_it_is_failed_and_says_why(capture):
    program = capture(LD_PRELOAD="")
    error = program.slot.wait_state("failed")["error"]
    assert error.startswith('camera "Virtual0": cannot allocate buffers: '), error


def test_a_camera_that_goes_silent_is_restarted_then_acquired_anew_then_given_up(capture, mute):
    program = capture("--size", "320x240", "--frame-timeout", "300ms")
    program.slot.frame()
    mute.touch()
    program.slot.look()
    assert program.wait() == 1
    # On a busy machine it may have been silent before, and gone on.
    steps = program.log().rpartition("stopping and starting it")[2].splitlines()[1:]
    steps = [line for line in steps if "no frame for 0.3s" in line]
    assert len(steps) >= 2, program.log()
    assert "acquiring it anew" in steps[0]
    assert (
        program.log()
        .splitlines()[-1]
        .startswith('eyelid-capture: error: camera "Virtual0" gave no frame')
    )
    state = program.slot.state()
    assert (state["state"], "giving up" in state["error"]) == ("failed", True)


def test_a_camera_that_was_silent_for_a_while_goes_on(capture, mute):
    program = capture("--size", "320x240", "--frame-timeout", "2s")
    program.slot.frame()
    mute.touch()
    program.slot.look()
    program.wait_log("stopping and starting it")
    mute.unlink()
    program.slot.frame(after=time.time_ns())
    assert program.slot.wait_state("awake")["error"] is None


def test_libcamera_s_log_is_ours_with_its_level(capture):
    program = capture(EYELID_LOG="info")
    program.slot.frame()
    assert re.search(r"^eyelid-capture: info: libcamera Camera: libcamera v\d", program.log(), re.M)
    quiet = capture("--camera", "1", EYELID_LOG="warn")
    quiet.slot.frame()
    assert "Adding camera" not in quiet.log()
