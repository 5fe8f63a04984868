"""Cameras across hosts, by package eyelid-relay under the shipped units: this machine shares its
camera and fetches it again, by a hub of its own. Runs after the packages' own tests, and installs
them anew.
"""

import errno
import grp
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from machine import (
    CONFIGURATION,
    as_process,
    debs,
    files,
    install_beside,
    journal,
    pid,
    processes,
    run,
    show,
    snapshot,
    wait_for,
)

SHARE, FETCH, HUB = "eyelid-relay-share.service", "eyelid-relay-fetch.service", "nats-server"
KEY = CONFIGURATION.with_name("relay.key")
BEFORE = set()  # files() before eyelid-relay was installed


@pytest.fixture(scope="module", autouse=True)
def installed():
    """The packages, of which nothing is enabled yet, and a hub."""
    BEFORE.update(install_beside("eyelid-relay"))
    CONFIGURATION.write_text(
        '[server]\nslots = "/run/webcam"\n[cameras.default]\nsource = "test"\n'
        f'size = "320x240"\nlinger = "1s"\n[relay]\nconnect = "nats://localhost:4222"\n'
        f'creds = "{KEY}"\nas = "pi"\nshare = ["default"]\nfetch = ["pi.*"]\nlinger = "1s"\n'
    )
    yield
    run("systemctl", "stop", HUB)


def test_installing_starts_nothing():
    units = run("systemctl", "list-units", "--state=active", "--no-legend", "eyelid-relay*")
    assert units == "" and "eyelid-relay" not in processes().values()


def test_a_picture_comes_by_the_hub_with_a_key_that_only_the_group_reads():
    run("install", "-m", "640", "-g", "eyelid-relay", "/dev/null", str(KEY))
    made = subprocess.run(["eyelid-relay", "new-key"], check=True, capture_output=True, text=True)
    KEY.write_text(made.stdout)
    assert stat.S_IMODE(KEY.stat().st_mode) == 0o640
    assert KEY.stat().st_gid == grp.getgrnam("eyelid-relay").gr_gid
    public = re.search(r"\bU[A-Z2-7]{55}\b", made.stderr)[0]
    hub = f'host: "127.0.0.1"\nport: 4222\nauthorization {{users: [{{nkey: {public}}}]}}\n'
    Path("/etc/nats-server.conf").write_text(hub)
    run("systemctl", "restart", HUB)
    run("systemctl", "enable", "--now", "eyelid.socket", SHARE, FETCH)
    wait_for(Path("/run/webcam/pi.default").is_dir, "a slot of it")
    assert snapshot("pi.default/").size == (320, 240)


def test_who_shares_can_write_nothing_and_who_fetches_the_slots():
    places = ["run/webcam", "run/eyelid", "etc/eyelid", "run", "tmp", "dev/shm", "usr/lib", ""]
    for unit, may in (SHARE, []), (FETCH, ["run/webcam"]):
        program = wait_for(lambda unit=unit: pid(unit), "the program")
        for place in places:
            probe = Path(f"/{place}/probe")
            # Or it is not there.
            errors = (errno.EROFS, errno.EACCES, errno.ENOENT)
            said = as_process(program, probe.touch)
            assert said == 0 if place in may else said in errors, (unit, place)
        assert as_process(program, lambda: Path("/home").lstat()) == errno.ENOENT
        assert as_process(program, lambda: os.listdir("/etc/eyelid")) == 0
    Path("/run/webcam/probe").unlink()


def test_an_upgrade_restarts_both_and_purging_leaves_nothing():
    before = {unit: pid(unit) for unit in (SHARE, FETCH)}
    # Of the same version, which is an upgrade to the package's scripts.
    run("apt-get", "install", "--reinstall", "--yes", *debs("eyelid-relay"))
    for unit, old in before.items():
        wait_for(lambda unit=unit, old=old: pid(unit) not in (None, old), f"another {unit}")
    assert {show(unit, "Result") for unit in before} == {"success"}
    ours = [entry for entry in journal(f"--unit={FETCH}") if entry.get("_COMM") == "eyelid-relay"]
    assert ours and [e["MESSAGE"] for e in ours if int(e["PRIORITY"]) <= 3] == []
    run("apt-get", "purge", "--yes", "eyelid-relay")
    assert "eyelid-relay" not in processes().values()
    assert {path for path in files() - BEFORE if "relay" in path} == {str(KEY)}
    KEY.unlink()
    run("systemctl", "disable", "--now", "eyelid.socket", "eyelid-server.service")
