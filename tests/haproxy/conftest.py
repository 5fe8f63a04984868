"""The network of a slow viewer, a camera, and proxies before it."""

from pathlib import Path

import network
import pytest
from low_latency import CONFIGURATIONS, low_latency

from harness.cameras import start_camera
from harness.certificates import self_signed
from harness.http import wait_listening
from harness.namespaces import require_own
from harness.nginx import start_nginx

CAMERA = "127.0.0.1:8080"  # where the configurations expect it


def pytest_sessionstart():
    """Networks must be possible, and must not be seen by anybody else."""
    require_own("net")
    network.make()


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    """A certificate with its key, in one file as haproxy has it."""
    directory = tmp_path_factory.mktemp("pem")
    key, certificate = self_signed(directory)
    path = directory / "localhost.pem"
    path.write_bytes(certificate.read_bytes() + key.read_bytes())
    return path


@pytest.fixture(params=["octoprint-docker", "octopi"])
def configuration(request, directory, pem):
    """A configuration as people have it, in a file of its own."""
    path = directory / "haproxy.cfg"
    text = (CONFIGURATIONS / f"{request.param}.cfg").read_text()
    path.write_text(text.replace("/etc/ssl/snakeoil.pem", str(pem)))
    return path


@pytest.fixture
def camera(start, directory):
    """A camera with frames of about 25 KB, 15 a second, and its server."""
    slot = start_camera(start, directory / "slots")
    server = start("eyelid-server", "--slots", slot.path, "--listen", CAMERA)
    wait_listening(f"http://{CAMERA}")
    return server


@pytest.fixture
def haproxy(start):
    """Starts haproxy with a configuration; gives the program with its `url` on this machine."""

    def haproxy(path):
        program = start("haproxy", "-db", "-f", path)
        program.url = "http://127.0.0.1:80"
        wait_listening(program.url)
        return program

    return haproxy


@pytest.fixture
def tuned(configuration):
    """The configuration after the script."""
    path = Path(f"{configuration}.tuned")
    path.write_bytes(low_latency(configuration))
    return path


@pytest.fixture
def nginx(start, directory):
    """Starts nginx with what stands in its `server` section, and beside that; gives the program
    with its `url`.
    """

    def nginx(*lines, http=""):
        server = "server {\n" + "\n".join(lines) + "\n}"
        return start_nginx(start, directory, f"gzip on; gzip_proxied any;\n{http}\n{server}")

    return nginx
