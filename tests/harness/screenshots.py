"""The screenshots in docs/images: what takes them runs, and they still show what a user sees."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from harness.frames import difference

TESTS = Path(__file__).parents[1]
IMAGES = TESTS.parent / "docs" / "images"


def check_screenshot(name, script, suite, directory):
    """Takes a screenshot as its script does, and compares it with the one in docs/images."""
    environment = os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS / suite}"}
    subprocess.run([sys.executable, IMAGES / script, directory], env=environment, check=True)
    with Image.open(directory / name) as taken, Image.open(IMAGES / name) as stored:
        assert taken.size == stored.size
        assert difference(taken, stored) < 12, (
            f"docs/images/{name} shows something else: take it again"
        )
