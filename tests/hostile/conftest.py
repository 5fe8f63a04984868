"""A camera and its server, and strangers around them."""

import pytest

from harness import elsewhere
from harness.cameras import start_camera
from harness.crowd import allow_connections
from harness.healthy import Healthy
from harness.namespaces import require_own
from harness.servers import Server


def pytest_sessionstart():
    """Attacks need a network that is nobody else's."""
    require_own("net")
    elsewhere.make()
    allow_connections()


@pytest.fixture
def camera(start, directory):
    """A camera with frames of about 25 KB, 15 a second; gives its slot."""
    slot = start_camera(start, directory / "slots")
    slot.frame()
    return slot


@pytest.fixture
def serve(start, camera):
    """Starts a server of the camera, with these options."""

    def serve(*arguments, **options):
        listen = ["--slots", camera.path, "--listen", "0.0.0.0:0"]
        return Server(start("eyelid-server", *listen, *arguments, **options), camera)

    return serve


@pytest.fixture
def server(serve):
    """A server as it comes."""
    return serve()


@pytest.fixture
def healthy(server):
    """Proper clients of it, there for as long as the test is."""
    with Healthy(server.url) as healthy:
        yield healthy
