"""Two sites that are harmed, and a file system of their own for their slots."""

from contextlib import ExitStack, closing

import pytest
import sites

from harness.metronome import Metronome
from harness.namespaces import require_own


def pytest_sessionstart():
    """Mounting must be possible, and must not be seen by anybody else."""
    require_own("mnt")


@pytest.fixture
def both(start, directory):
    """One site with the launcher and one without."""
    sites.adopt_orphans()
    metronome = Metronome()
    with ExitStack() as opened:
        yield [
            opened.enter_context(closing(kind(start, directory, metronome)))
            for kind in (sites.Launched, sites.Bare)
        ]
