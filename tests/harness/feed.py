"""A slot in which somebody puts the same picture again and again: what players show is known."""

import os
import threading
import time
from pathlib import Path

from PIL import Image


def picture(path, size=(640, 480), mode="RGB", **options):
    """Writes a JPEG with detail everywhere, and gives its path."""
    width, height = size
    detailed = Image.effect_noise((width // 8, height // 8), 90).convert("RGB").resize(size)
    stripes = Image.linear_gradient("L").resize(size).convert("RGB")
    options = {"quality": 85, "subsampling": "4:2:0", **options}
    Image.blend(detailed, stripes, 0.5).convert(mode).save(path, "JPEG", **options)
    return Path(path)


class Feed(threading.Thread):
    """Publishes one picture, 15 times a second or as told, by the rules of docs/slot.md.

    It may be a rendition's file, and each may be captured some time before it comes.
    """

    def __init__(self, slot, jpeg, fps=15, file="current.jpg", made_in_s=0):
        super().__init__(daemon=True)
        self.slot, self.file, self.made_in_s = Path(slot), file, made_in_s
        self.slot.mkdir(parents=True, exist_ok=True)
        self.jpeg = Path(jpeg).read_bytes()
        self.interval = 1 / fps
        self.stopped = threading.Event()
        self.start()

    def run(self):
        """Publishes until it is stopped."""
        while not self.stopped.wait(self.interval):
            captured = time.time() - self.made_in_s
            hidden = self.slot / f".{self.file}.new"
            hidden.write_bytes(self.jpeg)
            os.utime(hidden, (captured, captured))
            os.rename(hidden, self.slot / self.file)

    def stop(self):
        """Publishes no more."""
        self.stopped.set()
        self.join()
