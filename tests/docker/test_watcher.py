"""A watcher in a container of its own, as docs/docker.md has it, with the detector."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import CONFINED, Container, Eyelid, podman

from harness.idle_class import run_like_others
from harness.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "docker.md").read_text()
SECTION = re.search(r"^### A watcher\n(.*?)^(?=##)", PAGE, re.MULTILINE | re.DOTALL)[1]
SERVICES = yaml.safe_load(re.search(r"^    services:\n(?:     .*\n)+", SECTION, re.MULTILINE)[0])[
    "services"
]
DETECTOR = re.search(r'^    - "(.*detector.onnx:ro)"$', SECTION, re.MULTILINE)[1]
FILM = Path(os.environ["EYELID_TESTS_CACHE"]) / "scenes" / "vtest.avi"
PLAYED = "/played"
CONFIGURATION = f"""
[server]
slots = "/dev/shm/webcam"
idle-exit = "1s"
[cameras.default]
source = "folder:{PLAYED}"
linger = "1s"
[cameras.default.watch.rules.people]
sees = ["person"]
"""


@pytest.fixture
def street(directory):
    """A directory into which people are played who walk about."""
    played = directory / "played"
    played.mkdir()
    command = [ROOT / "examples" / "simulate-camera", FILM, played, "--fps", "5"]
    with subprocess.Popen(command) as player:
        yield played
        player.terminate()


@pytest.fixture
def eyelid(directory, street):
    """The page's first container, whose camera is the street."""
    (directory / "eyelid.toml").write_text(CONFIGURATION)
    (directory / "kept").mkdir()
    os.chown(directory / "kept", 8080, 44)
    assert SERVICES["eyelid"]["ipc"] == "shareable"
    shown = volumes(SERVICES["eyelid"], directory)
    eyelid = Eyelid(options=["--ipc", "shareable", *shown, "--volume", f"{street}:{PLAYED}:ro"])
    yield eyelid
    print(eyelid.log())
    eyelid.remove()


def volumes(service, directory):
    """Gives podman's flags for what the page shows to a container, from this directory."""
    return [word for each in service["volumes"] for word in ("--volume", f"{directory}/{each}")]


def watcher(eyelid, directory, *options):
    """Starts the page's second container, with more options than the page has."""
    service = SERVICES["watcher"]
    assert service["ipc"] == "service:eyelid"
    program, *arguments = service["entrypoint"]
    shown = volumes(service, directory)
    ipc = ["--ipc", f"container:{eyelid.id}"]
    return Container(
        *CONFINED, *ipc, *shown, *options, "--entrypoint", program, "eyelid", *arguments
    )


def test_people_are_seen_where_the_detector_is_shown_to_it(eyelid, directory):
    watching = watcher(eyelid, directory, "--volume", f"{ROOT}/{DETECTOR}")
    try:

        def watches():
            # It reads the network first, which takes long with what others leave over.
            run_like_others(watching.pid)
            return "watched for people" in watching.log()

        wait_for(watches, watching.log)
        kept = directory / "kept" / "alerts"
        found = wait_for(lambda: list(kept.glob("*-default-people.json")), watching.log)
        alert = json.loads(found[0].read_text())
        assert (alert["judge"], alert["kind"]) == ("sees", "seen")
        assert {box["label"] for box in alert["boxes"]} == {"person"}
        assert eyelid.names() == ["eyelid", "eyelid-capture"]
    finally:
        podman("stop", watching.id, check=False)
        print(watching.log())
        watching.remove()
    wait_for(lambda: eyelid.names() == ["eyelid"], "the camera sleeps")


def test_without_the_detector_it_says_what_to_do(eyelid, directory):
    watching = watcher(eyelid, directory)
    try:
        assert podman("wait", watching.id).stdout.strip() == "78"
        assert "install package eyelid-detector" in watching.log()
    finally:
        watching.remove()
