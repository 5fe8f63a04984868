"""JPEGs as cameras make them, rebuilt of what is known of each: segments, sampling, size.

No camera's own picture is here: each is one of ours with that camera's structure, and a comment
says where it is told.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image, JpegPresets

from harness.feed import picture

SOI = b"\xff\xd8"
APP0, DQT, DHT, SOS = 0xE0, 0xDB, 0xC4, 0xDA
# What MJPEG of AVI files and USB cameras has in place of JFIF.
AVI1 = b"\xff\xe0\x00\x10AVI1" + bytes(10)


def segments(jpeg):
    """Gives the segments of a JPEG's head, (code, bytes) each, and all that follows."""
    at, found = len(SOI), []
    while not found or found[-1][0] != SOS:
        code, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        found.append((code, jpeg[at : at + 2 + length]))
        at += 2 + length
    return found, jpeg[at:]


def as_it_is(jpeg):
    """As the encoder wrote it."""
    return jpeg


def without_huffman_tables(jpeg):
    """As USB cameras may leave them out (Motion-JPEG payload 1.1): they are the standard ones."""
    head, rest = segments(jpeg)
    return b"".join([SOI, AVI1, *(data for code, data in head if code not in (APP0, DHT)), rest])


def with_tables_in_one_segment(jpeg):
    """With both quantisation tables in one segment, of 132 bytes."""
    head, rest = segments(jpeg)
    tables = b"".join(data[4:] for code, data in head if code == DQT)
    both = b"\xff\xdb" + (2 + len(tables)).to_bytes(2) + tables
    others = [data for code, data in head if code != DQT]
    return b"".join([SOI, others[0], both, *others[1:], rest])


@dataclass(frozen=True)
class Camera:
    """What one camera's pictures are like."""

    size: tuple[int, int]
    options: dict = field(default_factory=dict)  # the encoder's
    dress: Callable[[bytes], bytes] = as_it_is

    def picture(self, path):
        """Writes a picture of its, and gives its path."""
        picture(path, self.size, **self.options)
        path.write_bytes(self.dress(path.read_bytes()))
        return path


def _three_tables():
    """Three quantisation tables: the colours have the same one under two numbers."""
    brightness, colour = JpegPresets.presets["web_high"]["quantization"][:2]
    return [brightness, colour, colour]


def _exif_with_thumbnail():
    """Exif with a second JPEG in it."""
    thumbnail = io.BytesIO()
    Image.new("RGB", (160, 120), "red").save(thumbnail, "JPEG")
    return b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail.getvalue()


YUV422 = {"subsampling": "4:2:2"}

# What RTP carries, as it is or recoded without a loss.
PLAYED = {
    # AlexxIT/go2rtc, pull request 2439.
    "Logitech C910": Camera((640, 480), YUV422, without_huffman_tables),
    # OpenIPC/smolrtsp, pull request 61.
    "Logitech C920": Camera(
        (1280, 720), YUV422 | {"restart_marker_blocks": 80}, without_huffman_tables
    ),
    # mpromonet/v4l2rtspserver, issue 361.
    "Logitech C922": Camera(
        (1920, 1080), YUV422 | {"restart_marker_rows": 1, "qtables": _three_tables()}
    ),
    # mpromonet/v4l2rtspserver, issue 253.
    "a USB camera": Camera((640, 480), YUV422, with_tables_in_one_segment),
    # Its manual: --restart. The height is no multiple of 8.
    "raspistill": Camera((1296, 972), {"restart_marker_rows": 2, "exif": _exif_with_thumbnail()}),
    # Files of phones that watch a folder or a door: coded by libraries, not by a sensor.
    "a phone, progressive": Camera((1440, 1080), {"progressive": True}),
    "an odd size with tables of its own": Camera((1279, 719), {"optimize": True}),
}

# What it does not carry: why, and which rendition goes in its place.
REFUSED = {
    # Of all its pixels; half of that is too large as well.
    "Raspberry Pi Camera Module 3": (
        Camera((4608, 2592), {"exif": _exif_with_thumbnail()}),
        "picture of 4608x2592, and RTP carries at most 2040x2040",
        ("a quarter", (1152, 648)),
    ),
    "a still camera": (
        Camera((1200, 800), {"subsampling": "4:4:4"}),
        "JPEG with sampling 444, and RTP carries 422 and 420",
        ("half", (600, 400)),
    ),
    "a grey camera": (
        Camera((1280, 800), {"mode": "L"}),
        "JPEG with sampling grey, and RTP carries 422 and 420",
        ("half", (640, 400)),
    ),
}
