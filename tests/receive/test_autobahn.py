"""Autobahn's cases for WebSockets, against the layer that the receiver has."""

import re
import subprocess
import sys
from pathlib import Path

from harness.examples import example
from harness.http import free_port, wait_listening

CASES = 301  # without 12 and 13, which compress


def test_all_cases_of_autobahn(start, directory):
    address = f"127.0.0.1:{free_port()}"
    start(example("eyelid-receive", "echo"), address)
    wait_listening(f"http://{address}")
    kosoku = [Path(sys.executable).parent / "kosoku", "-m", "fuzzingclient", "-p", "4"]
    without = ["-x", "12.*", "-x", "13.*"]
    done = subprocess.run(
        [*kosoku, *without, "-o", directory / "report", address],
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(rf"\b{CASES}\b", said), said
