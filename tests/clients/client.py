"""Runs clients."""

import subprocess

from harness.waiting import DEADLINE


def run(*command):
    """Runs a client that must succeed without a word on stderr, and gives its stdout."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, timeout=2 * DEADLINE
    )
    errors = done.stderr.decode(errors="replace")
    assert (done.returncode, errors) == (0, ""), errors
    return done.stdout
