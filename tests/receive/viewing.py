"""Who looks at a pushed camera, and notes what came when."""

import threading
import time
from dataclasses import dataclass

from pictures import mark

from harness.stream import Stream
from harness.waiting import wait_for


@dataclass(frozen=True)
class Seen:
    """A picture that was shown."""

    came_ns: int
    number: int
    captured_ns: int

    @property
    def age_ms(self):
        """How old it was then, by the camera's own stamp."""
        return (self.came_ns - self.captured_ns) / 1e6


class Viewer:
    """Reads a stream of `eyelid-server` until it is left."""

    def __init__(self, url, path="/door/stream"):
        self._stream = Stream(url, path)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()
        self._stream.close()

    _stop = False

    def _run(self):
        while not self._stop:
            part = self._stream.part()
            came_ns = time.time_ns()
            if part.live() and (known := mark(part.jpeg)):
                self.seen.append(Seen(came_ns, known.number, known.captured_ns))

    def wait(self, number, after_ns=0):
        """Waits until so many pictures have come after a moment; gives them."""

        def came():
            return [seen for seen in self.seen if seen.came_ns > after_ns]

        return wait_for(
            lambda: (seen := came()) and len(seen) >= number and seen,
            lambda: f"{number} pictures; {len(came())} came",
        )
