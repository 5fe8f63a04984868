"""Fixtures of this suite."""

import pytest

TIMES = pytest.StashKey()


def pytest_configure(config):
    config.stash[TIMES] = []


@pytest.fixture
def report(pytestconfig):
    """Takes notes of what is to be told, not tested: times on an emulated machine."""
    return pytestconfig.stash[TIMES].append


def pytest_terminal_summary(terminalreporter, config):
    for note in config.stash[TIMES]:
        terminalreporter.write_line(note)
