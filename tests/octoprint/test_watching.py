"""OctoPrint's events arm a watcher, which pauses the print, as docs/octoprint.md has it.

systemd is not there: what stands in for it says what it is asked for, and the test does that.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
from programs import API_KEY, OCTOPRINT, running_octoprint

from harness.idle_class import wait_watched
from harness.slot import Slot
from harness.waiting import wait_for

DOCUMENT = Path(__file__).parents[2] / "docs/octoprint.md"
ARM, DISARM = "start eyelid-watch@printer", "stop eyelid-watch@printer"
EVERYWHERE = "0,0 100,0 100,100 0,100"


def example(language):
    """Gives the example of that language in the document's section about watching."""
    section = DOCUMENT.read_text().split("\n## Watching prints\n")[1].split("\n## ")[0]
    (block,) = re.findall(rf"^ *```{language}\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return "".join(line[3:] for line in block.splitlines(keepends=True))


def events():
    """Gives what the example has in config.yaml."""
    script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    command = [OCTOPRINT.with_name("python"), "-c", script]
    done = subprocess.run(
        command, input=example("yaml"), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def asleep():
    """It has an OctoPrint of its own."""


@pytest.fixture
def asked(directory):
    """A file of what systemctl was asked for as root, and where what stands in for it is."""
    programs, asked = directory / "bin", directory / "asked"
    programs.mkdir()
    asked.touch()
    sudo = '[ "$1" = -n ] && shift && exec "$@"'
    systemctl = f'echo "$@" >> "{asked}"'
    for name, body in {"sudo": sudo, "systemctl": systemctl}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    return asked, programs


def test_events_arm_a_watcher_that_pauses_the_print(start, directory, asked):
    calls, programs = asked
    with running_octoprint(start, directory / "octoprint", events(), programs) as octoprint:
        key = directory / "octoprint.key"
        key.write_text(f"X-Api-Key: {API_KEY}\n")
        text = example("toml").replace('"libcamera"', '"test"').replace('"5min"', '"8s"')
        text = text.replace("http://127.0.0.1:5000", octoprint.url)
        text = text.replace("/etc/eyelid/octoprint.key", str(key))
        # What moves in the test picture is out of sight: a printer that is stuck.
        config = directory / "eyelid.toml"
        config.write_text(
            f'[server]\nslots = "{directory}/slots"\n'
            f'[watch]\nalerts = "{directory}/alerts"\nstate = "{directory}/state"\n'
            f'{text}\n[cameras.printer.watch]\nmask = ["{EVERYWHERE}"]\n'
        )
        arguments = ["--config", config, "--name", "printer"]
        camera = Slot(directory / "slots/printer", start("eyelid-capture", *arguments))
        camera.wait_state("asleep")
        octoprint.print()
        wait_for(lambda: ARM in calls.read_text(), lambda: f"arming: {octoprint.program.out()}")
        watcher = start("eyelid-watch", *arguments)
        wait_watched(watcher)
        wait_for(
            lambda: octoprint.state() == "Paused", lambda: f"a pause: {watcher.log()}", deadline=60
        )
        assert DISARM not in calls.read_text()
        octoprint.order("/api/job", {"command": "cancel"})
        wait_for(lambda: DISARM in calls.read_text(), lambda: f"the end: {octoprint.program.out()}")
        assert watcher.stop() == 0
        camera.wait_state("asleep")
    # Who cancels a print is told of by two events.
    armed, *disarmed = calls.read_text().splitlines()
    assert armed == ARM and set(disarmed) == {DISARM}
    (alert,) = (directory / "alerts").glob("*-printer-stopped.json")
    assert json.loads(alert.read_text())["judge"] == "still"
