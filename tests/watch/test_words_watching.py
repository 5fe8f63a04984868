"""Rules in words while a camera is watched: when is asked, about what, and what is told."""

import json
import signal
import time

import pytest
from doorway import Street, Watcher, hold
from model import serving
from test_words import PARCEL, Door

from harness.waiting import wait_for


@pytest.fixture
def model():
    """A model that looks."""
    with serving() as model:
        yield model


@pytest.fixture
def street(directory):
    """What happens at the door."""
    street = Street(directory)
    yield street
    street.feed.stop()


@pytest.fixture
def watch(start, directory, model, street):
    """Watches the door for a rule in words, with further keys of it."""

    def watch(rule="", words=PARCEL, **options):
        alerts = directory / "alerts"
        door = Door(directory, model, {"parcel": words}, **{"an_hour": 100} | options)
        text = door.path.read_text().replace("[watch]", f'[watch]\nalerts = "{alerts}"', 1)
        door.path.write_text(text + rule)
        return Watcher(start, street, door.path, alerts)

    return watch


def test_what_was_asked_for_is_told_once_with_the_picture_that_was_judged(watch, street, model):
    """The model sees what was before and what is now, and one thing is one alert."""
    watcher = watch()
    street.bring_until(lambda: watcher.alerts(kind="seen"), "an alert")
    alert = watcher.wait_alert(rule="parcel")
    assert (alert["judge"], alert["asked"]) == ("says", PARCEL)
    assert alert["confidence"] == 0.95 and alert["reason"].startswith("in the last picture: parcel")
    assert "parcel" in watcher.seen_in(alert)
    told = next(asked for asked in model.asked if "parcel" in asked.seen[-1])
    assert told.moments[0] == "before anything moved" and told.seen[0] == set()
    # It lies there on: nothing more is told, and little asked.
    asked = len(model.asked)
    hold(12, lambda: False)
    assert len(watcher.alerts(kind="seen")) == 1
    assert len(model.asked) - asked <= 2


def test_a_yes_that_is_not_sure_is_asked_again(watch, street, model):
    """Two of three, seconds apart, each about a picture of its own."""
    model.confidence = 0.7
    watcher = watch()
    street.bring_until(lambda: watcher.alerts(kind="seen"), "an alert")
    yeses = [asked for asked in model.asked if "parcel" in asked.seen[-1]]
    assert len(yeses) >= 2
    assert yeses[1].at - yeses[0].at > 2
    assert len(watcher.alerts(kind="seen")) == 1


def test_a_scene_that_has_not_changed_is_not_asked_about_again(watch, street, model):
    """Asked every second, and paid for once."""
    watcher = watch('every = "1s"\n', words="a parcel lies there")
    wait_for(lambda: model.asked, lambda: f"a question\n{watcher.program.log()}")
    hold(15, lambda: len(model.asked) > 1)
    assert len(model.asked) == 1
    street.show(parcel=True)
    watcher.wait_alert(rule="parcel")
    assert model.asked[-1].seen[-1] == {"parcel"}


def test_an_endpoint_in_trouble_is_left_alone_and_asked_again(watch, street, model):
    """What it says itself counts: nothing is told of a "no" that nobody said."""
    model.faults = ["busy", "busy"]
    watcher = watch('every = "1s"\n', words="a parcel lies there")
    street.show(parcel=True)
    watcher.wait_alert(rule="parcel")
    first, second, third = model.asked[:3]
    assert second.at - first.at > 1.9 and third.at - second.at > 1.9
    assert model.most_at_once == 1


@pytest.mark.parametrize("fault", ["prose", "wrong-enum", "cut", "closed"])
def test_what_is_no_answer_raises_nothing(watch, street, model, fault):
    """Neither an alert nor its end."""
    model.faults = [fault] * 2
    watcher = watch('every = "1s"\n', words="a parcel lies there")
    street.show(parcel=True)
    wait_for(lambda: len(model.asked) > 1, lambda: f"questions\n{watcher.program.log()}")
    assert watcher.alerts(kind="seen") == [] or len(model.asked) > 2


def test_nobody_is_asked_once_the_budget_is_spent(watch, street, model, directory):
    """Of all that moves, so many questions are asked as may be; a restart gives none back."""
    watcher = watch('every = "1s"\n', words="a visitor waits", an_hour=2)
    for visitor in [True, False] * 6:
        street.show(visitor=visitor)
        hold(2.5, lambda: False)
    assert len(model.asked) == 2
    watcher.program.stop()
    del watcher
    watch('every = "1s"\n', words="a visitor waits", an_hour=2)
    street.show(visitor=True)
    time.sleep(0)
    hold(8, lambda: len(model.asked) > 2)
    assert len(model.asked) == 2


def test_a_reload_keeps_the_question_under_way_and_how_an_endpoint_is_asked(watch, street, model):
    """What did not change in the configuration goes on: nothing is asked twice."""
    model.refuses, model.faults = {"seed", "temperature"}, ["slow"]
    street.show(parcel=True)
    watcher = watch('every = "1s"\n', words="a parcel lies there")
    wait_for(lambda: model.asked, lambda: f"a question\n{watcher.program.log()}")
    refused = model.refused
    assert refused
    config = watcher.config.read_text()
    watcher.config.write_text(config + 'cool-down = "11min"\n[watch.notify.a]\ncommand = "true"\n')
    watcher.program.process.send_signal(signal.SIGHUP)
    watcher.program.wait_log("configuration read again")
    model.open.set()
    watcher.wait_alert(rule="parcel")
    assert (len(model.asked), model.most_at_once) == (1, 1), "the first question's"
    street.show()
    wait_for(lambda: len(model.asked) > 1, lambda: f"another\n{watcher.program.log()}")
    assert model.refused == refused, "it is asked as it wants to be"


@pytest.fixture
def watch_page(start, directory, model, street):
    """Watches the door for movement, and for what is asked for on the page."""
    alerts = directory / "alerts"

    def watch(**options):
        door = Door(directory, model, {}, **{"an_hour": 100} | options)
        rules = f'alerts = "{alerts}"\nrules = "{directory}/rules"\nask-on-page = true'
        text = door.path.read_text().replace("[watch]", f"[watch]\n{rules}", 1)
        script = f'[watch.notify.script]\ncommand = "cat >> {directory}/told"\n'
        door.path.write_text(text + script)
        return Watcher(start, street, door.path, alerts)

    return watch


def make_rule(directory, says):
    """Makes a rule as the page does."""
    file = directory / "rules" / "door.json"
    file.parent.mkdir(exist_ok=True)
    rule = {"name": "parcel", "says": says, "author": "anna", "notify": ["script"]}
    rule["made"] = "2026-11-28T14:02:40Z"
    hidden = file.with_name(".door.json.tmp")
    hidden.write_text(json.dumps({"version": 1, "rules": [rule]}))
    hidden.rename(file)


def test_a_rule_that_is_made_on_the_page_is_told_while_it_watches(
    watch_page, street, model, directory
):
    """In the way that its user chose, and in the picture that was judged."""
    watcher = watch_page()
    street.bring_until(lambda: watcher.alerts(rule="motion"), "an alert")
    assert not model.asked
    make_rule(directory, PARCEL)
    watcher.program.wait_log("rules of the page read again")
    street.bring_until(lambda: watcher.alerts(rule="parcel"), "an alert of the page's rule")
    (alert,) = watcher.alerts(rule="parcel")
    assert (alert["asked"], alert["judge"]) == (PARCEL, "says")
    assert "parcel" in watcher.seen_in(alert)
    told = directory / "told"
    wait_for(lambda: told.exists() and alert["id"] in told.read_text(), "its user is told")


def test_a_key_that_cannot_be_read_is_an_error_of_the_pages_rules_alone(
    watch_page, street, model, directory
):
    """All else is watched, from the start on; and the rule, when the key is there."""
    key = directory / "key"
    why = "rules of the page are not watched for: .*No such file"
    watcher = watch_page(key_file=str(key))
    make_rule(directory, PARCEL)
    watcher.program.wait_log(why)
    state = directory / "state" / "door.json"
    wait_for(
        lambda: "No such file" in (state_of(state).get("made_rules") or ""), "the page says so"
    )
    assert watcher.program.stop() == 0
    watcher = watch_page(key_file=str(key))
    watcher.program.wait_log(why)
    street.bring_until(lambda: watcher.alerts(rule="motion"), "an alert")
    key.write_text("secret\n")
    watcher.program.process.send_signal(signal.SIGHUP)
    watcher.program.wait_log("rules of the page are watched for again")
    street.bring_until(lambda: watcher.alerts(rule="parcel"), "an alert of the page's rule")
    assert model.asked[-1].headers["authorization"] == "Bearer secret"
    assert "made_rules" not in state_of(state)


def state_of(file):
    """What a watcher has written down."""
    return json.loads(file.read_text()) if file.exists() else {}
