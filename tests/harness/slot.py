"""A slot, for tests."""

import json
import os
from pathlib import Path

from harness.frames import check_frame, difference
from harness.waiting import wait_for

FILES = {
    "state.json",
    "current.jpg",
    "current.low.jpg",
    "current.half.jpg",
    "current.quarter.jpg",
    "current.full.jpg",
    "current.y4m",
}
"""All that a producer may leave in a slot (docs/slot.md)."""


def left_behind(path):
    """Gives the names of what a slot should not have."""
    # eyelid has the sockets of other programs there, where those are installed.
    return {file.name for file in Path(path).iterdir()} - FILES - {".doors"}


class Slot:
    """A slot, seen with a reader's eyes."""

    def __init__(self, path, producer=None, file="current.jpg"):
        self.path = Path(path)
        self.file = self.path / file
        self._producer = producer

    def rendition(self, file):
        """Gives the same slot, for who looks at another file of its exposures."""
        return Slot(self.path, self._producer, file)

    def _wait(self, condition, what):
        def still():
            ended = self._producer and not self._producer.running()
            value = condition()
            assert value or not ended, f"{self._producer.name} ended:\n{self._producer.log()}"
            return value

        return wait_for(still, lambda: f"{what}; state: {self.state()}")

    def look(self):
        """Reads the frame, which asks for the next one.

        Gives (mtime in ns, bytes), or None if there is none.
        """
        try:
            with open(self.file, "rb") as file:
                return os.fstat(file.fileno()).st_mtime_ns, file.read()
        except FileNotFoundError:
            return None

    def mtime(self):
        """Gives the frame's mtime without asking for another frame; None if there is none."""
        try:
            return self.file.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def frame(self, after=0):
        """Looks until a frame captured after a time (ns) is there; gives the picture, checked."""
        return check_frame(self.look_after(after)[1])

    def look_after(self, after):
        """Looks until a frame captured after a time (ns) is there; gives what `look` does."""
        return self._wait(
            lambda: (seen := self.look()) and seen[0] > after and seen,
            f"a frame in {self.path} newer than {after}",
        )

    def next_full(self):
        """Looks once at the picture in full resolution and waits for the next one; gives it,
        checked.
        """
        file = self.path / "current.full.jpg"
        before = self._wait(lambda: file.exists() and (file.stat().st_mtime_ns,), f"a {file}")
        file.read_bytes()
        self._wait(lambda: (file.stat().st_mtime_ns,) > before, f"another {file}")
        return check_frame(file.read_bytes())

    def frame_where(self, wanted, what):
        """Looks until the frame is as `wanted`; gives the picture.

        Every frame on the way is checked.
        """
        seen = []

        def search():
            if look := self.look():
                seen[:] = [check_frame(look[1])]
                return wanted(seen[0])
            return False

        self._wait(search, what)
        return seen[0]

    def frame_like(self, picture):
        """Looks until the frame shows a certain picture; gives the frame."""
        return self.frame_where(
            lambda seen: seen.size == picture.size and difference(seen, picture) < 12,
            f"a picture of {picture.size}",
        )

    def state(self):
        """Gives the parsed state.json; None if there is none."""
        try:
            return json.loads((self.path / "state.json").read_text())
        except FileNotFoundError:
            return None

    def wait_state(self, *names, **fields):
        """Waits until the camera is in one of these states and its fields are so, without looking
        at its frame.

        What a frame has changed of the state is told after the frame.
        """
        return self._wait(
            lambda: (
                (state := self.state())
                and state["state"] in names
                and fields.items() <= state.items()
                and state
            ),
            f"state {' or '.join(names)} {fields or ''}",
        )
