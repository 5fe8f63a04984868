"""The JPEGs of cameras: shown to the last pixel, or refused by name, and a rendition shown."""

import json

import jpegs
import players
import pytest
from PIL import Image
from rtsp import Client

from harness.feed import picture
from harness.frames import difference

FRAMES = 4


@pytest.mark.parametrize("name", jpegs.PLAYED)
def test_shown_to_the_last_pixel(rtp, feed, directory, name):
    jpeg = jpegs.PLAYED[name].picture(directory / "camera.jpg")
    url = rtp(feed("slots", jpeg).slot).url
    width, height = jpegs.PLAYED[name].size
    # RTP carries the size in units of 8 pixels: what is beyond the picture is cut off. Two columns
    # and rows have one colour, and so an odd one's is left out.
    crops = [f"crop={width // 2 * 2}:{height // 2 * 2}:0:0"]
    if width % 2 or height % 2:
        crops.append(f"format=gray,crop={width}:{height}:0:0")
    for crop in crops:
        shown = players.ffmpeg(url, "tcp", FRAMES, filters=crop)
        assert shown == [players.pixels(jpeg, crop)] * FRAMES


@pytest.mark.parametrize("name", jpegs.REFUSED)
def test_refused_by_name_where_there_is_nothing_else(rtp, feed, directory, name):
    camera, reason, _ = jpegs.REFUSED[name]
    program = rtp(feed("slots", camera.picture(directory / "camera.jpg")).slot)
    with Client(program.url) as client:
        client.play()
        program.wait_log(f'camera "default": {reason}; nothing is sent')


@pytest.mark.parametrize("name", jpegs.REFUSED)
def test_a_rendition_is_shown_in_its_place(rtp, start, feed, directory, name):
    camera, reason, (part, size) = jpegs.REFUSED[name]
    jpeg = camera.picture(directory / "camera.jpg")
    # Another program writes pictures into a folder, which is the camera.
    source = ["--source", f"folder:{feed('pictures', jpeg, fps=4).slot}"]
    start("eyelid-capture", "--slot", directory / "slots", *source)
    program = rtp(directory / "slots")
    for frame in players.frames(program.url, directory, 2):
        shown = Image.open(frame)
        assert shown.size == size
        assert difference(shown, Image.open(jpeg)) < 12
    program.wait_log(f'camera "default": {reason}; {part} of it is sent instead')


def test_so_is_one_in_place_of_a_rendition_that_is_too_large(rtp, start, feed, directory):
    camera, _, (_, size) = jpegs.REFUSED["Raspberry Pi Camera Module 3"]
    jpeg = camera.picture(directory / "camera.jpg")
    source = ["--source", f"folder:{feed('pictures', jpeg, fps=4).slot}"]
    start("eyelid-capture", "--slot", directory / "slots", *source)
    program = rtp(directory / "slots")
    assert players.sizes(f"{program.url}?size=low", directory, 2) == {size}
    program.wait_log("; a quarter of it is sent instead")


def test_so_is_one_that_takes_long_while_frames_come(rtp, feed, directory):
    camera, _, (part, size) = jpegs.REFUSED["a still camera"]
    slots = feed("slots", camera.picture(directory / "camera.jpg")).slot
    offered = dict(zip(["width", "height"], size, strict=True))
    state = {"state": "awake", "since": "2026-11-20T23:10:00Z", "renditions": {part: offered}}
    (slots / "state.json").write_text(json.dumps(state))
    # Whenever it comes, frames of newer exposures have come.
    file, made_in_s = f"current.{part}.jpg", 1.2
    options = {"fps": 1 / made_in_s, "file": file, "made_in_s": made_in_s}
    feed("slots", picture(directory / file, size), **options)
    assert players.sizes(rtp(slots).url, directory, 1) == {size}
