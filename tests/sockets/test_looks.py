"""Who looks, in the journal: a stand-in for it, and the time that a look takes to be over."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cameras import start_camera
from harness.http import free_port, get, wait_listening
from harness.programs import binary
from harness.stream import Stream
from harness.waiting import wait_for

JOURNAL = Path(__file__).with_name("journal.py")
OWN = ["unshare", "-Urm"]

BASIC = "Basic " + base64.b64encode(b"anna:secret").decode()


class Server:
    """A server whose log is a journal."""

    def __init__(self, start, slot, *arguments):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        server = [binary("eyelid-server"), "--slots", slot.path, "--listen", f"127.0.0.1:{port}"]
        self.program = start(*OWN, sys.executable, JOURNAL, *server, *arguments)
        wait_listening(self.url)

    def looks(self):
        """Gives what the journal has got about looks."""
        entries = map(json.loads, self.program.out().splitlines())
        return [entry for entry in entries if "EYELID_LOOK" in entry]

    def wait_looks(self, count):
        """Waits for so many entries about looks, and gives them."""
        wait_for(lambda: len(self.looks()) >= count, lambda: f"{count} in {self.program.out()}")
        return self.looks()


@pytest.fixture
def slot(start, directory):
    """A producer with the test picture; gives its slot."""
    if subprocess.run([*OWN, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces for users here")
    slot = start_camera(start, directory / "slots", "320x240", 20)
    slot.frame()
    return slot


def own(entry):
    """Gives the fields of an entry that are about the look."""
    return {name: value for name, value in entry.items() if name.startswith("EYELID_")}


def test_a_snapshot_of_a_user_is_one_entry_with_its_fields(start, directory, slot):
    password = directory / "password"
    password.write_text("anna:secret\n")
    server = Server(start, slot, "--password-file", password)
    assert get(server.url, "/snapshot").status == 401
    sizes = [len(get(server.url, "/snapshot", Authorization=BASIC).body) for _ in range(2)]
    looked = {
        "EYELID_LOOK": "ended",
        "EYELID_CAMERA": "default",
        "EYELID_USER": "anna",
        "EYELID_ADDRESS": "127.0.0.1",
        "EYELID_WAY": "snapshot",
        "EYELID_FRAMES": "2",
        "EYELID_BYTES": str(sum(sizes)),
    }
    # Nobody ends it but the time that passes.
    (entry,) = server.wait_looks(1)
    assert float(entry["EYELID_SECONDS"]) >= 0
    assert own(entry) == looked | {"EYELID_SECONDS": entry["EYELID_SECONDS"]}
    assert entry["SYSLOG_IDENTIFIER"] == "eyelid-server" and entry["PRIORITY"] == "5"
    assert entry["MESSAGE"].startswith('"anna" at 127.0.0.1 looked at camera "default"')
    assert server.program.stop() == 0
    assert len(server.looks()) == 1


def test_a_stream_is_two_entries(start, slot):
    server = Server(start, slot)
    with Stream(server.url) as stream:
        assert stream.part().live()
        (began,) = server.wait_looks(1)
    looks = {
        "EYELID_LOOK": "began",
        "EYELID_CAMERA": "default",
        "EYELID_ADDRESS": "127.0.0.1",
        "EYELID_WAY": "stream",
    }
    assert own(began) == looks
    assert server.program.stop() == 0
    _, ended = server.looks()
    assert ended["EYELID_LOOK"] == "ended" and int(ended["EYELID_FRAMES"]) > 0
