"""Home Assistant takes the camera by RTSP: its *Generic Camera*, with a stream source."""

import itertools
import subprocess

import pytest
from PIL import Image

from harness.feed import Feed, picture
from harness.frames import check_frame, difference
from harness.waiting import DEADLINE, wait_for

# Home Assistant names such a camera by its host, and takes each once.
HOSTS = (f"127.0.0.{number}" for number in itertools.count(2))
RECORDED_S = 4


@pytest.fixture
def rtsp(start, camera):
    """Serves the cameras by RTSP; gives the URL."""
    host = next(HOSTS)
    server = start("eyelid-rtp", "--slots", camera.slot.path, "--rtsp", f"{host}:0")
    return server.wait_log(rf"rtsp://{host}:[1-9]\d*")[0]


@pytest.fixture
def filmed(start, directory, camera):
    """Serves the cameras by RTSP as H.264; gives the URL."""
    host, taps, config = next(HOSTS), directory / "taps", directory / "video.toml"
    # What a recording consists of begins with keyframes (docs/video.md).
    config.write_text('[cameras.default]\ngop = "1s"\n')
    there = ["--slots", camera.slot.path, "--taps", taps]
    listen = ["--listen", f"{host}:0", "--udp", f"{host}:0"]
    video = start("eyelid-video", *there, *listen, "--config", config)
    video.wait_log("listening on")
    server = start("eyelid-rtp", *there, "--rtsp", f"{host}:0")
    url = server.wait_log(rf"rtsp://{host}:[1-9]\d*")[0]
    return f"{url}/default?codec=h264"


def add(home, url, transport, **more):
    """Fills in the form of *Generic Camera*."""
    fields = {"stream_source": url, "rtsp_transport": transport, "framerate": 2, **more}
    answer = home.fill_in("generic", {"verify_ssl": True, **fields}, {"confirmed_ok": True})
    return home.entity(answer)


def hashes(path):
    """Gives the hashes of the pixels of each frame of a file."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return [line.split(",")[5].strip() for line in lines]


def record(home, entity, name):
    """Has a recording made; gives its path."""
    file = home.directory / "www" / name
    content = {"entity_id": entity.name, "filename": str(file), "duration": RECORDED_S}
    home.order("/api/services/camera/record", content)
    wait_for(file.exists, "the recording")
    return file


def test_pictures_and_recordings_are_those_of_the_slot(home, camera, rtsp, directory):
    jpeg = picture(directory / "picture.jpg")
    feed = Feed(camera.slot.path / "door", jpeg)
    try:
        entity = add(home, f"{rtsp}/door", "tcp")
        # Without a URL of stills they are cut out of the stream, once it runs, and coded anew.
        wait_for(lambda: entity.picture().status == 200, "a still")
        assert difference(check_frame(entity.picture().body), Image.open(jpeg)) < 12
        frames = hashes(record(home, entity, "door.mp4"))
        assert len(frames) > 10
        assert set(frames) == set(hashes(jpeg))
    finally:
        feed.stop()


def test_the_camera_sleeps_after_a_recording_by_udp(home, camera, rtsp):
    still = {"still_image_url": f"{camera.open.url}/snapshot"}
    entity = add(home, rtsp, "udp", **still)
    camera.slot.wait_state("asleep")
    frames = hashes(record(home, entity, "default.mp4"))
    assert len(set(frames)) > 10, "the picture stands still"
    camera.slot.wait_state("asleep")


def test_h264_is_recorded_as_it_comes_and_the_camera_sleeps_after_it(home, camera, filmed):
    still = {"still_image_url": f"{camera.open.url}/snapshot"}
    entity = add(home, filmed, "tcp", **still)
    camera.slot.wait_state("asleep")
    recording = record(home, entity, "h264.mp4")
    probe = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0"]
    said = subprocess.run([*probe, recording], capture_output=True, text=True, check=True)
    assert (said.stdout.strip(), said.stderr) == ("h264,640", "")
    frames = hashes(recording)
    assert len(set(frames)) > 10, "the picture stands still"
    camera.slot.wait_state("asleep")
