"""The way to a slow viewer: camera, server and proxy are here, and 2 Mbit/s between them and it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness import slow_links
from harness.slow_links import HERE
from harness.waiting import DEADLINE

LINK = 2_000_000  # bits per second


def make():
    """Makes it, in the namespace that this process is in."""
    slow_links.make([LINK // 1_000_000])


def view(path, port=80, seconds=10):
    """Looks at a stream from the slow viewer's place; gives what viewer.py prints."""
    viewer = Path(__file__).with_name("viewer.py")
    command = [
        "ip",
        "netns",
        "exec",
        "slow0",
        sys.executable,
        viewer,
        f"http://{HERE}:{port}{path}",
        str(seconds),
    ]
    environment = {**os.environ, "PYTHONPATH": str(viewer.parent.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + DEADLINE, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
