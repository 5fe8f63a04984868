"""The recipes of docs/relay.md, word by word, each machine with an /etc of its own.

Blocks of the page say above them, in a comment, on which machines they are for. What systemd does
there is done here: units are started with what stands in ExecStart=.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hosts import ADDRESSES, NEAR
from hub import NATS_SERVER, Key

from harness.programs import binary
from harness.slot import Slot
from harness.waiting import wait_for
from runner.suites import REPOSITORY

PAGE = (REPOSITORY / "docs" / "relay.md").read_text()
BLOCK = re.compile(
    r"^<!-- (on|eyelid\.toml of) (.*?) -->\n\n((?:    .*\n|\n(?=    ))+)", re.MULTILINE
)

# What a machine has of its own, before it runs a program.
OWN = """
set -e
mount --bind "$OWN_ETC" /etc
mount -t tmpfs none /usr/share/doc
mkdir -p /usr/share/doc/eyelid
ln -s "$REPOSITORY/examples" /usr/share/doc/eyelid/examples
exec "$@"
"""
# What a shell has there in the place of what would change this machine.
SHELL = """
set -e
umask 022
apt() { :; }
systemctl() { echo "$*" >> /etc/systemctl; }
"""


class Machine:
    """A machine of a recipe."""

    def __init__(self, name, host, names, start, directory):
        self.name, self._host, self._start = name, host, start
        self.slots = directory / name
        self.etc = directory / f"etc-{name}"
        subprocess.run(["cp", "-a", "/etc", self.etc], check=True)
        lines = (f"{ADDRESSES[host]} {name}\n" for name, host in names.items())
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))
        self.config = self.etc / "eyelid" / "eyelid.toml"
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(f'[server]\nslots = "{self.slots}"\n')
        self.systemctl = self.etc / "systemctl"
        self.systemctl.write_text("")
        self.public_key = None
        self._environment = os.environ | {
            "OWN_ETC": str(self.etc),
            "REPOSITORY": str(REPOSITORY),
            "PATH": f"{Path(binary('eyelid')).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        users = REPOSITORY / "systemd/sysusers.d"
        self.shell(f"systemd-sysusers {users}/eyelid.conf {users}/eyelid-relay.conf")

    def _on(self, *command):
        namespace = [] if self._host is NEAR else ["ip", "netns", "exec", self._host]
        return [*namespace, "unshare", "--mount", "sh", "-c", OWN, "sh", *command]

    def shell(self, text):
        """Runs lines as they stand in the page."""
        done = subprocess.run(
            self._on("bash", "-c", SHELL + text),
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{self.name}: {text}\n{done.stdout}{done.stderr}"
        if key := re.search(r"\bU[A-Z2-7]{55}\b", done.stderr):
            self.public_key = key[0]
        for line in self.systemctl.read_text().splitlines():
            self._systemctl(*line.split())
        self.systemctl.write_text("")

    def _systemctl(self, *words):
        unit = words[-1]
        if unit == "nats-server":
            config = self.etc / "nats-server.conf"
            assert not re.search("KEY_OF_[A-Z]", config.read_text())
            self.start(NATS_SERVER, "-c", "/etc/nats-server.conf")
            return
        text = (REPOSITORY / f"systemd/{unit}.service").read_text()
        command = re.search(r"^ExecStart=/usr/bin/(.*)$", text, re.MULTILINE)[1]
        program, *arguments = shlex.split(command)
        self.start(binary(program), *arguments)

    def start(self, *command):
        """Starts a program there."""
        return self._start(*self._on(*command), env=self._environment)

    def camera(self, name="default", size="640x360"):
        """Starts a camera there."""
        self.slots.mkdir(exist_ok=True)
        path = self.slots if name == "default" else self.slots / name
        program = ["eyelid-capture", "--slot", path, "--source", "test", "--size", size]
        self.start(binary(program[0]), *program[1:])
        Slot(path).wait_state("asleep", "awake")

    def slot(self, name):
        """Gives a slot there."""
        return Slot(self.slots / name)

    def names(self):
        """Gives the far cameras that it has."""
        return {path.name for path in self.slots.glob("*.*/")}


@pytest.fixture
def machines(start, directory):
    """Gives a function that makes machines."""

    def machines(names, **on):
        return {name: Machine(name, host, names, start, directory) for name, host in on.items()}

    return machines


def follow(title, machines, between):
    """Does what a section says; `between` is done before each block, with the machines."""
    section = PAGE[PAGE.index(f"\n## {title}") + 1 :]
    section = section[: section.find("\n## ", 1)]
    blocks = BLOCK.findall(section)
    assert blocks
    for kind, names, text in blocks:
        lines = re.sub("^    ", "", text, flags=re.MULTILINE)
        for name in names.split(", "):
            machine = machines[name]
            if kind == "on":
                between(machines)
                machine.shell(lines)
            else:
                with machine.config.open("a") as file:
                    file.write(lines)


def put_keys(machines):
    """Puts public keys where the page says, as far as there are any."""
    for machine in machines.values():
        config = machine.etc / "nats-server.conf"
        text = config.read_text()
        for other in machines.values():
            if other.public_key:
                text = text.replace(f"KEY_OF_{other.name.upper()}", other.public_key)
        config.write_text(text)


def test_two_machines(machines):
    hosts = {"office.lan": NEAR, "pi.lan": "far"}
    there = machines(hosts, pi="far", office=NEAR)
    there["pi"].camera()
    follow("Two machines", there, put_keys)
    slot = there["office"].slot("pi.default")
    wait_for(lambda: slot.path.is_dir(), "a slot of pi's")
    assert slot.frame().size == (640, 360)


def test_three_sites(machines):
    hosts = {"hub.example.org": "hub"}
    there = machines(hosts, hub="hub", barn="far", shop="other", office=NEAR)
    for name, size in ("door", "640x360"), ("yard", "320x240"), ("attic", "640x480"):
        there["barn"].camera(name, size)
    there["shop"].camera(size="320x180")

    def between(machines):
        put_keys(machines)
        made = machines["hub"].etc / "nats/ca.pem"
        for name in "barn", "shop", "office":
            if made.exists():
                (machines[name].etc / "eyelid/hub.pem").write_bytes(made.read_bytes())

    follow("A hub with three sites", there, between)
    office, shop = there["office"], there["shop"]
    seen = {"barn.door": (640, 360), "barn.yard": (320, 240), "shop.default": (320, 180)}
    wait_for(lambda: office.names() == seen.keys(), lambda: f"{seen.keys()}: {office.names()}")
    for name, size in seen.items():
        assert office.slot(name).frame().size == size
    wait_for(lambda: shop.names() == {"barn.door"}, lambda: f"barn.door: {shop.names()}")
    assert shop.slot("barn.door").frame().size == (640, 360)


def test_a_site_behind_nat(machines):
    hosts = {"hub.example.org": "hub", "barn.lan": "far"}
    there = machines(hosts, hub="hub", barn="far", stable="third", office=NEAR)
    there["barn"].camera()
    there["stable"].camera(size="320x240")
    # What the page has from the section before.
    before = PAGE[PAGE.index("## A hub with three sites") :]
    blocks = [block for block in BLOCK.findall(before) if block[1] == "hub"]
    there["hub"].shell(re.sub("^    ", "", blocks[0][2], flags=re.MULTILINE))
    authority = (there["hub"].etc / "nats/ca.pem").read_bytes()
    (there["barn"].etc / "nats").mkdir()
    (there["barn"].etc / "nats/ca.pem").write_bytes(authority)
    office = there["office"]
    (office.etc / "eyelid/hub.pem").write_bytes(authority)
    for kind, names, text in BLOCK.findall(before):
        lines = re.sub("^    ", "", text, flags=re.MULTILINE)
        if kind == "on" and names == "barn, shop, office":
            office.shell(lines)
        if kind != "on" and names == "office":
            with office.config.open("a") as file:
                file.write(lines)
            break

    follow("A site behind NAT", there, put_keys)
    office.shell("systemctl enable --now eyelid-relay-fetch")
    seen = {"barn.default": (640, 360), "stable.default": (320, 240)}
    wait_for(lambda: office.names() == seen.keys(), lambda: f"{seen.keys()}: {office.names()}")
    for name, size in seen.items():
        assert office.slot(name).frame().size == size


@pytest.mark.parametrize("name", ["two-machines", "three-sites", "leaf-hub", "leaf-site"])
def test_the_hub_takes_the_examples(name, directory):
    text = (REPOSITORY / f"examples/relay/{name}.conf").read_text()
    for placeholder in set(re.findall("KEY_OF_[A-Z]+", text)):
        text = text.replace(placeholder, Key(directory, placeholder).public)
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=hub"
    files = ["-keyout", directory / "hub.key", "-out", directory / "hub.pem"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    text = text.replace("/etc/nats/ca.pem", "/etc/nats/hub.pem")
    text = text.replace("/etc/nats/", f"{directory}/")
    config = directory / "hub.conf"
    config.write_text(text)
    done = subprocess.run([NATS_SERVER, "-t", "-c", config], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
