"""Frigate, go2rtc and motion get pictures.

motion is itself. Of Frigate it is its ffmpeg with its arguments; of go2rtc its rules, read in its
source and written anew.
"""

import itertools

import pytest
from client import run
from PIL import Image

from harness.frames import check_frame, difference
from harness.http import connect, get
from harness.waiting import wait_for

FRAMES = 10
SECONDS = 3  # longer than so many frames take
TICKS = 25  # in a second of ffmpeg's time for MJPEG

# `preset-http-mjpeg-generic` and `preset-http-jpeg-generic`, and what the role "detect" makes of
# them.
FRIGATE = [
    "-avoid_negative_ts",
    "make_zero",
    "-fflags",
    "nobuffer",
    "-flags",
    "low_delay",
    "-strict",
    "experimental",
    "-fflags",
    "+genpts+discardcorrupt",
    "-use_wallclock_as_timestamps",
    "1",
]
FRIGATE_STREAM = ["-user_agent", "FFmpeg Frigate", *FRIGATE]
FRIGATE_SNAPSHOTS = ["-r", "5", "-stream_loop", "-1", "-f", "image2", *FRIGATE]
FRIGATE_DETECT = [
    "-r",
    "5",
    "-vf",
    "fps=5,scale=320:240",
    "-threads",
    "2",
    "-f",
    "rawvideo",
    "-pix_fmt",
    "yuv420p",
    "pipe:",
]

MOTION = """
daemon off
netcam_url {address}
framerate 15
target_dir {directory}
snapshot_interval 1
picture_output off
movie_output off
webcontrol_port 0
stream_port 0
"""


# Frigate


@pytest.mark.parametrize(
    "preset, path",
    [(FRIGATE_STREAM, "/stream"), (FRIGATE_SNAPSHOTS, "/snapshot.jpg")],
    ids=["mjpeg", "jpeg"],
)
def test_frigate_detects_in_distinct_frames(camera, directory, preset, path):
    taken = directory / "taken"
    ffmpeg = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", *preset, "-i", camera.url + path]
    hashes = ["-c", "copy", "-t", SECONDS, "-f", "framehash", "-hash", "md5", taken]
    video = run(*ffmpeg, "-frames:v", FRAMES, *FRIGATE_DETECT, *hashes)
    lines = [line for line in taken.read_text().splitlines() if not line.startswith("#")]
    assert len({line.rpartition(",")[2] for line in lines}) == len(lines) > FRAMES, "a frame twice"
    size = 320 * 240 * 3 // 2
    assert len(video) == FRAMES * size
    distinct = len({video[at : at + size] for at in range(0, len(video), size)})
    # ffmpeg itself repeats a frame where none has come for 0.2 s, as on a busy machine.
    came = [int(line.split(",")[1]) / TICKS for line in lines]
    late = sum(int((after - before) / 0.16) for before, after in itertools.pairwise(came))
    assert distinct >= FRAMES - late, f"{distinct} of {FRAMES}; taken at {came}"


# go2rtc


def go2rtc_next(file):
    """Reads the next part of a stream by go2rtc's rules, and gives the JPEG."""
    while (line := file.readline()) == b"\r\n":
        pass
    assert line.startswith(b"--"), f"no boundary: {line!r}"
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    assert b"content-length" in headers, f"a part without its length: {headers}"
    jpeg = file.read(int(headers[b"content-length"]))
    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[6:10] in (b"JFIF", b"Exif"), "go2rtc would decode and encode this frame"
    return jpeg


def test_go2rtc_takes_frames_as_they_are(camera):
    with connect(camera.url) as connection, connection.makefile("rb") as file:
        connection.sendall(
            b"GET /stream HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\n\r\n"
        )
        assert file.readline().split()[1] == b"200"
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += file.readline()
        types = [
            line.split(b":")[1]
            for line in head.lower().splitlines()
            if line.startswith(b"content-type:")
        ]
        assert [kind.split(b";")[0].strip() for kind in types] == [b"multipart/x-mixed-replace"]
        frames = [go2rtc_next(file) for _ in range(FRAMES)]
    assert len(set(frames)) == FRAMES, "the same frame twice"
    for frame in frames:
        check_frame(frame)


# motion


@pytest.mark.parametrize(
    "path", ["/stream", "/?action=stream", "/snapshot.jpg", "/?action=snapshot"]
)
def test_motion_sees_a_moving_picture(camera, directory, start, path):
    pictures = directory / "pictures"
    pictures.mkdir()
    config = directory / "motion.conf"
    config.write_text(MOTION.format(address=camera.url + path, directory=pictures))
    motion = start("motion", "-n", "-c", config)
    expected = check_frame(get(camera.url, "/snapshot").body)
    seen = {}

    def several():
        for path in pictures.glob("*-snapshot.jpg"):
            try:
                picture = Image.open(path)
                picture.load()
            except OSError:
                # Motion is still writing it.
                continue
            if (
                path not in seen
                and picture.size == expected.size
                and difference(picture, expected) < 12
            ):
                seen[path] = picture.tobytes()
        return len(set(seen.values())) > 2

    wait_for(several, lambda: f"pictures from motion; it said:\n{motion.log()}")
