"""`encoder = "v4l2"` and what `auto` makes of it, by a device that is not there
(pretended_encoder.c). The kernel's own queues: tests/vm/vicodec. What a Raspberry Pi's hardware
makes of it only a Raspberry Pi shows.
"""

import io
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat
from video import nal_types

from harness.waiting import wait_for

SOURCE = Path(__file__).with_name("pretended_encoder.c")
SPS, PPS, IDR, SLICE = 7, 8, 5, 1
CONFIGURATION = 78
# Faults that a device at work does not notice.
AT_THE_START = {"refuse", "denied", "small"}


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("pretended") / "pretended_encoder.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", path, SOURCE, "-ldl"], check=True)
    return path


class Device:
    """The pretended encoder of one test."""

    def __init__(self, directory, library):
        self.directory = directory
        directory.mkdir()
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "PRETENDED_ENCODER": str(directory),
        }
        self.is_at("/dev/video11")

    def is_at(self, path):
        (self.directory / "node").write_text(path)

    def fault(self, *words):
        """What is wrong with it from now on."""
        new = self.directory / "new"
        new.write_text(" ".join(words))
        new.rename(self.directory / "fault")

    def told(self):
        """What it was told, in order."""
        with suppress(FileNotFoundError):
            return (self.directory / "log").read_text().splitlines()
        return []


@pytest.fixture
def device(directory, library):
    return Device(directory / "device", library)


@pytest.fixture
def encoded(video, device):
    """Starts eyelid-video with that device."""

    def encoded(*arguments):
        return video(*arguments, env=device.environment)

    return encoded


def planes(annex_b, size):
    """Decodes H.264 with ffmpeg, which may find no fault in it; gives the last picture's planes."""
    command = ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo"]
    command += ["-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-"]
    played = subprocess.run(command, input=annex_b, capture_output=True, check=True)
    assert not played.stderr, played.stderr
    width, height = size
    half = (width // 2, height // 2)
    luma, chroma = width * height, half[0] * half[1]
    assert len(played.stdout) % (luma + 2 * chroma) == 0, "a picture of this size"
    last = played.stdout[-(luma + 2 * chroma) :]
    y, u, v = last[:luma], last[luma : luma + chroma], last[luma + chroma :]
    return [
        Image.frombytes("L", size, y).point(
            lambda value: max(0, min(255, (value - 16) * 255 // 219))
        ),
        *(Image.frombytes("L", half, plane) for plane in (u, v)),
    ]


def keyframe(tap):
    """Waits for the next keyframe."""
    for _ in range(100):
        is_key, _, _, _, annex_b = tap.picture()
        if is_key:
            return annex_b
    raise AssertionError("no keyframe among 100 pictures")


@pytest.mark.parametrize(
    ("size", "faults"),
    [
        ((640, 480), []),
        ((322, 242), []),
        ((339, 241), ["aligned"]),
        ((322, 242), ["bare", "nokey"]),
    ],
)
def test_it_shows_what_the_camera_shows(camera, encoded, device, size, faults):
    """In all planes, whatever the device makes of a width."""
    device.fault(*faults)
    door = camera(size=size)
    shown = encoded("--encoder", "v4l2")
    with shown.timed() as tap:
        pictures = [tap.picture() for _ in range(6)]
        tap.ask_key()
        while not pictures[-1][0]:
            assert len(pictures) < 60
            pictures.append(tap.picture())
        pictures.append(tap.picture())
        jpeg = door.look()[1]
    even = (size[0] // 2 * 2, size[1] // 2 * 2)
    got = planes(b"".join(picture[-1] for picture in pictures), even)
    camera_planes = Image.open(io.BytesIO(jpeg)).convert("YCbCr").split()
    for ours, theirs in zip(got, camera_planes, strict=True):
        theirs = theirs.crop((0, 0, *even)).resize(ours.size, Image.Resampling.BOX)
        apart = ImageStat.Stat(ImageChops.difference(ours, theirs)).mean[0]
        # The picture moves and has a clock: most of it is the same.
        assert apart < 12, (apart, size)
    for is_key, _, _, _, annex_b in pictures:
        assert nal_types(annex_b) == ([SPS, PPS, IDR] if is_key else [SLICE])
    assert [picture[0] for picture in pictures].count(True) == 2, "the first, and that wished for"
    assert shown.program.log().count("encoder: v4l2 by /dev/video11 (bcm2835-codec-encode)") == 1


def test_the_device_is_told_what_it_needs(camera, encoded, device, directory):
    camera(size=(322, 242))
    file = directory / "eyelid.toml"
    file.write_text('[video]\nencoder = "v4l2"\nbitrate = "25M"\n')
    shown = encoded("--config", file)
    with shown.timed() as tap:
        tap.picture()
        # Looking for it, and then the encode.
        begin = len(device.told()) - 1 - device.told()[::-1].index("open")
        told = device.told()[begin:]
        assert told[1].startswith("format capture 322x242 H264 row 0 bytes 1572864 ")
        assert told[2].startswith("format output 322x242 YU12 row 384 bytes 139392 colours 1 2")
        # More than 20 Mbit/s it does not bear.
        assert told[3:] == [
            "rate 30", "period 54000", "gop 54000",
            "profile 1", "level 11", "header 1", "repeat 1", "bitrate 20000000",
        ]  # fmt: skip
        file.write_text('[video]\nencoder = "v4l2"\nbitrate = "500k"\n')
        shown.program.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if device.told()[-1] == "bitrate 500000":
                break
            tap.picture()
        else:
            raise AssertionError(device.told())
        [encode] = shown.status()["encodes"]
    assert device.told().count("open") == 2, "one encode, whatever its bitrate"
    assert encode["encoder"] == "v4l2 by /dev/video11 (bcm2835-codec-encode)"


def test_it_is_given_back_when_nobody_watches(camera, encoded, device):
    door = camera(size=(320, 240))
    shown = encoded()
    for _ in range(2):
        with shown.tap() as tap:
            tap.read(1000)
        door.wait_state("asleep")
    wait_for(lambda: device.told().count("open") == device.told().count("close"), "its closing")


@pytest.mark.parametrize("fault", ["refuse", "denied", "hang", "eio", "broken", "gone"])
def test_a_device_that_fails_is_said_and_tried_again(camera, encoded, device, fault):
    camera(size=(320, 240))
    shown = encoded("--encoder", "v4l2")
    if fault in AT_THE_START:
        device.fault(fault)
    with shown.timed() as tap:
        if fault not in AT_THE_START:
            tap.picture()
            device.fault(fault)
        said = shown.program.wait_log(r'camera "door": not encoded: v4l2: (.*)')[1]
        assert said.startswith("/dev/video11 "), said
        assert fault != "hang" or "it hangs" in said
        device.fault()
        keyframe(tap)


@pytest.mark.parametrize("fault", ["refuse", "small", "hang", "eio"])
def test_auto_goes_on_with_openh264(camera, encoded, device, fault):
    camera(size=(642, 482))
    shown = encoded()
    said = r"encoder: v4l2 by /dev/video11 \(.*\); openh264 with .* where that fails"
    shown.program.wait_log(said)
    if fault in AT_THE_START:
        device.fault(fault)
    with shown.timed() as tap:
        if fault not in AT_THE_START:
            tap.picture()
            assert "encoded by v4l2 by /dev/video11" in shown.program.log()
            device.fault(fault)
        assert nal_types(keyframe(tap)) == [SPS, PPS, IDR]
    shown.program.wait_log(r'camera "door": encoded by openh264')
    assert ("the processor encodes instead" in shown.program.log()) == (fault != "small")


def test_auto_says_why_it_takes_what_it_takes(encoded, device):
    (device.directory / "node").unlink()
    said = encoded().program.wait_log("encoder: (.*)")[1]
    assert re.match(r"openh264 with .*; not v4l2: no /dev/video\* .* encodes H.264", said), said


def test_it_is_found_elsewhere_and_what_is_none_is_left_alone(camera, encoded, device):
    device.is_at("/dev/video3")
    camera(size=(320, 240))
    shown = encoded("--encoder", "v4l2")
    shown.program.wait_log(r"encoder: v4l2 by /dev/video3 \(bcm2835-codec-encode\)")
    with shown.timed() as tap:
        assert tap.picture()[0]


@pytest.mark.parametrize(
    ("fault", "said"),
    [("foreign", r"no /dev/video\* that is let in here encodes H\.264"),
     ("denied", r"/dev/video11: Permission denied .*docs/video\.md")],
)  # fmt: skip
def test_v4l2_without_a_device_is_a_fault_of_the_configuration(
    start, directory, device, fault, said
):
    device.fault(fault)
    (directory / "slots").mkdir()
    where = ["--slots", directory / "slots", "--listen", "127.0.0.1:0", "--udp", "0"]
    for more in ([], ["--check"]):
        arguments = [*where, "--encoder", "v4l2", *more]
        program = start("eyelid-video", *arguments, env=device.environment)
        assert program.wait() == CONFIGURATION
        assert re.search(f'encoder "v4l2": {said}', program.log() + program.out())
