"""curl, ffmpeg, GStreamer, OpenCV, mpv and VLC show what `eyelid` sends."""

import hashlib
import os
import shutil
import subprocess
import time

import cv2
import pytest
from client import run
from PIL import Image

from harness.frames import check_frame
from harness.stream import BOUNDARY
from harness.waiting import DEADLINE, wait_for

FRAMES = 20
SNAPSHOTS = [
    "/snapshot",
    "/snapshot.jpg",
    "/?action=snapshot",
    "/?cacheBust=1795207369454&action=snapshot",
    "/webcam/?action=snapshot&bypassCache=1795207369454",
    "/default/snapshot",
]
STREAMS = [
    "/stream",
    "/stream.mjpg",
    "/?action=stream",
    "/?1795207369454&action=stream",
    "/webcam/?action=stream&1795207369454",
    "/default/stream",
]


def parse_head(head):
    """Gives the status line and the headers, as a list, of what curl wrote."""
    lines = head.decode().split("\r\n")
    return lines[0], [tuple(line.lower().split(": ", 1)) for line in lines[1:] if line]


@pytest.mark.parametrize("path", SNAPSHOTS)
def test_curl_gets_a_snapshot_captured_after_the_request(camera, directory, path):
    head, body = directory / "head", directory / "body"
    for _ in range(3):
        asked = time.time()
        run("curl", "-sS", "-D", head, "-o", body, camera.url + path)
        status, headers = parse_head(head.read_bytes())
        assert status.startswith("HTTP/1.1 200")
        assert check_frame(body.read_bytes()).size == (640, 480)
        assert len(headers) == len(dict(headers)), f"a header twice: {headers}"
        headers = dict(headers)
        assert headers["content-type"] == "image/jpeg"
        assert int(headers["content-length"]) == body.stat().st_size
        assert float(headers["x-timestamp"]) >= asked, "captured before it was asked for"
        assert {"no-store", "no-transform"} <= set(headers["cache-control"].split(", "))
        assert "last-modified" in headers


@pytest.mark.parametrize("path", STREAMS)
def test_curl_gets_a_stream(camera, path):
    curl = subprocess.Popen(["curl", "-sSNi", camera.url + path], stdout=subprocess.PIPE)
    try:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += curl.stdout.readline()
        status, headers = parse_head(head)
        assert status.startswith("HTTP/1.1 200")
        assert len(headers) == len(dict(headers)), f"a header twice: {headers}"
        headers = dict(headers)
        assert headers["content-type"] == "multipart/x-mixed-replace; boundary=boundarydonotcross"
        assert headers["connection"] == "close"
        assert {"no-store", "no-transform"} <= set(headers["cache-control"].split(", "))
        assert not {"content-length", "transfer-encoding"} & headers.keys()
        assert curl.stdout.readline() == BOUNDARY + b"\r\n"
    finally:
        curl.terminate()
        curl.wait()


def test_curl_asks_for_a_head_and_the_camera_sleeps_on(asleep):
    before = asleep.slot.state(), asleep.slot.mtime()
    for path in ["/snapshot", "/stream", "/", "/status"]:
        assert run("curl", "-sSI", asleep.url + path).startswith(b"HTTP/1.1 200")
    assert run("curl", "-sS", asleep.url + "/status").startswith(b"{")
    assert (asleep.slot.state(), asleep.slot.mtime()) == before


@pytest.mark.parametrize(
    "options", [[], ["-f", "mpjpeg", "-strict_mime_boundary", "1"]], ids=["auto", "strict"]
)
def test_ffmpeg_decodes_distinct_frames(camera, options):
    ffmpeg = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-xerror",
        *options,
        "-i",
        camera.url + "/stream",
    ]
    run(*ffmpeg, "-frames:v", FRAMES, "-f", "null", "-")
    table = run(
        *ffmpeg, "-fps_mode", "passthrough", "-frames:v", FRAMES, "-f", "framemd5", "-"
    ).decode()
    sums = [line.split(",")[-1] for line in table.splitlines() if not line.startswith("#")]
    assert len(sums) == FRAMES
    assert len(set(sums)) == FRAMES, "the same frame twice"


def test_gstreamer_decodes_distinct_frames(camera, directory):
    source = ["souphttpsrc", f"location={camera.url}/stream", "!", "multipartdemux", "!", "jpegdec"]
    end = [
        "!",
        "identity",
        f"eos-after={FRAMES + 1}",
        "!",
        "multifilesink",
        f"location={directory}/%03d.raw",
    ]
    subprocess.run(["gst-launch-1.0", "-q", *source, *end], check=True, timeout=2 * DEADLINE)
    frames = [path.read_bytes() for path in directory.glob("*.raw")]
    assert len(frames) == FRAMES
    assert {len(frame) for frame in frames} == {640 * 480 * 3 // 2}
    assert len({hashlib.sha256(frame).digest() for frame in frames}) == FRAMES, (
        "the same frame twice"
    )


def test_opencv_decodes_distinct_frames(camera):
    video = cv2.VideoCapture(camera.url + "/stream.mjpg", cv2.CAP_FFMPEG)
    try:
        seen = set()
        for _ in range(FRAMES):
            got, frame = video.read()
            assert got and frame.shape == (480, 640, 3)
            seen.add(frame.tobytes())
        assert len(seen) == FRAMES, "the same frame twice"
    finally:
        video.release()


def test_mpv_shows_distinct_frames(camera, directory):
    pictures = directory / "pictures"
    output = [
        "--vo=image",
        "--vo-image-format=png",
        "--vo-image-png-compression=0",
        f"--vo-image-outdir={pictures}",
    ]
    run(
        "mpv",
        "--no-config",
        "--really-quiet",
        "--untimed",
        *output,
        f"--frames={FRAMES}",
        camera.url + "/stream",
    )
    shown = [Image.open(path) for path in pictures.glob("*.png")]
    assert len(shown) == FRAMES
    assert {picture.size for picture in shown} == {(640, 480)}
    assert len({picture.tobytes() for picture in shown}) == FRAMES, "the same frame twice"


@pytest.mark.parametrize("path", ["/stream.mjpg", "/?action=stream"])
def test_vlc_shows_frames(camera, directory, start, path):
    output = directory / "vlc"
    output.mkdir()
    user = {}
    if os.geteuid() == 0:  # which VLC refuses to be
        directory.chmod(0o711)
        shutil.chown(output, "nobody", "nogroup")
        user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    video = output / "video.y4m"
    environment = {**os.environ, "HOME": str(output)}
    vlc = start(
        "cvlc", "--vout=yuv", f"--yuv-file={video}", camera.url + path, env=environment, **user
    )
    size = 640 * 480 * 3 // 2

    def shown():
        frames = video.read_bytes().split(b"FRAME\n") if video.exists() else []
        # VLC may show a frame twice while it waits for the next.
        return len({frame for frame in frames if len(frame) == size}) >= FRAMES

    wait_for(shown, lambda: f"different frames; VLC said:\n{vlc.log()}")


def test_all_of_them_at_once(camera):
    address = camera.url + "/stream"
    clients = [
        [
            "ffmpeg",
            "-nostdin",
            "-v",
            "error",
            "-i",
            address,
            "-frames:v",
            str(FRAMES),
            "-f",
            "null",
            "-",
        ],
        [
            "gst-launch-1.0",
            "-q",
            "souphttpsrc",
            f"location={address}",
            "!",
            "multipartdemux",
            "!",
            "jpegdec",
            "!",
            "identity",
            f"eos-after={FRAMES}",
            "!",
            "fakesink",
        ],
    ] * 3
    running = [subprocess.Popen(client) for client in clients]
    try:
        wait_for(
            lambda: all(client.poll() is not None for client in running),
            "every client has its frames",
        )
        assert [client.returncode for client in running] == [0] * len(running)
    finally:
        for client in running:
            client.kill()
            client.wait()
