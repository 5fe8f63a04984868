"""Who is told, by webhook, ntfy, command and MQTT: once, whoever is killed and whatever fails."""

import base64
import io
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pavement import Street, has_visitor
from PIL import Image
from receiver import receiving

from harness.http import free_port, wait_listening
from harness.processes import descendants
from harness.programs import binary
from harness.waiting import wait_for

RULE = """[cameras.door.watch.rules.visitor]
motion = true
cool-down = "3s"
an-hour = 1000
notify = ["{ways}"]
"""


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def street(directory):
    street = Street(directory / "slots" / "door")
    yield street
    street.stop()


class Watch:
    """`eyelid-watch` for the camera `door`, that may be killed and started again."""

    def __init__(self, start, directory, ways, alerts=None, wrap=()):
        self._start, self.directory, self._wrap = start, directory, wrap
        self.alerts = alerts or directory / "alerts"
        self.state = directory / "state"
        self.config = directory / "eyelid.toml"
        self.configure(ways)
        self.program = None

    def configure(self, ways, rule=RULE):
        """Writes the configuration."""
        lines = [f'[watch]\nalerts = "{self.alerts}"\nstate = "{self.state}"\n']
        for name, options in ways.items():
            lines.append(f"[watch.notify.{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        lines.append(rule.format(ways='", "'.join(ways)))
        self.config.write_text("\n".join(lines))

    def run(self):
        """Starts it, and waits until it watches."""
        slots = self.directory / "slots"
        command = [*self._wrap, binary("eyelid-watch"), "--slots", slots, "--config", self.config]
        self.program = self._start(*command, "--name", "door")
        self.program.wait_log("watched for")
        # It gives way to all else, and a machine that runs tests has much else to do.
        for pid in [self.program.pid, *descendants(self.program.pid)]:
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))

    def kill(self):
        """Kills it as the kernel does for want of memory."""
        self.program.stop(signal.SIGKILL)

    def made(self):
        """Gives the alerts that lie there."""
        names = sorted(self.alerts.glob("*.json")) if self.alerts.exists() else []
        return [json.loads(name.read_text()) for name in names]

    def outbox(self):
        """Gives what is still to be told."""
        return list((self.state / "door.outbox").glob("*.json"))

    def standing(self):
        """Says whether the visitor is known to be there."""
        path = self.state / "door.json"
        rules = json.loads(path.read_text())["rules"] if path.exists() else {}
        return rules.get("visitor", {}).get("state") == "standing"


def visit(street, watch, during=None):
    """A visitor comes, is there until that is known, and goes; longer than the cool-down."""
    street.visitor = True
    if during:
        during()
    wait_for(watch.standing, lambda: f"a visitor is seen:\n{watch.program.log()}")
    street.visitor = False
    wait_for(lambda: not watch.standing(), "the visitor is gone")
    time.sleep(3.5)  # the cool-down itself is what is wanted


def settle():
    """Waits until the empty street is learned: there is no sign of that but time."""
    time.sleep(4)


def test_a_webhook_is_told_once_of_each_visitor_with_the_picture(
    start, directory, street, receiver
):
    hook = {"webhook": f"{receiver.url}/hook", "picture": True}
    watch = Watch(start, directory, {"home": hook})
    watch.run()
    settle()
    for _ in range(3):
        visit(street, watch)
    wait_for(lambda: len(receiver.taken) == 3, lambda: f"3 are told: {watch.program.log()}")
    made = watch.made()
    assert [alert["id"] for alert in made] == list(receiver.taken)
    assert set(receiver.taken.values()) == {1}
    for alert, (path, _, body) in zip(made, receiver.received, strict=True):
        told = json.loads(body)
        jpeg = base64.b64decode(told.pop("jpeg_base64"))
        assert (path, told["judge"], told["kind"]) == ("/hook", "motion", "seen")
        assert alert.items() <= told.items()
        assert jpeg == (watch.alerts / f"{alert['id']}.jpg").read_bytes()
        assert has_visitor(jpeg)
    assert watch.outbox() == []


def test_each_visitor_is_told_whatever_a_webhook_answers(start, directory, street, receiver):
    receiver.answers = ["500", "cut", "429 1", "take", "404"]
    watch = Watch(start, directory, {"home": {"webhook": receiver.url}})
    watch.run()
    settle()
    visit(street, watch)
    wait_for(lambda: sum(receiver.taken.values()) == 1, watch.program.log, 120)
    visit(street, watch)
    wait_for(lambda: sum(receiver.taken.values()) == 2, watch.program.log, 120)
    assert set(receiver.taken.values()) == {1} and len(receiver.received) == 6


def test_ntfy_is_not_told_again_what_it_has(start, directory, street, receiver):
    """It has taken the alert and the connection ends: only the topic can say so."""
    receiver.answers = ["take and cut"]
    watch = Watch(start, directory, {"phone": {"ntfy": f"{receiver.url}/topic"}})
    watch.run()
    settle()
    visit(street, watch)
    wait_for(lambda: not watch.outbox(), lambda: f"it is known:\n{watch.program.log()}")
    assert sum(receiver.taken.values()) == 1
    (path, headers, body), (asked, _, _) = receiver.received
    assert (path, headers["Title"]) == ("/topic", "door: visitor")
    assert has_visitor(body) and asked.startswith("/topic/json?poll=1")


def test_killed_at_random_moments_each_visitor_is_an_alert_and_told(
    start, directory, street, receiver
):
    """What was taken when it was killed is told again under the same name, and nothing else is."""
    chance = random.Random(20)
    receiver.answers = [chance.choice(["take", "500", "cut"]) for _ in range(10)]
    watch = Watch(start, directory, {"home": {"webhook": receiver.url}})
    watch.run()
    settle()

    def kill():
        time.sleep(chance.uniform(0, 1.5))
        watch.kill()
        watch.run()

    visits = 8
    for _ in range(visits):
        visit(street, watch, kill)
    wait_for(lambda: not watch.outbox(), lambda: f"all is told:\n{watch.program.log()}", 120)
    made = [alert["id"] for alert in watch.made()]
    assert len(made) == visits, made
    assert sorted(receiver.taken) == made
    # The one hole is the moment between the answer and our knowing of it.
    assert sum(receiver.taken.values()) <= visits + 1, receiver.taken
    jpegs = {path.stem for path in watch.alerts.glob("*.jpg")}
    assert jpegs == set(made)


def test_a_camera_without_pictures_is_told_once_and_its_return_once(
    start, directory, street, receiver
):
    watch = Watch(start, directory, {"home": {"webhook": receiver.url}})
    watch.run()
    settle()
    street.off = True

    def kinds():
        return [json.loads(body)["kind"] for _, _, body in receiver.received]

    wait_for(lambda: kinds() == ["blind"], lambda: f"blind:\n{watch.program.log()}", 120)
    watch.kill()
    watch.run()
    time.sleep(10)  # time for a second one, if it came
    street.off = False
    wait_for(lambda: len(kinds()) > 1, lambda: f"it sees again:\n{watch.program.log()}", 120)
    assert kinds() == ["blind", "sees-again"]
    assert [alert["cause"] for alert in watch.made()] == ["no-frames"] * 2


def test_a_full_disk_costs_pictures_and_no_alert(start, directory, street, receiver):
    """The alerts lie on a file system of their own, which is full."""
    alerts = directory / "alerts"
    alerts.mkdir()
    mount = f"mount -t tmpfs -o size=128k none {alerts} && head -c 1M /dev/zero > {alerts}/full; "
    wrap = ["unshare", "-Urm", "sh", "-c", mount + 'exec "$0" "$@"']
    if subprocess.run([*wrap[:2], "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces for users here")
    hook = {"webhook": receiver.url, "picture": True}
    watch = Watch(start, directory, {"home": hook}, alerts, wrap)
    watch.run()
    settle()
    for _ in range(2):
        visit(street, watch)
    wait_for(lambda: len(receiver.taken) == 2, lambda: f"told:\n{watch.program.log()}")
    told = [json.loads(body) for _, _, body in receiver.received]
    assert [alert["picture"] for alert in told] == [False, False]
    assert watch.program.log().count("cannot be written") == 1


class Broker:
    """mosquitto, and what it has."""

    def __init__(self, start, directory):
        self._start, self.port = start, free_port()
        self._config = directory / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.program = self.run()
        self._heard = start("mosquitto_sub", *self.of("#"), "-F", "%r %t %p")

    def run(self):
        """Starts it."""
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
        program = self._start(mosquitto, "-c", self._config)
        wait_listening(f"http://127.0.0.1:{self.port}")
        return program

    def of(self, topic):
        """Gives the options by which clients reach a topic."""
        return ["-h", "127.0.0.1", "-p", str(self.port), "-t", topic]

    def heard(self, topic):
        """Gives all that was said there since the beginning."""
        lines = (line.split(" ", 2) for line in self._heard.out().splitlines())
        return [line[2] for line in lines if len(line) == 3 and line[1] == topic]

    def retained(self, topic):
        """Gives what is kept there."""
        command = ["mosquitto_sub", *self.of(topic), "-C", "1", "-W", "2", "--retained-only"]
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
        return done.stdout.removesuffix(b"\n")


@pytest.fixture
def broker(start, directory):
    return Broker(start, directory)


def test_mosquitto_is_told_of_rules_and_alerts(start, directory, street, broker):
    ways = {"broker": {"mqtt": f"mqtt://127.0.0.1:{broker.port}"}}
    watch = Watch(start, directory, ways)
    watch.run()
    rule, available = "eyelid/door/rule/visitor", "eyelid/door/availability"
    config = "homeassistant/binary_sensor/eyelid_door/visitor/config"
    wait_for(lambda: broker.heard(rule) == ["OFF"], watch.program.log)
    assert json.loads(broker.retained(config))["state_topic"] == rule
    settle()
    visit(street, watch)
    wait_for(lambda: broker.heard(rule)[-1] == "OFF", watch.program.log)
    assert [state for state in broker.heard(rule) if state == "ON"]
    (alert,) = watch.made()
    wait_for(lambda: not watch.outbox(), watch.program.log)
    (event,) = broker.heard("eyelid/door/alert")
    assert json.loads(event)["id"] == alert["id"]
    picture = broker.retained("eyelid/door/picture")
    assert Image.open(io.BytesIO(picture)).format == "JPEG"
    # Killed: the broker says so. Stopped: it says so itself.
    watch.kill()
    wait_for(lambda: broker.heard(available)[-1] == "offline", "the last will")
    watch.run()
    wait_for(lambda: broker.heard(available)[-1] == "online", "it is back")
    # A rule of another name: the first one is gone.
    watch.program.stop()
    assert broker.heard(available)[-1] == "offline"
    watch.configure(ways, RULE.replace("visitor", "somebody"))
    watch.run()
    wait_for(lambda: broker.retained(config) == b"", "its discovery is taken back")
    assert len(broker.heard("eyelid/door/alert")) == 1


def test_a_broker_that_is_down_is_told_when_it_is_back(start, directory, street, broker):
    broker.program.stop()
    watch = Watch(start, directory, {"broker": {"mqtt": f"mqtt://127.0.0.1:{broker.port}"}})
    watch.run()
    settle()
    visit(street, watch)
    assert len(watch.outbox()) == 1
    watch.kill()
    watch.run()
    broker.program = broker.run()
    wait_for(lambda: not watch.outbox(), lambda: f"told:\n{watch.program.log()}", 120)
    assert broker.retained("eyelid/door/availability") == b"online"


def test_mosquitto_pub_as_a_command_is_given_the_alert(start, directory, street, broker):
    command = f"mosquitto_pub {' '.join(broker.of('alerts'))} -q 1 -s"
    watch = Watch(start, directory, {"script": {"command": command}})
    watch.run()
    settle()
    visit(street, watch)
    wait_for(lambda: broker.heard("alerts"), lambda: f"told:\n{watch.program.log()}")
    (alert,) = watch.made()
    assert [json.loads(text)["id"] for text in broker.heard("alerts")] == [alert["id"]]
