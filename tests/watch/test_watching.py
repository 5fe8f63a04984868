"""Watching itself: when the camera is awake, how often it is looked at, and recorded pictures."""

import ctypes
import io
import json
import os
import re
import subprocess
import time
from base64 import b64encode
from pathlib import Path

from PIL import Image
from scene import draw
from street import Street, walking

from harness.http import get
from harness.idle_class import wait_watched
from harness.programs import binary
from harness.slot import Slot
from harness.waiting import wait_for

IN_OPEN = 0x20
EVERYWHERE = "0,0 100,0 100,100 0,100"


class Opens:
    """Counts who opens a slot's files."""

    def __init__(self, slot):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._libc.inotify_add_watch(self._inotify, os.fsencode(slot), IN_OPEN) >= 0

    def names(self):
        """Gives the names of the files that were opened since the last call."""
        names = []
        try:
            while events := os.read(self._inotify, 65536):
                while events:
                    length = int.from_bytes(events[12:16], "little")
                    names.append(events[16 : 16 + length].rstrip(b"\0").decode())
                    events = events[16 + length :]
        except BlockingIOError:
            pass
        return [name for name in names if name.startswith("current.")]


def configure(directory, camera="", rules=""):
    """Writes a configuration of the camera `door`, a test picture; gives its path."""
    path = directory / "eyelid.toml"
    path.write_text(
        f'[server]\nslots = "{directory}/slots"\n'
        f'[watch]\nalerts = "{directory}/alerts"\nstate = "{directory}/state"\n'
        '[cameras.door]\nsource = "test"\nsize = "1280x720"\nlinger = "3s"\n'
        f"[cameras.door.watch]\n{camera}\n{rules}\n"
    )
    return path


def capture(start, directory, config):
    """Starts the camera; gives its slot, when it is asleep."""
    program = start("eyelid-capture", "--config", config, "--name", "door")
    slot = Slot(directory / "slots" / "door", program)
    wait_for(lambda: (slot.state() or {}).get("state") == "asleep", "the camera sleeps")
    return slot


def watch(start, config):
    """Starts a watcher, when it is in the idle class as it should; and takes it out of that.

    What else runs on this machine is not to decide what is seen.
    """
    program = start("eyelid-watch", "--config", config, "--name", "door")
    assert wait_watched(program)
    return program


def alerts(directory):
    return [json.loads(path.read_text()) for path in sorted(directory.glob("alerts/*.json"))]


def switches(program):
    """Gives how often a program has waited for something so far."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])


def bytes_read(program):
    """Gives how many bytes a program has read so far."""
    return int(re.search(r"^rchar: (\d+)", Path(f"/proc/{program.pid}/io").read_text())[1])


def exposures(slot, seconds):
    """Gives how many files of the quarter rendition came in so many seconds."""
    file, seen, end = slot.path / "current.quarter.jpg", set(), time.monotonic() + seconds
    while time.monotonic() < end:
        seen.add(file.stat().st_mtime_ns)
        time.sleep(0.02)
    return len(seen) - 1


def test_what_moves_is_alerted_with_the_very_picture(start, directory):
    street = Street(directory / "slots" / "door")
    program = watch(start, configure(directory))
    time.sleep(4)  # the empty street is learned: there is no sign of that but time
    street.visitor = True
    wait_for(lambda: alerts(directory), lambda: f"an alert:\n{program.log()}")
    street.stop()
    (alert,) = alerts(directory)
    assert (alert["rule"], alert["judge"], alert["kind"]) == ("motion", "motion", "seen")
    assert alert["boxes"]
    assert (directory / "alerts" / f"{alert['id']}.jpg").read_bytes() in street.walk
    assert program.stop() == 0
    assert not json.loads((directory / "state" / "door.json").read_text())["watching"]


def test_a_calm_camera_is_looked_at_twice_a_second_and_sleeps_when_it_is_not_watched(
    start, directory
):
    config = configure(directory, f'mask = ["{EVERYWHERE}"]')
    slot = capture(start, directory, config)
    program = watch(start, config)
    wait_for(lambda: slot.state()["state"] == "awake", "the camera is awake")
    time.sleep(3)
    calm = exposures(slot, 6)
    # Of a machine that has something else to do, fewer.
    assert 6 <= calm <= 13, calm
    assert program.stop() == 0
    wait_for(lambda: slot.state()["state"] == "asleep", "the camera sleeps")


def test_outside_of_its_hours_nothing_is_opened_and_the_camera_sleeps(start, directory):
    now = time.localtime(time.time() + 7200)
    day = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][now.tm_wday]
    later = f"{day} {now.tm_hour:02}:00-{now.tm_hour:02}:59"
    config = configure(directory, f'at = "{later}"')
    slot = capture(start, directory, config)
    opens = Opens(slot.path)
    program = watch(start, config)
    time.sleep(2)
    before = switches(program)
    time.sleep(6)
    assert opens.names() == []
    assert switches(program) - before <= 1
    assert slot.state()["state"] == "asleep"


def test_alerts_go_when_they_are_too_old_although_nothing_happens(start, directory):
    never = (time.localtime().tm_wday + 3) % 7
    day = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][never]
    config = configure(directory, f'at = "{day} 12:00-12:01"')
    config.write_text(config.read_text().replace("[watch]\n", '[watch]\nkeep-for = "1h"\n'))
    old, soon, new = (put_alert(directory, ago) for ago in (7200, 3594, 60))
    program = start("eyelid-watch", "--config", config, "--name", "door")
    wait_for(lambda: not old.exists(), "the old one goes at the start")
    assert soon.exists()
    before = switches(program)
    wait_for(lambda: not soon.exists(), "the next one goes when its time has come")
    assert switches(program) - before <= 3
    assert new.exists()


def put_alert(directory, ago):
    """Puts an alert of so many seconds ago among the others; gives its file."""
    at = time.time() - ago
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at))
    file = directory / "alerts" / f"{stamp}.000Z-door-motion.json"
    file.parent.mkdir(exist_ok=True)
    said = {"version": 1, "id": file.stem, "camera": "door", "rule": "motion", "kind": "seen"}
    said["at"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
    file.write_text(json.dumps(said))
    return file


def test_who_only_follows_wakes_nobody_and_keeps_nobody_awake(start, directory):
    config = configure(directory, "follow = true")
    slot = capture(start, directory, config)
    opens = Opens(slot.path)
    program = watch(start, config)
    assert "while others look" in program.log()
    time.sleep(4)
    assert opens.names() == [] and slot.state()["state"] == "asleep"
    # Somebody looks, long enough for the view to be learned.
    before, end = bytes_read(program), time.monotonic() + 6
    while time.monotonic() < end:
        slot.look()
        time.sleep(0.1)
    # It has read some of that, too.
    assert bytes_read(program) - before > 4 * slot.file.stat().st_size
    # Nobody does: one frame of its own, and the camera sleeps.
    wait_for(lambda: slot.state()["state"] == "asleep", "the camera sleeps")
    opens.names()
    time.sleep(4)
    assert opens.names() == [] and slot.state()["state"] == "asleep"


def test_a_camera_that_is_away_is_told_once_and_its_return_once(start, directory):
    street = Street(directory / "slots" / "door")
    program = watch(start, configure(directory))
    time.sleep(3)
    street.off = True
    kinds = lambda: [alert["kind"] for alert in alerts(directory)]  # noqa: E731
    wait_for(lambda: "blind" in kinds(), lambda: f"blindness: {program.log()}", 90)
    street.off = False
    wait_for(lambda: "sees-again" in kinds(), lambda: f"its end: {program.log()}", 60)
    street.stop()
    assert kinds().count("blind") == kinds().count("sees-again") == 1
    assert not [alert for alert in alerts(directory) if alert["kind"] == "seen"]


def replay(*arguments):
    """Runs `replay`, which needs no state, no slot and no detector; gives its lines."""
    done = subprocess.run(
        [binary("eyelid-watch"), "replay", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"PATH": os.environ["PATH"]},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_recorded_pictures_are_alerted_as_they_would_have_been(directory):
    pictures = directory / "pictures"
    pictures.mkdir()
    empty = draw()
    for number in range(90):
        is_there = 50 <= number < 80
        picture = walking(empty, 40 + (number - 50) * 12) if is_there else empty
        (pictures / f"{number}.jpg").write_bytes(picture)
    config = directory / "eyelid.toml"
    config.write_text("[cameras.door.watch.rules.anything]\nmotion = true\n")
    (alert,) = replay("--config", config, "--name", "door", pictures, "--fps", 10)
    assert (alert["rule"], alert["judge"]) == ("anything", "motion")
    assert 5.0 <= alert["at_s"] <= 6.0
    # The same, half as quick; and without a word of configuration.
    (alert,) = replay("--name", "door", pictures, "--fps", 5)
    assert alert["rule"] == "motion" and 10.0 <= alert["at_s"] <= 12.0
    looks = replay("--name", "door", pictures, "--fps", 10, "--every-look")
    moving = [look["look_s"] for look in looks if look.get("moving")]
    assert len(moving) >= 24 and min(moving) >= 5.0
    config.write_text('[cameras.door.watch]\nmask = ["0,0 100,0 100,100 0,100"]\n')
    assert replay("--config", config, "--name", "door", pictures) == []


def test_what_was_wrong_is_judged_again_from_its_case(start, directory):
    street = Street(directory / "slots" / "door")
    config = configure(directory)
    text = config.read_text().replace("[watch]", "[watch]\nask-on-page = true")
    config.write_text(text)
    watch(start, config)
    time.sleep(5)
    street.visitor = True
    wait_for(lambda: alerts(directory), "an alert")
    street.stop()
    (alert,) = alerts(directory)
    environment = os.environ | {"EYELID_PASSWORD": "anna:secret"}
    page = start("eyelid-watch", "--listen", "127.0.0.1:0", "--config", config, env=environment)
    url = page.wait_log(r"listening on (http://127\.0\.0\.1:\d+)")[1]
    anna = {"Authorization": "Basic " + b64encode(b"anna:secret").decode()}
    kept = get(
        url,
        f"/alerts/{alert['id']}/wrong",
        method="POST",
        body="{}",
        **anna | {"Content-Type": "application/json"},
    )
    case = json.loads(kept.body)["case"]
    assert kept.status == 200 and 6 <= case["pictures"] <= 17, kept
    assert not list(directory.glob("alerts/cases/.*")), "nothing is left beside it"
    (again,) = replay("--config", config, "--name", "door", case["directory"])
    assert (again["rule"], again["judge"]) == ("motion", "motion")
    config.write_text(
        text.replace(
            "[cameras.door.watch]", f"[cameras.door.watch]\nmask = [{json.dumps(EVERYWHERE)}]"
        )
    )
    assert replay("--config", config, "--name", "door", case["directory"]) == []


def test_show_tints_the_cells_of_who_walks(directory):
    street = Street(directory / "slots" / "door")
    street.visitor = True
    command = [binary("eyelid-watch"), "show", "--config", configure(directory), "--name", "door"]
    drawn = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    street.stop()
    with Image.open(io.BytesIO(drawn)) as picture:
        pixels = list(picture.convert("RGB").get_flattened_data())
    # Half orange, as no part of the street is; a red box has less green.
    orange = [1 for red, green, blue in pixels if red - blue > 90 and green > 110]
    assert len(orange) > 500, len(orange)


def test_show_draws_into_a_picture_and_explain_says_what_a_rule_costs(directory):
    config = configure(directory, 'mask = ["0,0 50,0 50,100 0,100"]')
    picture = directory / "door.jpg"
    picture.write_bytes(draw())
    command = [binary("eyelid-watch"), "show", "--config", config, "--name", "door", picture]
    drawn = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    (directory / "drawn.jpg").write_bytes(drawn)
    with Image.open(picture) as before, Image.open(directory / "drawn.jpg") as after:
        assert before.size == after.size
        light = [image.convert("L").resize((2, 1)).tobytes() for image in (before, after)]
        assert light[1][0] < light[0][0] * 0.6 and abs(light[1][1] - light[0][1]) < 20
    command = [binary("eyelid-watch"), "explain", "--config", config, "--name", "door"]
    text = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True).stdout
    assert "rule motion: something moves" in text and "sends: nothing" in text
