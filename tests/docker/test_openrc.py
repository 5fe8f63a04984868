"""packaging/openrc/eyelid, on a system that OpenRC has started, as docs/openrc.md says."""

import re

import pytest
from conftest import Container, podman

from harness.frames import check_frame
from harness.http import free_port, get
from harness.idle_class import run_like_others
from harness.waiting import wait_for

CONFIGURATION = """
[server]
slots = "/run/webcam"
idle-exit = "1s"
listen = ["127.0.0.1:{port}"]
[cameras.default]
source = "test"
size = "{size}"
linger = "1s"
[cameras.side]
source = "test"
size = "320x240"
linger = "1s"
"""


class System(Container):
    """A system whose process 1 is OpenRC's, with Eyelid in its default runlevel."""

    def __init__(self, directory):
        self._file = directory / "eyelid.toml"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.configure("320x240")
        configured = ["--volume", f"{self._file}:/etc/eyelid/eyelid.toml:ro"]
        super().__init__("--tmpfs", "/run:rw,mode=755", *configured, "eyelid-openrc")

    def configure(self, size):
        """Writes the configuration; the file stays the same, for it is shown to the container."""
        self._file.write_text(CONFIGURATION.format(port=self.port, size=size))

    def service(self, command, name="eyelid"):
        """Has OpenRC do something with a service; gives what it said."""
        done = podman("exec", self.id, "rc-service", name, command, check=False)
        return done.returncode, done.stdout + done.stderr

    def eyelids(self):
        """Gives the programs that run, but for what OpenRC itself has."""
        return [name for name in self.names() if name.startswith("eyelid")]

    def size(self):
        """Gives the size of the picture."""
        return check_frame(get(self.url, "/snapshot").body).size


@pytest.fixture
def system(directory):
    """A system that has started."""
    system = System(directory)
    yield system
    print(system.log())
    system.remove()


def test_starts_reads_its_file_again_and_stops(system):
    wait_for(
        lambda: system.service("status")[0] == 0 and system.eyelids() == ["eyelid"], system.log
    )
    assert system.size() == (320, 240)
    wait_for(lambda: system.eyelids() == ["eyelid"], "rest")

    system.configure("160x120")
    assert system.service("reload")[0] == 0
    wait_for(lambda: system.size() == (160, 120), "the new size")

    eyelid = next(pid for pid, (name, _) in system.processes().items() if name == "eyelid")
    status = system.inside(f"proc/{eyelid}/status").read_text()
    owner = system.inside("run/webcam").stat().st_uid
    assert owner != 0 and re.search(rf"^Uid:\t{owner}\t", status, re.MULTILINE)
    assert re.search(r"^Groups:\t(.* )?44 ", status, re.MULTILINE), "video has the cameras"

    code, said = system.service("stop")
    assert code == 0, said
    assert system.eyelids() == []
    assert list(system.inside("run/webcam").iterdir()) == []
    assert system.service("status")[0] != 0


@pytest.mark.parametrize(
    ("name", "camera"), [("eyelid-watch", "default"), ("eyelid-watch.side", "side")]
)
def test_a_watcher_wakes_its_camera_and_writes_alerts(system, name, camera):
    wait_for(lambda: system.service("status")[0] == 0, system.log)
    code, said = system.service("start", name)
    assert code == 0, said
    alerts = system.inside("var/lib/eyelid/alerts")

    def alert():
        # It puts itself there when it is up, and may not be yet.
        run_like_others(system.pid)
        return list(alerts.glob(f"*-{camera}-motion.json"))

    wait_for(alert, system.log)
    assert sorted(system.eyelids()) == ["eyelid", "eyelid-capture", "eyelid-watch"]
    assert alerts.stat().st_uid == system.inside("run/webcam").stat().st_uid != 0
    assert system.service("reload", name)[0] == 0
    assert system.service("stop", name)[0] == 0
    wait_for(lambda: system.eyelids() == ["eyelid"], "the camera sleeps, and nobody runs")
