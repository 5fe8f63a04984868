"""Builds the programs that suites test, or says of given ones that they are old."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from runner.suites import REPOSITORY

# Those that are packaged, a row each.
ROWS = (REPOSITORY / "packaging/programs").read_text().splitlines()
PROGRAMS = sorted(row.split()[0] for row in ROWS if not row.startswith("#"))

PROFILE = "quick"  # of Cargo.toml


def cargo():
    """Says whether there is a cargo to build with."""
    return shutil.which("cargo") is not None


def build():
    """Builds all programs, which is quick when nothing has changed; gives where they are.

    Without link-time optimisation, which is most of what a release takes to build.
    """
    native = ["--features", "eyelid-video/native"]
    # The manual is the packages' alone, and takes as long to link as all programs.
    others = ["--exclude", "eyelid-manual"]
    profile = ["--profile", PROFILE]
    command = ["cargo", "build", *profile, "--workspace", *others, *native, "--locked"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    ask = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"]
    said = subprocess.run(ask, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    return Path(json.loads(said)["target_directory"]) / PROFILE


def missing(directory):
    """Gives the programs that a directory does not have."""
    return [name for name in PROGRAMS if not os.access(directory / name, os.X_OK)]


def newer_source(directory, repository=REPOSITORY):
    """Gives a source that is newer than one of the programs in a directory; None if none is."""
    oldest = min((directory / name).stat().st_mtime for name in PROGRAMS)
    return next((path for path in _sources(repository) if path.stat().st_mtime > oldest), None)


def _sources(repository):
    yield repository / "Cargo.lock"
    yield repository / "Cargo.toml"
    for path in sorted((repository / "crates").rglob("*")):
        inside = path.relative_to(repository / "crates").parts
        if path.is_file() and not {"tests", "benches"} & set(inside):
            yield path
