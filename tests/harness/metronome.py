"""Noticing that this machine has no time."""

import threading
import time


class Metronome(threading.Thread):
    """Notices when this machine stops or has no time.

    What is late then is no fault of the programs.
    """

    TICK_S = 0.05
    LATE_S = 0.3

    def __init__(self):
        super().__init__(daemon=True)
        self.late_at = time.monotonic()
        self.start()

    def run(self):
        while True:
            before = time.monotonic()
            time.sleep(self.TICK_S)
            if time.monotonic() - before > self.TICK_S + self.LATE_S:
                self.late_at = time.monotonic()
