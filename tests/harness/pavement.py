"""A slot that shows a street of many stones, live: empty, or with a visitor who walks."""

import io
import os
import random
import threading
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageStat

WIDTH, HEIGHT = 640, 360
STEPS = 100
STEP_PX = 5
VISITOR_PX = (48, 120)
TOP = 180
# Each picture has another noise, as a camera's has: so many of them, again and again.
NOISES = 7


class Street(threading.Thread):
    """Publishes pictures by the rules of docs/slot.md."""

    def __init__(self, slot, fps=8):
        super().__init__(daemon=True)
        self.slot = Path(slot)
        self.slot.mkdir(parents=True, exist_ok=True)
        self.empty, self.walk = pictures()
        self.interval = 1 / fps
        self.visitor = False
        self.off = False
        self._stopped = threading.Event()
        self.start()

    def run(self):
        """Publishes until it is stopped."""
        step = 0
        while not self._stopped.wait(self.interval):
            if self.off:
                continue
            step += 1
            # To and fro: who jumps from one end to the other is two people.
            there = abs(step % (2 * STEPS - 2) - STEPS + 1)
            hidden = self.slot / ".current.jpg.new"
            hidden.write_bytes(self.walk[there] if self.visitor else self.empty[step % NOISES])
            os.rename(hidden, self.slot / "current.jpg")

    def stop(self):
        """Publishes no more."""
        self._stopped.set()
        self.join()


@cache
def pictures():
    """Gives the JPEGs of the empty street and those of a walk: drawing them takes seconds."""
    empty = paving()
    walk = [encoded(walking(empty, 30 + step * STEP_PX)) for step in range(STEPS)]
    return [encoded(empty) for _ in range(NOISES)], walk


def paving():
    """Draws the empty street: stones of many greys, the same each time."""
    chance = random.Random(4)
    columns, rows = WIDTH // 8, HEIGHT // 8
    stones = Image.frombytes(
        "L", (columns, rows), bytes(chance.randrange(40, 220) for _ in range(columns * rows))
    )
    return stones.resize((WIDTH, HEIGHT)).convert("RGB")


def walking(empty, left):
    """Draws a visitor into it, in stripes: what is all of one kind might be a shadow."""
    picture = empty.copy()
    pen = ImageDraw.Draw(picture)
    width, height = VISITOR_PX
    for row in range(0, height, 16):
        grey = 25 if row % 32 else 75
        pen.rectangle((left, TOP + row, left + width, TOP + row + 16), fill=(grey, grey, grey))
    return picture


def encoded(picture):
    """Adds a sensor's noise, and encodes it."""
    noise = Image.effect_noise(picture.size, 6).convert("RGB")
    noisy = ImageChops.add(picture, noise, offset=-128)
    out = io.BytesIO()
    noisy.save(out, "JPEG", quality=90)
    return out.getvalue()


def has_visitor(jpeg):
    """Says whether the visitor is in a picture."""
    picture = Image.open(io.BytesIO(jpeg)).convert("L")
    different = ImageChops.difference(picture, paving().convert("L")).point(
        lambda level: 255 if level > 35 else 0
    )
    share = ImageStat.Stat(different).mean[0] / 255
    return share > 0.5 * VISITOR_PX[0] * VISITOR_PX[1] / (WIDTH * HEIGHT)
