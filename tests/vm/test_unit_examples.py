"""The examples of systemd/examples, done on the machine as each of them says: a password, the
network, a process for each client. Runs after the packages' own tests, and installs them anew.
"""

import base64
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from machine import (
    ADDRESS,
    CONFIGURATION,
    SERVER,
    allow_slow_units,
    as_process,
    debs,
    journal,
    live,
    pid,
    processes,
    run,
    show,
    snapshot,
    wait_for,
)

from harness.frames import check_frame
from harness.http import get
from harness.stream import BrokeOff, Stream

EXAMPLES = Path("/usr/share/doc/eyelid/examples")
UNITS = Path("/etc/systemd/system")
PER_CLIENT = "http://127.0.0.1:8081"
CAMERA = 'source = "test"\nfps = 5\nlinger = "2s"\n'

# anna with "picture", as `htpasswd -B` writes it.
USERS = "anna:$2b$04$7pi8H0xWtQ5hfAI8USmHBO81jQrCqIFW6gDDDlcHe7ZUlOX28m9fK\n"

# This machine's address on a wire to another network namespace, and those of the two viewers there.
HERE, FRIEND, STRANGER = "10.77.0.1", "10.77.0.2", "10.77.0.3"


@pytest.fixture(scope="module", autouse=True)
def installed():
    """Package eyelid, listening, with a test picture: nothing has to be found or warmed up."""
    allow_slow_units()
    run("apt-get", "install", "--yes", *debs("eyelid"))
    configure()
    run("systemctl", "enable", "--now", "eyelid.socket")


def configure(*sections):
    """Writes the configuration: the default camera, and more sections."""
    # One that does not end by itself would be there in the next test.
    server = '[server]\nslots = "/run/webcam"\nidle-exit = "5s"\n\n[cameras.default]\n'
    CONFIGURATION.write_text("".join((server, CAMERA, *sections)))


@contextmanager
def copied(example, to=None, edit=lambda text: text):
    """Has a copy of an example among the units for a while."""
    path = UNITS / (to or example)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(edit((EXAMPLES / example).read_text()))
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        path.unlink()
        if path.parent != UNITS:
            path.parent.rmdir()
        run("systemctl", "daemon-reload")


def test_password_conf_asks_for_a_password_and_takes_it():
    def ask(path, user):
        return get(ADDRESS, path, Authorization=f"Basic {base64.b64encode(user.encode()).decode()}")

    passwords = CONFIGURATION.with_name("htpasswd")
    passwords.write_text(USERS)
    passwords.chmod(0o600)
    snapshot()
    with copied("eyelid-server.service.d/password.conf"):
        run("systemctl", "stop", SERVER)
        for path in "/", "/snapshot", "/stream", "/status":
            answer = get(ADDRESS, path)
            assert (answer.status, answer.headers["www-authenticate"].split()[0]) == (
                401,
                "Basic",
            ), path
            assert ask(path, "anna:another").status == 401
        wait_for(
            lambda: ask("/snapshot", "anna:picture").status == 200,
            "a frame for who has the password",
        )
        check_frame(ask("/snapshot", "anna:picture").body)
        # The file stays root's: what the server has is a copy.
        assert as_process(pid(SERVER), passwords.read_bytes) != 0
    passwords.unlink()
    run("systemctl", "stop", SERVER)
    snapshot()


# The network


class Elsewhere:
    """Another network namespace, with a wire to this one.

    It is another computer, as far as the kernel is concerned.
    """

    def __init__(self):
        # Nothing else of this machine is there: neither its loopback nor its sockets.
        self._there = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        wait_for(
            lambda: (
                os.readlink(f"/proc/{self._there.pid}/ns/net") != os.readlink("/proc/self/ns/net")
            ),
            "a namespace",
        )
        # busybox cannot name the other end: the kernel calls it veth0.
        run("busybox", "ip", "link", "add", "name", "here", "type", "veth")
        run("busybox", "ip", "link", "set", "dev", "veth0", "netns", str(self._there.pid))
        run("busybox", "ip", "addr", "add", f"{HERE}/24", "dev", "here")
        run("busybox", "ip", "link", "set", "dev", "here", "up")
        for address in FRIEND, STRANGER:
            self.run("busybox", "ip", "addr", "add", f"{address}/24", "dev", "veth0")
        self.run("busybox", "ip", "link", "set", "dev", "veth0", "up")

    def _inside(self, *command):
        return ["nsenter", f"--net=/proc/{self._there.pid}/ns/net", *map(str, command)]

    def run(self, *command):
        """Runs a command there."""
        return run(*self._inside(*command))

    def start(self, *command, **options):
        """Starts a program there."""
        return subprocess.Popen(self._inside(*command), **options)

    def curl(self, viewer, path, seconds):
        """Asks for something of this machine; gives curl's exit status and the answer."""
        command = [
            "curl",
            "-sS",
            "--fail",
            "--interface",
            viewer,
            "--max-time",
            seconds,
            f"http://{HERE}:8080{path}",
        ]
        done = subprocess.run(self._inside(*command), stdin=subprocess.DEVNULL, capture_output=True)
        print(done.stderr.decode())
        return done.returncode, done.stdout

    def end(self):
        """Ends it; the wire goes with it."""
        self._there.kill()
        self._there.wait()


@pytest.fixture
def elsewhere():
    """A computer on the network."""
    elsewhere = Elsewhere()
    yield elsewhere
    elsewhere.end()


REFUSED, TIMED_OUT = 7, 28  # of curl


def test_network_conf_lets_another_computer_look_and_not_everyone(elsewhere):
    def only_the_friend(text):
        lines = "#IPAddressDeny=any\n#IPAddressAllow=localhost 192.168.1.0/24"
        assert lines in text
        return text.replace(lines, f"IPAddressDeny=any\nIPAddressAllow=localhost {FRIEND}")

    assert elsewhere.curl(FRIEND, "/snapshot", 30) == (REFUSED, b"")
    with copied("eyelid.socket.d/network.conf"):
        run("systemctl", "restart", "eyelid.socket")
        for viewer in FRIEND, STRANGER:
            wait_for(
                lambda viewer=viewer: elsewhere.curl(viewer, "/snapshot", 30)[0] == 0,
                f"a frame for {viewer}",
            )
        check_frame(elsewhere.curl(FRIEND, "/snapshot", 30)[1])
        snapshot()
    with copied("eyelid.socket.d/network.conf", edit=only_the_friend):
        run("systemctl", "restart", "eyelid.socket")
        wait_for(
            lambda: elsewhere.curl(FRIEND, "/snapshot", 30)[0] == 0, "a frame for who is let in"
        )
        assert elsewhere.curl(STRANGER, "/snapshot", 5) == (TIMED_OUT, b"")
        snapshot()
    run("systemctl", "restart", "eyelid.socket")
    assert elsewhere.curl(FRIEND, "/snapshot", 30) == (REFUSED, b"")


def test_a_camera_s_network_conf_lets_its_command_fetch_pictures(elsewhere, tmp_path):
    picture = get(ADDRESS, "/snapshot").body
    check_frame(picture)
    (tmp_path / "picture.jpg").write_bytes(picture)
    server = elsewhere.start(
        sys.executable, "-m", "http.server", "--bind", FRIEND, "8000", cwd=tmp_path
    )
    fetch = f"while curl -sSf http://{FRIEND}:8000/picture.jpg; do sleep 1; done"
    configure(f"\n[cameras.far]\nsource = 'command:{fetch}'\nlinger = \"2s\"\n")
    unit = "eyelid-capture@far"
    run("systemctl", "enable", unit)
    run("systemctl", "restart", SERVER)
    try:
        assert get(ADDRESS, "/far/snapshot").status == 503
        with copied(
            "eyelid-capture@.service.d/network.conf", "eyelid-capture@far.service.d/network.conf"
        ):
            run("systemctl", "restart", unit)
            snapshot("far/")
            assert get(ADDRESS, "/far/snapshot").body == picture
    finally:
        server.kill()
        server.wait()
    run("systemctl", "disable", "--now", unit)
    configure()
    run("systemctl", "restart", SERVER)


# A process for each client


def unit_of(stream):
    """Gives the unit of a client, whose name has the client's address in it."""
    units = run("systemctl", "list-units", "--plain", "--no-legend", "eyelid-per-client@*").split()
    return next(unit for unit in units if unit.endswith(f":{stream.port()}.service"))


def test_a_client_over_its_memory_limit_is_killed_and_others_are_not():
    names = "eyelid-per-client.socket", "eyelid-per-client@.service"
    with copied(names[0]), copied(names[1]):
        run("systemctl", "enable", "--now", names[0])
        with Stream(PER_CLIENT) as greedy, Stream(PER_CLIENT) as modest:
            live(greedy)
            live(modest)
            units = unit_of(greedy), unit_of(modest)
            servers = [pid(unit) for unit in units]
            assert None not in servers and len(set(servers)) == 2
            assert [show(unit, "MemoryMax") for unit in units] == [str(64 << 20)] * 2
            # What is too much is a matter of the limit: it is set below what the process has.
            run("systemctl", "set-property", "--runtime", units[0], "MemoryMax=256K")
            with pytest.raises((BrokeOff, OSError)):
                live(greedy)
            wait_for(lambda: pid(units[0]) is None, "the end of the greedy client's server")
            live(modest)
            assert pid(units[1]) == servers[1]
        results = {
            entry["UNIT_RESULT"]
            for entry in journal(f"--unit={units[0]}")
            if "UNIT_RESULT" in entry
        }
        assert results == {"oom-kill"}
        with Stream(PER_CLIENT) as another:
            live(another)
        # The camera ends with the last client.
        wait_for(lambda: not processes(), lambda: f"the end of {processes()}")
        run("systemctl", "disable", "--now", names[0])
