"""docker/compose.yaml, as far as it can be looked at without OctoPrint's image."""

import os
import subprocess
from pathlib import Path

import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"


def test_is_understood_and_confined_as_what_the_other_tests_run():
    file = DOCKER / "compose.yaml"
    printed = subprocess.run(
        ["docker-compose", "--file", file, "config"], capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stderr
    services = yaml.safe_load(printed.stdout)["services"]
    eyelid = services["eyelid"]
    assert (Path(eyelid["build"]["context"]) / eyelid["build"]["dockerfile"]).samefile(
        DOCKER / "Dockerfile"
    )
    assert eyelid["network_mode"] == "service:octoprint"
    assert (eyelid["read_only"], eyelid["cap_drop"]) == (True, ["ALL"])
    assert eyelid["security_opt"] == ["no-new-privileges:true"]


def test_what_it_shows_to_octoprint_is_there():
    file = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    shown = [
        volume.split(":")[0]
        for volume in file["services"]["octoprint"]["volumes"]
        if volume.startswith("./")
    ]
    assert len(shown) == 2
    for path in shown:
        assert os.access(DOCKER / path, os.X_OK), path
