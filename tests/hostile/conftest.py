"""A camera and its server, and strangers around them."""

import os
import re
import resource
import time
from pathlib import Path

import network
import pytest
from healthy import Healthy

from harness.cameras import start_camera
from harness.namespaces import require_own

CONNECTIONS = 12_000  # that this process can have open


def pytest_sessionstart():
    """Attacks need a network that is nobody else's."""
    require_own("net")
    network.make()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS, max(hard, CONNECTIONS)))


class Server:
    """A running server, and what it costs."""

    def __init__(self, program, slot):
        self.program = program
        self.slot = slot
        self.port = int(program.wait_log(r"listening on http://0\.0\.0\.0:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def most_memory(self):
        """Gives the most bytes of memory that it ever had."""
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def descriptors(self):
        """Gives the number of files that it has open."""
        return len(os.listdir(f"/proc/{self.program.pid}/fd"))

    def processor_time(self):
        """Gives the seconds of processor time that it has used, all threads together."""
        return time.clock_gettime(~self.program.pid << 3 | 2)  # clock_getcpuclockid(3)


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
