"""Waiting for conditions."""

import time

# Seconds until a wait is given up: only a hang takes this long, however busy the machine.
DEADLINE = 40.0


def wait_for(condition, what, deadline=DEADLINE):
    """Polls until `condition()` is true and gives its value; fails with `what` at the deadline."""
    end = time.monotonic() + deadline
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise AssertionError(
                f"not within {deadline:.0f} s: {what() if callable(what) else what}"
            )
        time.sleep(0.02)
