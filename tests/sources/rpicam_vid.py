"""A stand-in for `rpicam-vid --codec mjpeg -o -`: takes its options, and writes frames as it writes
them.

Written after the sources of rpicam-apps (encoder/mjpeg_encoder.cpp, output/file_output.cpp,
core/options.cpp). Its JPEGs come from libjpeg with nothing but the quality set: JFIF first,
baseline, 4:2:0, the usual Huffman tables, no restart markers, no EXIF, no thumbnail, and nothing
between two of them. Each is written by one fwrite() to stdout, whose buffer (4096 bytes on a pipe)
keeps the end of it back until the next frame, unless --flush is given. What it has to say goes to
stderr.

Nobody who wrote this has a Pi, so there is no recording of a real one. Pillow's libjpeg is the
nearest to it; $ENCODER may say `ffmpeg`, which comments its JPEGs and has other tables, so that
nothing hangs on one encoder's habits.
"""

import argparse
import io
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

PHOTOGRAPH = Path(os.environ["EYELID_TESTS_CACHE"]) / "media" / "china.jpg"
CYCLE = 4  # frames that differ, over and over
STDIO_BUFFER_BYTES = 4096
TAKES_A_VALUE = [
    "camera",
    "mode",
    "rotation",
    "hdr",
    "tuning-file",
    "denoise",
    "autofocus-mode",
    "lens-position",
    "shutter",
    "gain",
    "flicker-period",
    "awb",
    "awbgains",
]  # and changes nothing here


def frame(number, width, height, quality, encoder="libjpeg"):
    """Gives the JPEG of a frame: a photograph with a bar that moves."""
    return ENCODERS[encoder](picture(number, width, height), quality)


def picture(number, width, height):
    """Gives what the camera sees."""
    with Image.open(PHOTOGRAPH) as photograph:
        picture = photograph.convert("RGB").resize((width, height))
    bar = width // CYCLE
    picture.paste(
        (255, 255, 255), (number % CYCLE * bar, 0, (number % CYCLE + 1) * bar, height // 4)
    )
    return picture


def by_libjpeg(picture, quality):
    """Gives the JPEG of a picture."""
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=quality, subsampling="4:2:0")
    return jpeg.getvalue()


def by_ffmpeg(picture, quality):
    """Gives the JPEG of a picture; the quality is ffmpeg's own."""
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{picture.width}x{picture.height}"]
    jpeg = ["-pix_fmt", "yuvj420p", "-q:v", "4", "-f", "mjpeg", "-"]
    run = subprocess.run(
        ["ffmpeg", "-v", "error", *raw, "-i", "-", *jpeg],
        input=picture.tobytes(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return run.stdout


ENCODERS = {"libjpeg": by_libjpeg, "ffmpeg": by_ffmpeg}


def options(arguments):
    """Reads the options: those of rpicam-vid that make sense here, with its defaults."""
    parser = argparse.ArgumentParser("rpicam-vid", allow_abbrev=False)
    parser.add_argument("--nopreview", "-n", action="store_true")
    parser.add_argument("--timeout", "-t", default="5000")
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--framerate", type=float, default=30.0)
    parser.add_argument("--quality", "-q", type=int, default=50)
    parser.add_argument("--flush", action="store_true")
    parser.add_argument("--output", "-o", default="")
    for name in TAKES_A_VALUE:
        parser.add_argument(f"--{name}")
    for name in ["hflip", "vflip"]:
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args(arguments)


def main():
    """Writes frames until it is ended."""
    chosen = options(sys.argv[1:])
    for wrong, what in [
        (not chosen.nopreview, "a preview window, and no display"),
        (chosen.timeout != "0", "it would end by itself"),
        (chosen.codec != "mjpeg", f"{chosen.codec} is not JPEG"),
        (chosen.output != "-", "stdout would stay empty"),
    ]:
        if wrong:
            sys.exit(f"ERROR: *** {what} ***")
    print("Mode selection for a stand-in", file=sys.stderr, flush=True)
    encoder = os.environ.get("ENCODER", "libjpeg")
    frames = [
        frame(number, chosen.width, chosen.height, chosen.quality, encoder)
        for number in range(CYCLE)
    ]
    with open(1, "wb", buffering=STDIO_BUFFER_BYTES) as stdout:
        for jpeg in itertools.cycle(frames):
            stdout.write(jpeg)
            if chosen.flush:
                stdout.flush()
            time.sleep(1 / chosen.framerate)


if __name__ == "__main__":
    main()
