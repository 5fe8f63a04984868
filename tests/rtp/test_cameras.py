"""The JPEGs of cameras: shown to the last pixel, or refused by name, and a rendition shown."""

import jpegs
import players
import pytest
from PIL import Image
from rtsp import Client

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
    for frame in players.frames(program.url, directory, 3):
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
    assert players.sizes(f"{program.url}?size=low", directory) == {size}
    program.wait_log("; a quarter of it is sent instead")
