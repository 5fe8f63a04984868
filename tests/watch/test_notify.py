"""Who is told, by webhook, ntfy, command and MQTT: once, whoever is killed and whatever fails."""

import base64
import io
import json
import random
import subprocess
import time

import pytest
from PIL import Image
from receiver import receiving

from harness.broker import Broker
from harness.pavement import Street, has_visitor
from harness.waiting import wait_for
from harness.watcher import RULE, Watch, settle, visit


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def street(directory):
    street = Street(directory / "slots" / "door")
    yield street
    street.stop()


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
    (event,) = wait_for(lambda: broker.heard("eyelid/door/alert"), "the alert")
    assert json.loads(event)["id"] == alert["id"]
    picture = broker.retained("eyelid/door/picture")
    assert Image.open(io.BytesIO(picture)).format == "JPEG"
    # Killed: the broker says so. Stopped: it says so itself.
    watch.kill()
    wait_for(lambda: broker.heard(available)[-1] == "offline", "the last will")
    watch.run()
    wait_for(lambda: broker.heard(available)[-1] == "online", "it is back")
    watch.program.stop()
    wait_for(lambda: broker.heard(available)[-1] == "offline", "it says so itself")
    assert "" not in broker.heard(config), "a rule was taken away that is there"
    # A rule of another name: the first one is gone.
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
