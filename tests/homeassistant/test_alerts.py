"""Home Assistant finds by MQTT what `eyelid-watch` watches for, and is told of it."""

import pytest

from harness.broker import Broker
from harness.pavement import Street, has_visitor
from harness.waiting import wait_for
from harness.watcher import RULE, Watch, settle, visit

VISITOR = "binary_sensor.eyelid_door_visitor"
BLIND = "binary_sensor.eyelid_door_cannot_see"
PICTURE = "image.eyelid_door_last_alert"
EVENT = "event.eyelid_door_alert"
ENTITIES = [VISITOR, BLIND, PICTURE, EVENT]


def telling(broker):
    """Gives the table of who is told."""
    return {"home": {"mqtt": f"mqtt://127.0.0.1:{broker.port}"}}


@pytest.fixture
def broker(start, directory, home):
    """A broker that Home Assistant knows by its form, for this test."""
    broker = Broker(start, directory)
    form = {"broker": "127.0.0.1", "port": broker.port}
    answer = home.fill_in("mqtt", form)
    assert answer["type"] == "create_entry", answer
    yield broker
    home.remove(answer)


@pytest.fixture
def street(directory):
    street = Street(directory / "slots" / "door")
    yield street
    street.stop()


@pytest.fixture
def watch(start, directory, street, broker):
    """A watcher that tells the broker."""
    watch = Watch(start, directory, telling(broker))
    watch.run()
    return watch


def wait_state(home, entity, state):
    """Waits until an entity is in a state."""

    def said():
        return f"{entity} is {home.state(entity)}, not {state}; its log:\n{home.program.log()}"

    wait_for(lambda: home.state(entity) == state, said)


def test_an_alert_turns_a_sensor_on_and_shows_its_very_picture(home, street, watch):
    wait_state(home, VISITOR, "off")
    wait_state(home, BLIND, "off")
    assert home.attributes(VISITOR)["device_class"] == "motion"
    assert home.attributes(BLIND)["device_class"] == "problem"
    for entity in [PICTURE, EVENT]:
        wait_state(home, entity, "unknown")  # nothing happened yet
    # One device has all of them.
    assert {home.device(entity) for entity in ENTITIES} == {"Eyelid door"}
    settle()
    visit(street, watch, lambda: wait_state(home, VISITOR, "on"))
    wait_state(home, VISITOR, "off")
    (alert,) = watch.made()
    jpeg = (watch.alerts / f"{alert['id']}.jpg").read_bytes()
    assert has_visitor(jpeg)
    wait_for(lambda: home.get(f"/api/image_proxy/{PICTURE}").status == 200, "its picture")
    answer = home.get(f"/api/image_proxy/{PICTURE}")
    assert (answer.headers["content-type"], answer.body) == ("image/jpeg", jpeg)
    wait_for(lambda: home.state(EVENT) != "unknown", "the event")
    told = home.attributes(EVENT)
    assert (told["event_type"], told["id"]) == ("seen", alert["id"])
    assert {key: told[key] for key in alert} == alert


def test_without_the_watcher_they_are_unavailable_and_a_rule_that_is_gone_is_gone(
    home, broker, watch
):
    wait_state(home, VISITOR, "off")
    watch.kill()
    for entity in ENTITIES:
        wait_state(home, entity, "unavailable")
    watch.run()
    for entity in [VISITOR, BLIND]:
        wait_state(home, entity, "off")
    watch.program.stop()
    for entity in ENTITIES:
        wait_state(home, entity, "unavailable")
    watch.configure(telling(broker), RULE.replace("visitor", "somebody"))
    watch.run()
    wait_state(home, VISITOR.replace("visitor", "somebody"), "off")
    wait_state(home, VISITOR, None)
