"""Examples of our crates that stand beside the programs, for what no program does alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.programs import binary
from runner.suites import REPOSITORY


def example(package, name):
    """Gives the path of an example, built if need be, as the programs were."""
    path = Path(binary(f"examples/{name}"))
    directory = path.parents[1]
    profiles = {"quick": ["--profile", "quick"], "release": ["--release"], "debug": []}
    if shutil.which("cargo") and directory.name in profiles:
        build = ["cargo", "build", "--locked", *profiles[directory.name]]
        which = ["--package", package, "--example", name]
        target = ["--target-dir", directory.parent]
        subprocess.run([*build, *which, *target], cwd=REPOSITORY, check=True)
    if not path.exists():
        pytest.fail(f"no {str(path)!r}, and no cargo to build it with")
    return path
