"""Containers of the image, as the suite's engine runs them."""

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from harness.http import free_port
from harness.waiting import wait_for

HERE = Path(__file__).parent
OUTSIDE = "10.0.4.1"

# As docker/compose.yaml has it: nothing to write to but /dev/shm, and no privilege.
CONFINED = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
# Those that the engine sets without a word are above what a machine may allow.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]


def podman(*arguments, check=True):
    """Has the engine do something; gives what it said."""
    done = subprocess.run([HERE / "podman", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0 or not check, f"{arguments}: {done.stderr}"
    return done


class Container:
    """A container in this suite's network, or in another."""

    def __init__(self, *run, network="host"):
        self.id = podman("run", "--detach", "--network", network, *LIMITS, *run).stdout.strip()
        self.pid = int(self.inspect("{{.State.Pid}}"))

    def inspect(self, what):
        """Gives what the engine knows of it."""
        return podman("inspect", "--format", what, self.id).stdout.strip()

    def log(self):
        """Gives what was written to both outputs."""
        log = podman("logs", self.id)
        return log.stdout + log.stderr

    def inside(self, path):
        """Gives the path by which one of its files is seen from here."""
        return Path(f"/proc/{self.pid}/root", path)

    def processes(self):
        """Gives all its processes, zombies too: {pid: (name, state)}, with the pids of in there."""
        found = {}
        for stat in self.inside("proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
                head, _, rest = stat.read_text().rpartition(") ")
                found[int(stat.parent.name)] = head.partition("(")[2], rest[0]
        return found

    def names(self):
        """Gives its processes' names."""
        return sorted(name for name, _ in self.processes().values())

    def remove(self):
        """Removes it, whatever it does."""
        podman("rm", "--force", "--time", "0", self.id, check=False)


class Eyelid(Container):
    """A container of the image, with these flags for `eyelid`, on a port of its own."""

    def __init__(self, *flags, options=(), **where):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        listen = ["--listen", f"0.0.0.0:{self.port}"]
        super().__init__(*CONFINED, *options, "eyelid", *listen, *flags, **where)
        wait_for(lambda: "Ctrl-C" in self.log(), lambda: f"its greeting:\n{self.log()}")

    def healthcheck(self):
        """Runs the image's own health check, as the engine does; says whether all is well."""
        return podman("healthcheck", "run", self.id, check=False).returncode == 0

    def exit_code(self):
        """Waits until it has ended; gives the status of `eyelid`."""
        return int(podman("wait", self.id).stdout)


@pytest.fixture
def run():
    """Gives a function that starts containers; removes them later, and shows what they wrote."""
    started = []

    def run(*flags, **options):
        started.append(Eyelid(*flags, **options))
        return started[-1]

    yield run
    for container in started:
        print(f"--- log of a container:\n{container.log()}")
        container.remove()


@pytest.fixture(scope="session", autouse=True)
def network():
    """The containers' network, which is this suite's own. Its second address is not localhost."""
    for command in "ip link set lo up", f"ip addr add {OUTSIDE}/24 dev lo":
        subprocess.run(command.split(), check=True)
