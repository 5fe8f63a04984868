"""Calling docker/haproxy_low_latency.sh."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "haproxy_low_latency.sh"
CONFIGURATIONS = Path(__file__).with_name("configurations")
MARK = b"haproxy_low_latency.sh"


def call(*arguments, shell=("/bin/sh",), path=None):
    """Runs the script with a shell and a PATH, and gives what became of it."""
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    command = [*shell, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, env=environment)


def low_latency(*arguments, **options):
    """Runs the script, which must succeed, and gives its stdout."""
    done = call(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
