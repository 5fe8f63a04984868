"""`v4l2` and `auto`: what USB cameras do, by cameras that are not there (pretended_cameras.c).

Real drivers: tests/vm.
"""

import io
import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from harness.frames import check_frame, difference
from harness.http import get
from harness.programs import binary
from harness.slot import Slot
from harness.waiting import wait_for

SOURCE = Path(__file__).with_name("pretended_cameras.c")
BRIGHTNESS = "control 9963776 1 -64 64 0 Brightness"
EXPOSURE = """\
control 10094849 3 0 3 3 Auto Exposure
choice 10094849 1 Manual Mode
choice 10094849 3 Aperture Priority Mode
control 10094850 1 1 5000 157 Exposure Time, Absolute"""
SETUP = 78


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("pretended") / "pretended_cameras.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", path, SOURCE, "-ldl"], check=True)
    return path


class Cameras:
    """The pretended cameras of one test."""

    def __init__(self, directory, library, photo):
        self.directory = directory
        for name in ("dev", "fault", "log"):
            (directory / name).mkdir(parents=True)
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "PRETENDED_CAMERAS": str(directory),
        }
        self.picture = photo.convert("RGB").resize((640, 480))
        jpeg = io.BytesIO()
        self.picture.save(jpeg, "JPEG", quality=90)
        self.jpeg = jpeg.getvalue()
        self.files = {"MJPG": self.jpeg, "YUYV": yuyv(self.picture), "NV12": nv12(self.picture)}
        for name, content in self.files.items():
            (directory / name).write_bytes(content)

    def plug_in(
        self, number=0, *lines, formats=("MJPG 640x480 30,15,5",), card="HD Webcam C525", **about
    ):
        """Makes a camera; what it gives of a format is the picture."""
        lines = [*(f"{key} {value}" for key, value in about.items()), f"card {card}", *lines]
        lines += [f"format {text} {self.directory / text.split()[0]}" for text in formats]
        new = self.directory / "new"
        new.write_text("\n".join((f"bus usb-{number}", *lines, "")))
        new.rename(self.directory / "dev" / f"video{number}")

    def unplug(self, number=0):
        (self.directory / "dev" / f"video{number}").unlink()

    def fault(self, word, number=0):
        """Makes something wrong with a camera; nothing, with an empty word."""
        path = self.directory / "fault" / f"video{number}"
        if word:
            path.write_text(word)
        else:
            path.unlink()

    def told(self, number=0):
        """What a camera was told, in order."""
        with suppress(FileNotFoundError):
            return (self.directory / "log" / f"video{number}").read_text().splitlines()
        return []

    def forget(self, number=0):
        (self.directory / "log" / f"video{number}").unlink(missing_ok=True)

    def run(self, *arguments):
        """Runs eyelid-capture to its end."""
        command = [binary("eyelid-capture"), *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=self.environment, timeout=60
        )


def yuyv(picture):
    y, cb, cr = picture.convert("YCbCr").split()
    half = (picture.width // 2, picture.height)
    cb, cr = (plane.resize(half, Image.Resampling.BOX).tobytes() for plane in (cb, cr))
    pixels = bytearray(picture.width * picture.height * 2)
    pixels[0::2], pixels[1::4], pixels[3::4] = y.tobytes(), cb, cr
    return bytes(pixels)


def nv12(picture):
    y, cb, cr = picture.convert("YCbCr").split()
    half = (picture.width // 2, picture.height // 2)
    cb, cr = (plane.resize(half, Image.Resampling.BOX).tobytes() for plane in (cb, cr))
    chroma = bytearray(len(cb) * 2)
    chroma[0::2], chroma[1::2] = cb, cr
    return y.tobytes() + bytes(chroma)


@pytest.fixture
def cameras(directory, library, china):
    return Cameras(directory / "cameras", library, china.picture)


@pytest.fixture
def capture(start, directory, cameras):
    """Starts `eyelid-capture` with the pretended cameras; gives the program with its `slot`."""

    def capture(source, *arguments):
        path = directory / "slot"
        arguments = ("--slot", path, "--source", source, *arguments)
        program = start("eyelid-capture", *arguments, env=cameras.environment)
        program.slot = Slot(path, program)
        return program

    return capture


def jpegs(program):
    """Looks until there is a frame; gives its bytes."""
    program.slot.frame()
    return program.slot.file.read_bytes()


# What is taken


@pytest.mark.parametrize(
    "source", ["v4l2", "auto", "/dev/video0", "v4l2:/dev/video0", "v4l2:webcam", "v4l2:usb-0"]
)
def test_jpegs_are_passed_through(cameras, capture, source):
    cameras.plug_in()
    program = capture(source)
    assert jpegs(program) == cameras.jpeg
    program.slot.wait_state("awake", width=640, height=480)


def test_the_readme_s_line_shows_the_camera(cameras, start, directory):
    cameras.plug_in()
    arguments = (
        "--listen",
        "127.0.0.1:0",
        "--slots",
        directory / "slots",
        "--source",
        "/dev/video0",
    )
    program = start("eyelid", *arguments, env=cameras.environment)
    url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    assert get(url, "/snapshot").body == cameras.jpeg


def test_huffman_tables_are_added_where_the_camera_leaves_them_out(cameras, capture):
    cameras.plug_in()
    bare, rest = b"", cameras.jpeg
    while rest[:2] != b"\xff\xda":
        length = 2 if rest[:2] == b"\xff\xd8" else 2 + int.from_bytes(rest[2:4])
        bare += b"" if rest[:2] == b"\xff\xc4" else rest[:length]
        rest = rest[length:]
    (cameras.directory / "MJPG").write_bytes(bare + rest + bytes(1000))
    seen = capture("v4l2").slot.frame()
    assert difference(seen, cameras.picture) < 12


@pytest.mark.parametrize("fourcc", ["YUYV", "NV12"])
def test_pixels_are_encoded(cameras, capture, fourcc):
    cameras.plug_in(formats=[f"{fourcc} 640x480 30"])
    seen = capture("v4l2").slot.frame()
    assert seen.size == (640, 480)
    assert difference(seen, cameras.picture) < 12


@pytest.mark.parametrize("fourcc", ["YUYV", "MJPG"])
def test_the_picture_is_turned(cameras, capture, fourcc):
    cameras.plug_in(formats=[f"{fourcc} 640x480 30"])
    seen = capture("v4l2", "--rotate", "90").slot.frame()
    assert difference(seen, cameras.picture.rotate(-90, expand=True)) < 12


@pytest.mark.parametrize("fourcc", ["YUYV", "NV12", "MJPG"])
def test_renditions_show_the_picture(cameras, capture, fourcc):
    cameras.plug_in(formats=[f"{fourcc} 640x480 30"])
    slot = capture("v4l2", "--rotate", "90").slot
    upright = cameras.picture.rotate(-90, expand=True)
    slot.frame()
    for name, divisor in (("low", 1), ("half", 2), ("quarter", 4)):
        seen = slot.rendition(f"current.{name}.jpg").frame()
        expected = upright.resize((480 // divisor, 640 // divisor), Image.Resampling.BOX)
        assert seen.size == expected.size, name
        assert difference(seen, expected) < 12, name
    assert ("y4m" in slot.state()["renditions"]) == (fourcc != "MJPG")
    half = slot.rendition("current.half.jpg")
    wait_for(
        lambda: slot.look()[0] == half.look()[0],
        lambda: f"frame and half of one exposure: {slot.mtime()} {half.mtime()}",
    )


@pytest.mark.parametrize("fourcc", ["YUYV", "NV12"])
def test_ffmpeg_opens_the_planes(cameras, capture, fourcc):
    cameras.plug_in(formats=[f"{fourcc} 640x480 30"])
    slot = capture("v4l2", "--flip", "vertical").slot.rendition("current.y4m")
    wait_for(slot.look, "what is offered")
    slot.look_after(0)
    pixels = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "error", "-i", slot.file, *pixels]
    done = subprocess.run(ffmpeg, capture_output=True, check=True)
    assert not done.stderr
    seen = Image.frombytes("RGB", (640, 480), done.stdout)
    # No JPEG in between: what is lost is half of the colour's rows and columns.
    upright = cameras.picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    assert difference(seen, upright) < 4


FORMATS = ("YUYV 320x240 30", "YUYV 640x480 30", "MJPG 640x480 30,15,5", "MJPG 1920x1080 30")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "S_FMT MJPG 640x480"),
        (("--smallest",), "S_FMT YUYV 320x240"),
        (("--max-size", "4000x4000"), "S_FMT MJPG 1920x1080"),
        (("--size", "320x240"), "S_FMT YUYV 320x240"),
    ],
)
def test_the_best_format_within_the_limits_is_taken(cameras, capture, arguments, expected):
    cameras.plug_in(formats=FORMATS)
    capture("v4l2", *arguments).slot.frame()
    assert [line for line in cameras.told() if line.startswith("S_FMT")] == [expected]


def test_a_size_that_there_is_not_is_an_error_at_the_start(cameras):
    cameras.plug_in(formats=FORMATS)
    done = cameras.run("--slot", "/x", "--source", "v4l2", "--size", "800x600")
    assert done.returncode == SETUP
    assert "no size 800x600: it has YUYV 320x240 640x480, MJPEG 640x480 1920x1080" in done.stderr


def test_the_slowest_rate_that_is_enough_is_taken(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2", "--fps", "10", "--buffers", "3")
    program.slot.frame()
    assert {"S_PARM 15", "REQBUFS 3"} <= set(cameras.told())


def test_the_moment_of_capture_is_the_cameras(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2")
    program.slot.frame()
    file = program.slot.file.stat()
    # Each frame is 100 ms old when it comes; a file's time of change counts in steps of up to 10
    # ms.
    assert 0.09 <= (file.st_ctime_ns - file.st_mtime_ns) / 1e9 < 10


# Which camera


def test_nodes_that_are_no_cameras_are_passed_over(cameras, capture):
    cameras.plug_in(0, capabilities="04a00000", card="Webcam")  # metadata
    cameras.plug_in(10, driver="bcm2835-codec", capabilities="04008000", card="decoder")
    cameras.plug_in(13, driver="bcm2835-isp", card="processor")
    cameras.plug_in(14, formats=["BA10 640x480 30"], card="unicam")
    cameras.plug_in(20, capabilities="24000001", card="rp1-cfe")
    cameras.plug_in(21)
    assert jpegs(capture("v4l2")) == cameras.jpeg
    listed = json.loads(cameras.run("--list", "--json").stdout)
    assert [camera["id"] for camera in listed if camera["source"] == "v4l2"] == ["/dev/video21"]
    done = cameras.run("--slot", "/x", "--source", "/dev/video0")
    assert done.returncode == SETUP
    assert "it gives a camera's metadata" in done.stderr


def test_a_part_of_a_name_is_one_cameras(cameras):
    cameras.plug_in(0, card="Arducam")
    cameras.plug_in(2, card="Arducam")
    done = cameras.run("--slot", "/x", "--source", "v4l2:arducam")
    assert done.returncode == SETUP
    assert "several cameras" in done.stderr
    assert "/dev/video2, at usb-2" in done.stderr
    done = cameras.run("--slot", "/x", "--source", "v4l2:arducam", "--camera", "usb-2")
    assert done.returncode == SETUP
    assert "leave one of them out" in done.stderr


def test_cameras_and_controls_are_listed(cameras):
    cameras.plug_in(0, BRIGHTNESS, EXPOSURE, formats=["MJPG 640x480 30,15,5", "H264 640x480 30"])
    done = cameras.run("--list", "--source", "v4l2")
    assert done.stdout == (
        "/dev/video0\n    v4l2, HD Webcam C525\n    MJPEG   640x480 (5 to 30 fps)\n"
        "    not used here: H264\n"
    )
    assert done.stderr == ""
    done = cameras.run("--list-controls", "--source", "v4l2:c525")
    assert done.stdout.splitlines() == [
        "auto_exposure           manual_mode, aperture_priority_mode"
        " [default: aperture_priority_mode]",
        "brightness              whole number, -64 to 64 [default: 0]",
        "exposure_time_absolute  whole number, 1 to 5000 [default: 157]",
    ]
    listed = json.loads(cameras.run("--list-controls", "--source", "/dev/video0", "--json").stdout)
    assert listed[0]["choices"] == ["manual_mode", "aperture_priority_mode"]


def test_without_a_camera_lists_say_so(cameras):
    done = cameras.run("--list", "--source", "v4l2")
    assert done.returncode == 1
    assert "v4l2: no camera found" in done.stderr
    assert cameras.run("--list", "--source", "v4l2", "--json").stdout == "[]\n"


def test_controls_are_set_after_their_automatics_are_off(cameras, capture):
    cameras.plug_in(0, BRIGHTNESS, EXPOSURE)
    program = capture(
        "v4l2", "--control", "Exposure Time, Absolute=300", "--control", "brightness=-5"
    )
    program.slot.frame()
    set_to = [line for line in cameras.told() if line.startswith("S_CTRL")]
    assert set_to == ["S_CTRL 10094849 1", "S_CTRL 10094850 300", "S_CTRL 9963776 -5"]
    done = cameras.run("--slot", "/x", "--source", "v4l2", "--control", "contrast=1")
    assert done.returncode == SETUP
    assert (
        'no control "contrast": it has auto_exposure, brightness, exposure_time_absolute'
        in done.stderr
    )


# Full pictures

LARGE = ("MJPG 640x480 30", "YUYV 320x240 30", "YUYV 1280x960 30")


@pytest.fixture
def large(cameras):
    """A camera that gives its largest pictures in another format than its frames."""
    picture = cameras.picture.resize((1280, 960))
    (cameras.directory / "large").write_bytes(yuyv(picture))
    cameras.plug_in(formats=LARGE)
    new, camera = cameras.directory / "new", cameras.directory / "dev" / "video0"
    text = camera.read_text()
    new.write_text(
        text.replace(f"960 30 {cameras.directory}/YUYV", f"960 30 {cameras.directory}/large")
    )
    new.rename(camera)
    cameras.large = picture
    return cameras


def test_a_full_picture_is_the_camera_s_largest_and_the_stream_goes_on(large, capture):
    program = capture("v4l2", "--max-size", "640x480", "--rotate", "180")
    program.slot.frame()
    told = program.slot.wait_state("awake")["renditions"]["full"]
    assert (told["width"], told["height"]) == (1280, 960)
    large.forget()
    seen = program.slot.next_full()
    assert seen.size == (1280, 960)
    assert difference(seen, large.large.rotate(180)) < 12
    newer = program.slot.frame(after=time.time_ns())
    assert difference(newer, large.picture.rotate(180)) < 12
    assert large.told()[:9] == [
        "STREAMOFF",
        "REQBUFS 0",
        "S_FMT YUYV 1280x960",
        "REQBUFS 2",
        "STREAMON",
        "STREAMOFF",
        "REQBUFS 0",
        "S_FMT MJPG 640x480",
        "REQBUFS 4",
    ]
    assert large.told()[9] == "STREAMON"
    assert "close" not in large.told()


def test_a_camera_that_has_nothing_larger_offers_no_full_pictures(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2")
    program.slot.frame()
    assert set(program.slot.wait_state("awake")["renditions"]) == {"low", "half", "quarter"}
    assert not (program.slot.path / "current.full.jpg").exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("small", "no room left"),
        ("mute", "gave none for 1s"),
        ("weak", "cannot get a frame of it"),
    ],
)
def test_a_camera_that_fails_at_its_full_size_goes_on_without(large, capture, fault, words):
    large.fault(fault)
    program = capture("v4l2", "--max-size", "640x480", "--frame-timeout", "1s")
    program.slot.frame()
    full = program.slot.path / "current.full.jpg"
    wait_for(full.exists, "an offer")
    full.read_bytes()
    wait_for(lambda: not full.exists(), lambda: f"no offer; log:\n{program.log()}")
    newer = program.slot.frame(after=time.time_ns())
    assert difference(newer, large.picture) < 12
    state = program.slot.wait_state("awake")
    assert "full" not in state["renditions"] and state["error"] is None
    assert program.log().count("no full pictures: ") == 1
    assert words in program.log()
    assert "failed" not in program.log()


def test_a_camera_that_is_pulled_while_it_takes_one_is_back_with_full_pictures(large, capture):
    large.fault("mute")
    program = capture("v4l2", "--max-size", "640x480")
    program.slot.frame()
    full = program.slot.path / "current.full.jpg"
    wait_for(full.exists, "an offer")
    full.read_bytes()
    wait_for(lambda: "S_FMT YUYV 1280x960" in large.told(), "the change")
    camera = large.directory / "dev" / "video0"
    text = camera.read_text()
    large.unplug()
    assert failed(program)["error"] == 'camera "/dev/video0" is gone'
    large.fault("")
    new = large.directory / "new"
    new.write_text(text)
    new.rename(camera)
    program.slot.frame(after=program.slot.mtime())
    assert program.slot.next_full().size == (1280, 960)
    assert "no full pictures" not in program.log()


# What happens


def test_asleep_it_is_stopped_but_kept(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2", "--linger", "200ms")
    program.slot.frame()
    cameras.forget()
    program.slot.wait_state("asleep")
    assert cameras.told() == ["STREAMOFF"]
    program.slot.frame(after=program.slot.mtime())
    assert cameras.told() == ["STREAMOFF", "STREAMON"]


def test_a_busy_camera_is_failed_until_it_is_free(cameras, capture):
    cameras.plug_in()
    cameras.fault("busy")
    program = capture("v4l2")
    state = failed(program)
    assert 'camera "/dev/video0": cannot configure it' in state["error"]
    assert "busy" in state["error"]
    cameras.fault("")
    assert jpegs(program) == cameras.jpeg


def failed(program):
    """Looks until the camera is failed; gives the state."""

    def looked():
        program.slot.look()
        state = program.slot.state()
        return state and state["state"] == "failed" and state

    return wait_for(looked, lambda: f"failed; state: {program.slot.state()}, log:\n{program.log()}")


def test_a_camera_is_back_at_once_when_it_is_plugged_in_again(cameras, capture):
    cameras.plug_in()
    cameras.environment["EYELID_LOG"] = "debug"
    program = capture("v4l2")
    program.slot.frame()
    cameras.unplug()
    assert failed(program)["error"] == 'camera "/dev/video0" is gone'

    def tries_seldom():
        program.slot.look()
        return re.search(r"next try in ([6-9]|1\d)s", program.log())

    delay_s = int(wait_for(tries_seldom, lambda: f"a long pause; log:\n{program.log()}")[1])
    began = time.monotonic()
    # Under another number, as where something else has it open still.
    cameras.plug_in(1)
    program.slot.frame(after=program.slot.mtime())
    assert time.monotonic() - began < delay_s - 1, "it was seen by the next try only"


def test_a_camera_whose_node_goes_after_it_is_not_taken_for_gone_twice(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2")
    program.slot.frame()
    cameras.fault("gone")
    assert failed(program)["error"].endswith("is gone")
    cameras.unplug()
    cameras.forget()
    cameras.fault("")
    cameras.plug_in()
    program.slot.frame(after=program.slot.mtime())
    program.slot.wait_state("awake")
    assert cameras.told().count("STREAMON") == 1


def test_a_camera_that_is_unplugged_asleep_is_let_go(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2", "--linger", "200ms")
    program.slot.frame()
    program.slot.wait_state("asleep")
    cameras.unplug()
    wait_for(
        lambda: cameras.told()[-1] == "close", lambda: f"the camera let go; told: {cameras.told()}"
    )
    cameras.plug_in()
    program.slot.frame(after=program.slot.mtime())


def test_a_camera_may_come_later(cameras, capture):
    program = capture("v4l2:C525")
    assert "no camera found" in failed(program)["error"]
    cameras.plug_in(3)
    assert jpegs(program) == cameras.jpeg


def test_a_silent_camera_is_restarted_opened_anew_and_given_up(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2", "--frame-timeout", "300ms")
    program.slot.frame()
    cameras.forget()
    cameras.fault("silent")

    def ended():
        program.slot.look()
        return not program.running()

    wait_for(ended, "its end")
    assert program.wait() == 1
    assert "gave no frame for 0.3s, not even acquired anew" in program.log()
    told = [line.split()[0] for line in cameras.told() if not line.startswith(("close", "S_"))]
    assert told == ["STREAMOFF", "STREAMON", "STREAMOFF", "REQBUFS", "STREAMON", "STREAMOFF"]


@pytest.mark.parametrize("fault", ["broken", "short"])
@pytest.mark.parametrize("fourcc", ["YUYV", "MJPG"])
def test_broken_frames_are_dropped(cameras, capture, fault, fourcc):
    cameras.plug_in(formats=[f"{fourcc} 640x480 30"])
    program = capture("v4l2")
    program.slot.frame()
    cameras.fault(fault)
    begin = {"at": 0}

    def nothing_new():
        # A frame that was good when the fault began may be on its way.
        before, begin["at"] = begin["at"], program.slot.mtime()
        program.slot.look()
        return before == begin["at"]

    wait_for(nothing_new, "no more frames")
    cameras.fault("")
    seen = program.slot.frame(after=program.slot.mtime())
    assert difference(seen, cameras.picture) < 12
    assert "failed" not in program.log()


def test_a_camera_that_breaks_down_is_tried_again(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2")
    program.slot.frame()
    cameras.fault("lost")
    assert "cannot get a frame of it" in failed(program)["error"]
    cameras.fault("full")
    wait_for(
        lambda: "no room left" in (program.slot.state()["error"] or ""),
        lambda: f"{program.slot.state()}",
    )
    cameras.fault("")
    program.slot.frame(after=program.slot.mtime())


def test_it_leaves_the_camera_stopped_and_closed(cameras, capture):
    cameras.plug_in()
    program = capture("v4l2")
    program.slot.frame()
    assert program.stop(signal.SIGTERM) == 0
    assert cameras.told()[-2:] == ["STREAMOFF", "close"]
    check_frame(program.slot.file.read_bytes())
