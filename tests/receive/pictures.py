"""JPEGs of any size that a receiver publishes byte for byte, and some that it must not trust."""

import io
import re
import time
from dataclasses import dataclass
from functools import cache

from PIL import Image

WIDTH, HEIGHT = 320, 240
SOF0 = b"\xff\xc0"
BEHIND_JFIF = 20  # SOI and a JFIF segment without thumbnail, where comments may follow
MARK = re.compile(rb"number=(\d+) captured=(\d+);")


@dataclass(frozen=True)
class Mark:
    """What a picture says of itself."""

    number: int
    captured_ns: int


def picture(number, length=19_000, captured_ns=None):
    """Gives a JPEG of so many bytes, with a number and the moment when it was made in it."""
    captured_ns = time.time_ns() if captured_ns is None else captured_ns
    plain = _plain()
    text = b"number=%d captured=%d;" % (number, captured_ns)
    comments = _comments(text, length - len(plain))
    return plain[:BEHIND_JFIF] + comments + plain[BEHIND_JFIF:]


def mark(jpeg):
    """Gives what a picture says of itself; None where it is not one of ours."""
    found = MARK.search(jpeg)
    return Mark(int(found[1]), int(found[2])) if found else None


def claims(width, height):
    """Gives a small JPEG whose header says that it is this large."""
    plain = _plain()
    at = plain.index(SOF0) + 5
    return plain[:at] + height.to_bytes(2) + width.to_bytes(2) + plain[at + 4 :]


@cache
def bomb(mode="RGB", turned=True, side=8000):
    """Gives a JPEG of less than 1 MiB that has 8000 x 8000 pixels, to be shown turned (EXIF)."""
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    file = io.BytesIO()
    Image.new(mode, (side, side)).save(file, "JPEG", progressive=True, exif=exif, quality=30)
    return file.getvalue()


@cache
def lying(width, height):
    """Gives a JPEG of noise, which takes its time, to be shown turned (EXIF)."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    noise = Image.effect_noise((width, height), 40).convert("RGB")
    noise.save(file, "JPEG", exif=exif, quality=70)
    return file.getvalue()


@cache
def _plain():
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), "teal").save(file, "JPEG", quality=75)
    return file.getvalue()


def _comments(text, length):
    """Gives comment segments of so many bytes together, the first of which begins with a text.

    No byte of theirs but the markers' is FF, so that nobody takes a part of one for a marker.
    """
    comments = []
    while length:
        whole = next(
            size
            for size in range(min(length, 20_000), 0, -1)
            if (size - 2) % 256 != 255 and (length == size or length - size >= 4)
        )
        comments.append(b"\xff\xfe" + (whole - 2).to_bytes(2) + text.ljust(whole - 4, b"."))
        assert len(comments[-1]) == whole, f"no {length} bytes more"
        length, text = length - whole, b""
    return b"".join(comments)
