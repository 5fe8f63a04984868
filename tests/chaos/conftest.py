"""Two sites that are harmed, and a file system of their own for their slots."""

import os

import pytest
import sites


def pytest_sessionstart():
    """Mounting must be possible, and must not be seen by anybody else."""
    if os.environ.get("EYELID_OUTER_MOUNTS") in (None, os.readlink("/proc/self/ns/mnt")):
        pytest.exit(
            "not in a mount namespace of its own: start this suite by its `run` script",
            returncode=2,
        )


@pytest.fixture
def both(start, directory):
    """One site with the launcher and one without."""
    sites.adopt_orphans()
    opened, metronome = [], sites.Metronome()
    try:
        for kind in (sites.Launched, sites.Bare):
            opened.append(kind(start, directory, metronome))
        yield opened
    finally:
        for site in opened:
            site.close()
