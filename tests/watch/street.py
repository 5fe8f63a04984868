"""A slot that shows the street in front of a door, live: empty, or with a visitor who walks."""

import io
import os
import threading
from pathlib import Path

from PIL import Image, ImageDraw
from scene import BLUE, HEIGHT, draw

STEPS = 24
STEP_PX = 20


class Street(threading.Thread):
    """Publishes pictures by the rules of docs/slot.md."""

    def __init__(self, slot, fps=8):
        super().__init__(daemon=True)
        self.slot = Path(slot)
        self.slot.mkdir(parents=True, exist_ok=True)
        self.empty = draw()
        self.walk = [walking(self.empty, 40 + step * STEP_PX) for step in range(STEPS)]
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
            hidden.write_bytes(self.walk[there] if self.visitor else self.empty)
            os.rename(hidden, self.slot / "current.jpg")

    def stop(self):
        """Publishes no more."""
        self._stopped.set()
        self.join()


def walking(empty, left):
    """Draws a visitor into the empty street."""
    picture = Image.open(io.BytesIO(empty))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, 120, left + 40, HEIGHT - 100), fill=BLUE)
    # In a striped shirt: what is darker than the street all over is the shadow of somebody.
    for top in range(124, 190, 16):
        pen.rectangle((left, top, left + 40, top + 7), fill=(240, 240, 235))
    pen.ellipse((left + 8, 90, left + 32, 120), fill=(225, 180, 150))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()
