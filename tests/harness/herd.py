"""Very many cameras that sleep, in one thread: each has a frame as soon as one is wished for."""

import ctypes
import io
import json
import os
import threading
import time
from datetime import UTC, datetime

from PIL import Image

IN_OPEN, IN_CLOSE_NOWRITE = 0x20, 0x10
FRAMES = {"current.jpg": (320, 180), "current.quarter.jpg": (80, 45)}
INTERVAL_S = 0.1


def jpeg(size, level):
    """Gives a JPEG of one grey."""
    file = io.BytesIO()
    Image.new("L", size, level).save(file, "JPEG")
    return file.getvalue()


class Herd(threading.Thread):
    """Plays cameras of these names by the rules of docs/slot.md; they offer `quarter`.

    `woken` are those that somebody has looked at.
    """

    def __init__(self, slots, names):
        super().__init__(daemon=True)
        self.slots, self.woken = slots, set()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(0)
        self._watches, self._failed = {}, set()
        self._pictures = {
            file: [jpeg(size, level) for level in range(64, 256, 16)]
            for file, size in FRAMES.items()
        }
        self._stopped = threading.Event()
        for name in names:
            self._make(name)
        self.start()

    def _make(self, name):
        slot = self.slots / name
        slot.mkdir(parents=True)
        for file in FRAMES:
            self._publish(slot, file, captured=0)
        self.tell(name)
        watch = self._libc.inotify_add_watch(
            self._inotify, os.fsencode(slot), IN_OPEN | IN_CLOSE_NOWRITE
        )
        assert watch >= 0, os.strerror(ctypes.get_errno())
        self._watches[watch] = slot

    def tell(self, name, state="asleep", **more):
        """Says in a slot what its camera does; one that has failed gives no frames."""
        (self._failed.add if state == "failed" else self._failed.discard)(name)
        quarter = dict(zip(("width", "height"), FRAMES["current.quarter.jpg"], strict=True))
        told = {
            "version": 1,
            "state": state,
            "since": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "renditions": {"quarter": quarter},
            **more,
        }
        hidden = self.slots / name / ".state.new"
        hidden.write_text(json.dumps(told))
        hidden.rename(self.slots / name / "state.json")

    def _publish(self, slot, file, captured=None):
        captured = time.time() if captured is None else captured
        picture = self._pictures[file][int(captured / INTERVAL_S) % len(self._pictures[file])]
        hidden = slot / f".{file}.new"
        hidden.write_bytes(picture)
        os.utime(hidden, (captured, captured))
        hidden.rename(slot / file)

    def run(self):
        """Answers wishes, each camera ten times a second at most, until it is stopped."""
        while not self._stopped.wait(INTERVAL_S):
            for slot, file in self._wishes():
                self.woken.add(slot.name)
                if slot.exists() and slot.name not in self._failed:
                    self._publish(slot, file)

    def _wishes(self):
        """Waits for wishes; gives the slots and their files."""
        wished, events = set(), os.read(self._inotify, 1 << 20)
        while events:
            watch = int.from_bytes(events[:4], "little")
            length = int.from_bytes(events[12:16], "little")
            file = events[16 : 16 + length].rstrip(b"\0").decode()
            events = events[16 + length :]
            if file in FRAMES and watch in self._watches:
                wished.add((self._watches[watch], file))
        return wished

    def stop(self):
        """Plays no more; a thread that waits for a wish is left behind."""
        self._stopped.set()
