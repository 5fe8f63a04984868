"""A clock that is wrong, for programs."""

import os
import time
from pathlib import Path


class Clock:
    """A clock for some programs (libfaketime), that can be set while they run.

    Time itself passes as it does.
    """

    def __init__(self, directory):
        self._file = directory / "clock"
        self.offset_s = 0
        self.set(0)
        # Files keep the times that programs give them, as on a machine whose clock was set.
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        self.environment = os.environ | {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset_s):
        """Sets it ahead of the real time, or back."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.rename(self._file)
        self.offset_s = offset_s

    def now(self):
        """Gives the time as the programs see it, seconds since 1970."""
        return time.time() + self.offset_s
