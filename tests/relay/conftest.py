"""A hub, hosts that share cameras with the test picture, and the near host, which fetches them."""

import hosts
import pytest
from hub import Hub

from harness.namespaces import require_own
from harness.slot import Slot

LINGER = "1s"


def pytest_sessionstart():
    """Networks must be possible, and must not be seen by anybody else."""
    require_own("net")
    require_own("mnt")


@pytest.fixture(scope="session", autouse=True)
def network():
    """The hosts."""
    hosts.make()


@pytest.fixture
def hub(start, directory):
    """A hub that lets in whoever comes."""
    return Hub(start, directory)


@pytest.fixture
def camera(start, directory):
    """Starts a camera with the test picture on a host; gives its slot, and the program as
    `program`.
    """

    def camera(host, name="default", *arguments, source="test", size="640x360", **options):
        slots = directory / host
        slots.mkdir(exist_ok=True)
        path = slots if name == "default" else slots / name
        command = ["--slot", path, "--source", source, "--linger", LINGER, *arguments]
        command += ["--size", size] if source == "test" else []
        program = start(*hosts.on(host, "eyelid-capture", *command), **options)
        slot = Slot(path, program)
        slot.program = program
        slot.wait_state("asleep", "awake", "failed")
        return slot

    return camera


@pytest.fixture
def share(start, directory, hub_of):
    """Starts the sharing side on a host; gives the program."""

    def share(host, *arguments, name=None, url=None, **options):
        command = ["--slots", directory / host, "--as", name or host, "--connect", url or hub_of()]
        return start(*hosts.on(host, "eyelid-relay", "share", *command, *arguments), **options)

    return share


@pytest.fixture
def fetch(start, directory, hub_of):
    """Starts the fetching side on the near host; gives the program, with `slot(NAME)`."""

    def fetch(*arguments, url=None, **options):
        slots = directory / "fetched"
        command = ["--slots", slots, "--connect", url or hub_of(), "--linger", LINGER]
        program = start("eyelid-relay", "fetch", *command, *arguments, **options)
        program.slots = slots
        program.slot = lambda name: Slot(slots / name, program)
        return program

    return fetch


@pytest.fixture
def hub_of(request):
    """Gives where the hub of this test is."""
    return lambda: request.getfixturevalue("hub").url


@pytest.fixture
def server(start):
    """Starts a server for what was fetched; gives its address."""

    def server(slots):
        program = start("eyelid-server", "--slots", slots, "--listen", "127.0.0.1:0")
        return program.wait_log(r"http://[\d.]+:\d+")[0]

    return server


@pytest.fixture
def near_names(directory):
    """Gives the names of the cameras that the near host has now."""

    def near_names():
        return {path.name for path in (directory / "fetched").iterdir() if path.is_dir()}

    return near_names
