"""A watched camera, by package eyelid-watch under the shipped units: armed and disarmed, what it
may do, and the page of alerts. Runs after the packages' own tests, and installs them anew.
"""

import errno
import io
import json
import os
import pwd
import re
import subprocess
import threading
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
from machine import (
    ADDRESS,
    CAPTURE,
    CONFIGURATION,
    DEADLINE,
    SERVER,
    SIDE,
    as_process,
    debs,
    files,
    install_beside,
    journal,
    pid,
    processes,
    run,
    show,
    wait_for,
)
from PIL import Image

from harness.http import get

WATCHER, SIDE_WATCHER = (f"eyelid-watch@{name}.service" for name in ("default", "side"))
PAGE, SOCKET = "eyelid-watch.service", "eyelid-watch.socket"
KEPT = Path("/var/lib/eyelid")
ALERTS, STATE = KEPT / "alerts", KEPT / "watch"
CAMERA = 'source = "test"\nsize = "320x240"\nfps = 5\nlinger = "2s"\n'
PLAYED = Path("/var/lib/played")  # what the camera `side` shows then
STREET = f'source = "folder:{PLAYED}"\nlinger = "2s"\n'
PEOPLE = '[cameras.side.watch.rules.people]\nsees = ["person"]\n'
PAGE_OF_DOCUMENTS = Path("/usr/share/doc/eyelid/docs/watch.md")
BEFORE = set()  # files() before eyelid-watch was installed


@pytest.fixture(scope="module", autouse=True)
def installed():
    """Both packages, of which nothing is enabled yet."""
    BEFORE.update(install_beside("eyelid-watch"))
    configure()


def configure(watch="", side=CAMERA):
    """Writes the configuration: the default camera, and another, which is watched so."""
    CONFIGURATION.write_text(
        '[server]\nslots = "/run/webcam"\nidle-exit = "3s"\n\n[watch]\nidle-exit = "3s"\n\n'
        f"[cameras.default]\n{CAMERA}\n[cameras.side]\n{side}\n{watch}"
    )


def alerts(camera="default"):
    """Gives the alerts of a camera that lie there."""
    found = [json.loads(path.read_text()) for path in sorted(ALERTS.glob("*.json"))]
    return [alert for alert in found if alert["camera"] == camera]


def wait_alert(camera="default"):
    """Waits for an alert; gives it."""
    return wait_for(lambda: alerts(camera), lambda: f"an alert: {told(WATCHER)}")[0]


def told(unit):
    """Gives what a unit has said."""
    return [entry["MESSAGE"] for entry in journal(f"--unit={unit}")]


def nothing_runs():
    """Waits until all programs have ended, none of which has failed."""
    wait_for(lambda: not processes(), lambda: f"the end of {processes()}")
    for unit in WATCHER, SIDE_WATCHER, SOCKET, PAGE, SERVER, CAPTURE, SIDE:
        assert show(unit, "Result") == "success", unit


def test_installing_watches_nothing():
    assert run("systemctl", "list-units", "--state=active", "--no-legend", "eyelid-watch*") == ""
    assert processes() == {} and not KEPT.exists()


def test_starting_the_unit_arms_the_camera_and_an_alert_lies_there_with_its_picture():
    run("systemctl", "start", WATCHER)
    assert wait_for(lambda: pid(CAPTURE), "the camera")
    alert = wait_alert()
    assert (alert["rule"], alert["judge"], alert["kind"]) == ("motion", "motion", "seen")
    assert alert["boxes"] and alert["picture"]
    picture = Image.open(io.BytesIO((ALERTS / f"{alert['id']}.jpg").read_bytes()))
    picture.load()
    assert picture.size == (320, 240)
    assert sorted(processes().values()) == ["eyelid-capture", "eyelid-watch"]


def test_what_it_keeps_says_of_which_start_of_the_machine_it_is():
    """A clock that is set would make alerts again, or old before their time."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    state = wait_for(lambda: list(STATE.glob("default.json")), "a state")[0]
    assert json.loads(state.read_text())["saved"]["boot"] == kernel


def test_it_works_when_nobody_else_does():
    program = pid(WATCHER)
    assert os.sched_getscheduler(program) == os.SCHED_IDLE
    assert run("ionice", "--pid", str(program)).strip() == "idle"


def run_like_others(watcher):
    """Takes a watcher out of the idle class, by the page's recipe, from its next start on."""
    recipe = re.search(
        r"`systemctl edit eyelid-watch@door` and\n\n((?:    .*\n)+)", PAGE_OF_DOCUMENTS.read_text()
    )[1]
    recipe = re.sub("^    ", "", recipe, flags=re.M)
    edit = ["systemctl", "edit", "--stdin", watcher]
    subprocess.run(edit, input=recipe, text=True, check=True, timeout=DEADLINE)


def test_it_runs_like_others_where_the_page_s_recipe_says_so():
    run_like_others(WATCHER)
    run("systemctl", "restart", WATCHER)
    assert os.sched_getscheduler(pid(WATCHER)) == os.SCHED_OTHER
    run("systemctl", "revert", WATCHER)
    run("systemctl", "restart", WATCHER)


def test_it_can_write_nothing_but_what_it_keeps():
    program = pid(WATCHER)
    user = pwd.getpwnam("eyelid-watch")
    assert Path(f"/proc/{program}").stat().st_uid == user.pw_uid
    places = ["run/webcam", "run/eyelid", "etc/eyelid", "run", "tmp", "dev/shm", "usr/lib", ""]
    places += ["var", "var/lib", "var/lib/eyelid", "home"]
    for directory in (f"/{place}" for place in places):
        forbidden = Path(directory) / "probe"
        # Or it is not there.
        errors = (errno.EROFS, errno.EACCES, errno.ENOENT)
        assert as_process(program, forbidden.touch) in errors, directory
    slot = Path("/run/webcam/current.jpg")
    assert as_process(program, slot.read_bytes) == 0
    assert as_process(program, CONFIGURATION.read_bytes) == 0
    for kept in ALERTS, STATE, KEPT / "rules":
        assert as_process(program, (kept / "probe").touch) == 0, kept
        (kept / "probe").unlink()
        assert kept.stat().st_uid == user.pw_uid and kept.stat().st_mode & 0o777 == 0o700
    assert as_process(program, lambda: Path("/home").lstat()) == errno.ENOENT


def test_the_page_of_alerts_is_behind_the_server_and_ends_when_nobody_looks():
    run("systemctl", "enable", "--now", "eyelid.socket", SOCKET)
    assert pid(PAGE) is None
    answers = []

    def listed():
        # One that is not up in time is asked again.
        answers[:] = [get(ADDRESS, "/alerts/list.json")]
        assert answers[0].status in (200, 503), answers
        return answers[0].status == 200

    wait_for(listed, lambda: f"the list; last answer: {answers}")
    alert = alerts()[0]
    assert alert["id"] in [found["id"] for found in json.loads(answers[0].body)["alerts"]]
    picture = get(ADDRESS, f"/alerts/{alert['id']}.jpg")
    assert picture.body == (ALERTS / f"{alert['id']}.jpg").read_bytes()
    page = get(ADDRESS, "/alerts")
    assert page.status == 200 and b"<html" in page.body.lower()
    assert pid(PAGE)
    wait_for(lambda: pid(PAGE) is None, lambda: f"the page's end of {processes()}")


def test_the_server_tells_what_the_camera_is_watched_for():
    def figures():
        watched = json.loads(get(ADDRESS, "/status").body)["cameras"][0].get("watch")
        return watched and watched["watching"] and watched

    (rule,) = wait_for(figures, "what is watched for")["rules"]
    assert rule["name"] == "motion"


def test_stopping_the_unit_disarms_it_and_the_camera_sleeps():
    run("systemctl", "stop", WATCHER)
    nothing_runs()
    assert not json.loads((STATE / "default.json").read_text())["watching"]
    assert not Path("/run/eyelid/watch-default").exists()
    # What was seen stays.
    assert alerts()


def test_a_camera_with_a_name_is_started_with_its_watcher():
    run("systemctl", "enable", "eyelid-capture@side")
    run("systemctl", "enable", "--now", SIDE_WATCHER)
    wait_alert("side")
    assert pid(SIDE) and not pid(CAPTURE)


def test_a_reload_reads_the_rules_again_and_nonsense_changes_nothing():
    before = pid(SIDE_WATCHER)
    configure('[cameras.side.watch.rules.calm]\nstill = "5min"\n')
    run("systemctl", "reload", SIDE_WATCHER)
    wait_for(lambda: any("watched for calm" in line for line in told(SIDE_WATCHER)), "the rule")
    configure("[cameras.side.watch.rules.calm]\nsmells = true\n")
    run("systemctl", "reload", SIDE_WATCHER)
    wait_for(lambda: any("smells" in line for line in told(SIDE_WATCHER)), "the error")
    assert pid(SIDE_WATCHER) == before
    configure()
    run("systemctl", "reload", SIDE_WATCHER)


@contextmanager
def street():
    """Plays people who walk about into a directory, to and fro, as a camera would fill it."""
    frames = [path.read_bytes() for path in sorted(Path("/eyelid/street").glob("*.jpg"))]
    done = threading.Event()

    def play():
        for frame in cycle(frames + frames[::-1]):
            hidden = PLAYED / ".frame.jpg"
            hidden.write_bytes(frame)
            hidden.rename(PLAYED / "frame.jpg")
            if done.wait(0.5):
                return

    PLAYED.mkdir()
    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        (PLAYED / "frame.jpg").unlink()
        PLAYED.rmdir()


def test_people_are_seen_by_the_detector_of_its_package(report):
    configure(PEOPLE)
    run("systemctl", "reload", SIDE_WATCHER)
    wait_for(lambda: any("detector.onnx" in line for line in told(SIDE_WATCHER)), "that it is away")
    before = pid(SIDE_WATCHER)
    configure(PEOPLE, STREET)
    # What else runs is not to decide what it sees.
    run_like_others(SIDE_WATCHER)
    with street():
        run("systemctl", "restart", SIDE)
        # This restarts the watcher: before, it could not see what comes with the package.
        run("apt-get", "install", "--yes", *debs("eyelid-detector"))
        assert pid(SIDE_WATCHER) not in (None, before)

        def seen():
            return [alert for alert in alerts("side") if alert["rule"] == "people"]

        (alert,) = wait_for(seen, lambda: f"somebody: {told(SIDE_WATCHER)}")
        # In the memory that the unit leaves it.
        peak = int(show(SIDE_WATCHER, "MemoryPeak"))
        report(f"the watcher's group with the detector: {peak / 1e6:.0f} MB of memory at most")
        assert (alert["judge"], alert["kind"], alert["picture"]) == ("sees", "seen", True)
        assert {box["label"] for box in alert["boxes"]} == {"person"}
        assert show(SIDE_WATCHER, "NRestarts") == "0"
        configure()
        run("systemctl", "revert", SIDE_WATCHER)
        run("systemctl", "restart", SIDE, SIDE_WATCHER)


def test_an_upgrade_restarts_the_watcher_and_purging_leaves_nothing():
    before = pid(SIDE_WATCHER)
    # Of the same version, which is an upgrade to the package's scripts.
    run("apt-get", "install", "--reinstall", "--yes", *debs("eyelid-watch"))
    wait_for(lambda: pid(SIDE_WATCHER) not in (None, before), "another program")
    run("systemctl", "disable", "--now", SIDE_WATCHER)
    nothing_runs()
    assert alerts("side")
    run("apt-get", "purge", "--yes", "eyelid-watch", "eyelid-detector")
    ours = ("/usr/share/eyelid/", str(KEPT))
    left = {path for path in files() - BEFORE if "watch" in path or path.startswith(ours)}
    assert left == set()
    # What follows installs what it needs.
    run("systemctl", "disable", "--now", "eyelid.socket", SERVER, SIDE)
