"""A camera that costs nothing: one picture, exposed anew 30 times a second."""

import io
import os
import threading
import time

from PIL import Image

INTERVAL = 1 / 30
SEGMENT = 65_533  # bytes of a comment's text at most


def picture(size_bytes):
    """Gives a full HD JPEG of about so many bytes: how many is all that matters to a link."""
    jpeg = io.BytesIO()
    Image.new("RGB", (1920, 1080), "#456").save(jpeg, "JPEG")
    head, rest = jpeg.getvalue()[:20], jpeg.getvalue()[20:]
    padding, missing = b"", size_bytes - len(jpeg.getvalue())
    while missing > 4:
        text = bytes(min(missing - 4, SEGMENT))
        padding += b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text
        missing -= len(text) + 4
    return head + padding + rest


class Camera:
    """Publishes each frame in a slot (docs/slot.md), and tells who asks of the newest."""

    def __init__(self, slot, size_bytes):
        self.jpeg = picture(size_bytes)
        self._slot = slot
        self._exposed = threading.Condition()
        self._captured = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._slot.mkdir()
        self._thread.start()
        self.newest(after=0.0)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def newest(self, after):
        """Waits for a frame after a time, if there is none; gives the time of the newest."""
        with self._exposed:
            self._exposed.wait_for(lambda: self._captured > after)
            return self._captured

    def _run(self):
        due = time.monotonic()
        hidden = self._slot / ".next"
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += INTERVAL
            captured = time.time()
            hidden.write_bytes(self.jpeg)
            os.utime(hidden, (captured, captured))
            hidden.rename(self._slot / "current.jpg")
            with self._exposed:
                self._captured = captured
                self._exposed.notify_all()
