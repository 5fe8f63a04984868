"""H.264 from eyelid-video's tap: players show what lies in the slot, as encoding leaves it."""

import itertools
from urllib.parse import urlsplit

import cv2
import packets
import players
import pytest
from PIL import Image
from rtsp import Client, Ports

from harness.frames import difference
from harness.waiting import wait_for

# Each frame may be made of less than the one before has left to be desired: the rate begins low.
FRAMES = 30
# How far pictures of the feed are apart at least.
INTERVAL_S = 1 / 15
# What encoding at a low rate does to a picture; another picture differs by more than 50.
ENCODED = 8


def look(frame, jpeg):
    """Says how far a frame is from the picture."""
    shown = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return difference(shown, Image.open(jpeg).convert("RGB"))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffmpeg(h264, slots, jpeg, monkeypatch, transport):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"rtsp_transport;{transport}")
    capture = cv2.VideoCapture(h264(slots), cv2.CAP_FFMPEG)
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") == b"h264"
    for _ in range(FRAMES):
        read, frame = capture.read()
        assert read
    capture.release()
    assert look(frame, jpeg) < ENCODED


@pytest.mark.parametrize("protocols", ["tcp", "udp"])
def test_gstreamer(h264, slots, jpeg, directory, protocols):
    frames = players.gstreamer_h264(h264(slots), directory, protocols, FRAMES)
    assert len(frames) >= FRAMES - 1
    assert (
        difference(Image.open(frames[-1]).convert("RGB"), Image.open(jpeg).convert("RGB")) < ENCODED
    )


def test_the_camera_wakes_for_it_and_sleeps_after_it(h264, asleep, monkeypatch):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    capture = cv2.VideoCapture(h264(asleep.path), cv2.CAP_FFMPEG)
    assert capture.read()[0]
    capture.release()
    asleep.wait_state("asleep")


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_who_lacks_a_picture_gets_a_keyframe(h264, slots, way):
    """Of itself the camera has none, for it has no `gop`."""
    url = urlsplit(h264(slots))
    path = f"{url.path}?{url.query}"
    with Client(f"{url.scheme}://{url.netloc}") as client, Ports() as ports:
        if way == "udp":
            ports.play(client, path)
            come = ports.packets

            def ask():
                ports.rtcp.sendto(packets.picture_loss(ports.ssrc), ports.server)

        else:
            client.play(path)
            come = client.rtp_packets

            def ask():
                feedback = packets.picture_loss(come(1)[0].ssrc)
                client.socket.sendall(b"$\1" + len(feedback).to_bytes(2) + feedback)

        def keyframes(of):
            return [packet.timestamp for packet in of if packets.is_keyframe(packet.payload)]

        assert keyframes(come(20)), "it begins with one"
        assert not keyframes(come(60)[10:]), "another, of itself"
        for _ in range(2):
            ask()
            wait_for(lambda: keyframes(come(1)), "a keyframe")
            last = come(1)[0].timestamp
            while come(1)[0].timestamp == last:
                pass


def test_a_recorder_keeps_what_came(h264, slots, directory):
    film = directory / "film.mp4"
    options = ["-rtsp_transport", "tcp", "-i", h264(slots), "-c", "copy", "-frames:v", FRAMES]
    players.run("ffmpeg", "-nostdin", "-loglevel", "error", *options, film)
    assert len(players.hashes("-i", film)) == FRAMES
    probe = ["-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", film]
    said = players.run("ffprobe", *probe)
    # Of the first picture by RTSP ffmpeg knows no time, whoever sends it (docs/rtp.md).
    times = [float(line.strip(",")) for line in said.split()][1:]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(gaps) == FRAMES - 2 and min(gaps) > 0, gaps
    assert sum(gaps) > 0.9 * len(gaps) * INTERVAL_S, gaps
