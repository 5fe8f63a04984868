"""Networks for those who measure ages."""

import pytest

from harness import slow_links
from harness.crowd import allow_connections
from harness.namespaces import require_own

RATES_MBIT = [2, 10]


def pytest_sessionstart():
    """Networks must be possible, and must not be seen by anybody else."""
    require_own("net")
    allow_connections()


@pytest.fixture(scope="session", autouse=True)
def slow_clients():
    """Gives for each rate in Mbit/s two computers with a link of it: ours, the bare loop's."""
    names = iter(slow_links.make([rate for rate in RATES_MBIT for _ in range(2)]))
    return [(rate, next(names), next(names)) for rate in RATES_MBIT]
