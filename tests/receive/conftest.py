"""Receivers, servers of their cameras, and another computer from which cameras push."""

import pytest
from receiver import Receiver, configuration, serve

from harness import elsewhere
from harness.crowd import allow_connections
from harness.namespaces import require_own


def pytest_sessionstart():
    """Cameras that vanish need a network that is nobody else's."""
    require_own("net")
    elsewhere.make()
    allow_connections()


@pytest.fixture
def receive(start, directory):
    """Starts a receiver with a configuration, arguments and options."""

    def receive(text, *arguments, **options):
        return Receiver(start, directory, text, *arguments, **options)

    return receive


@pytest.fixture
def receiver(receive):
    """A receiver with one camera, `door`, from which this computer may push."""
    return receive(configuration(("door", {"linger": "1s"})))


@pytest.fixture
def server(start, receiver):
    """The URL of a server of its camera."""
    return serve(start, receiver)
