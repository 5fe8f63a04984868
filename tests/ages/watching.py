"""Looks at a stream, and keeps how old each frame is when its last byte has come."""

import threading
import time
from contextlib import suppress

from harness.networks import inside
from harness.stream import BrokeOff, Stream


class Watcher:
    """A client on a computer of its own, until it is left."""

    def __init__(self, url, computer, path="/stream"):
        self._url, self._computer, self._path = url, computer, path
        self._stop = False
        self.ages = []  # seconds
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()

    def forget(self):
        """Lets what was seen so far not count."""
        self.ages = []

    def _run(self):
        with inside(self._computer):
            stream = Stream(self._url, self._path)
        with stream, suppress(BrokeOff, ConnectionError):
            while not self._stop:
                part = stream.part()
                self.ages.append(time.time() - float(part.headers["x-timestamp"]))
