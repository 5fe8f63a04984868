"""The downloaded photographs."""

import io
import os
import shlex
from pathlib import Path

from PIL import Image, ImageOps

MEDIA = Path(os.environ["EYELID_TESTS_CACHE"]) / "media"


def photographs():
    """Gives every downloaded photograph.

    The sources also carry deliberately broken files, which are left out.
    """
    files = sorted(file for file in MEDIA.glob("*.jpg") if file.stat().st_size > 0)
    assert len(files) > 10, f"no photographs in {MEDIA} (tests/sources/media-files fetches them)"
    return files


def upright(jpeg):
    """Decodes a picture and turns it the way its EXIF says."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg))).convert("RGB")


class Photo:
    """A photograph: its bytes, and how it looks."""

    def __init__(self, name):
        self.jpeg = (MEDIA / name).read_bytes()
        self.picture = upright(self.jpeg)


def play(video, *output):
    """Gives a command that plays a video, in its own time and for ever, and writes it to stdout."""
    source = ["-re", "-stream_loop", "-1", "-i", str(video), "-an"]
    return shlex.join(["ffmpeg", "-nostdin", "-v", "error", *source, *output, "-"])
