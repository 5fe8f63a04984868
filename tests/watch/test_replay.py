"""Recorded pictures with judges that ask somebody, and at their hours: who is asked is what the
user says."""

import io
import json
import os
import subprocess

import ml_api
import pytest
from model import serving
from PIL import Image
from scene import draw
from street import walking
from test_words import PARCEL, Door

from harness.programs import binary

FPS = 5
CALM = 25  # pictures until somebody comes
WALK = range(40, 500, 40)


def story():
    """Gives a recording: somebody comes, leaves a parcel, and goes."""
    empty, left = draw(), draw(parcel=True)
    comes = [walking(empty, place) for place in WALK]
    goes = [walking(left, place) for place in reversed(WALK)]
    return [empty] * CALM + comes + goes + [left] * 45


@pytest.fixture
def model():
    """A model that looks."""
    with serving() as model:
        yield model


@pytest.fixture
def pictures(directory):
    """A recording."""
    folder = directory / "recording"
    folder.mkdir()
    for number, jpeg in enumerate(story()):
        (folder / f"{number}.jpg").write_bytes(jpeg)
    return folder


def replay(config, pictures, *arguments, name="door"):
    """Runs `replay`; gives its exit status, its alerts and what it says besides."""
    command = [binary("eyelid-watch"), "replay", "--config", config, "--name", name]
    command += [pictures, *([] if "--fps" in arguments else ["--fps", FPS]), *arguments]
    environment = {"PATH": os.environ["PATH"], "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env=environment,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def questions(door):
    """Gives what was counted as asked."""
    counted = door.state / "questions.json"
    return json.loads(counted.read_text())["asked_ms"] if counted.exists() else []


def test_pictures_that_nobody_can_decode_are_no_recording(directory, model, pictures):
    """Some are left out, and the others keep their moments; with all it would look as if nothing
    had happened."""
    door = Door(directory, model, {"parcel": PARCEL})
    door.path.write_text("[cameras.door.watch.rules.any]\nmotion = true\n")
    _, alerts, _ = replay(door.path, pictures)
    assert alerts
    (pictures / "3.jpg").write_bytes(b"")
    (pictures / "._3.jpg").write_bytes(b"\x00\x05\x16\x07")
    status, others, said = replay(door.path, pictures)
    assert (status, others) == (0, alerts) and "picture 3.jpg, number 4: " in said
    for picture in pictures.iterdir():
        picture.write_bytes(b"none")
    status, alerts, said = replay(door.path, pictures)
    assert (status, alerts) == (1, []) and "has no pictures that can be decoded" in said


def test_nobody_is_asked_unless_the_user_says_so(directory, model, pictures):
    """Not even where there is a model, and its key cannot be read."""
    door = Door(directory, model, {"parcel": PARCEL}, key_file="/nowhere/key")
    status, alerts, said = replay(door.path, pictures)
    assert (status, alerts, model.asked) == (0, [], []), said
    assert "not judged: parcel; --ask" in said, said


def test_what_was_asked_once_is_not_asked_again(directory, model, pictures):
    """The model is asked as a watcher asks it, counted, and written down; then the file answers."""
    model.confidence = 0.7
    door = Door(directory, model, {"parcel": PARCEL})
    file = directory / "answers.jsonl"
    status, alerts, said = replay(door.path, pictures, "--ask", "--answers", file)
    assert status == 0, said
    (alert,) = alerts
    assert (alert["rule"], alert["judge"], alert["confidence"]) == ("parcel", "says", 0.7)
    assert alert["at_s"] > (CALM + len(WALK)) / FPS
    assert alert["reason"] == "in the last picture: parcel"
    # A watcher's pauses, by the moments of the recording; in the file is who was asked what.
    assert 2 <= len(model.asked) == len(questions(door)) < 8
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == len(model.asked) and lines[-1]["asked"] == PARCEL
    asked = len(model.asked)
    status, again, said = replay(door.path, pictures, "--answers", file)
    assert (status, again, len(model.asked)) == (0, alerts, asked), said
    # Other votes need no other questions, other words do.
    rule = "[cameras.door.watch.rules.parcel]\n"
    text = door.path.read_text()
    door.path.write_text(text.replace(rule, rule + 'yes = "3 of 3"\n'))
    assert replay(door.path, pictures, "--answers", file)[1] == []
    door.path.write_text(text.replace(PARCEL, "a dog"))
    status, alerts, said = replay(door.path, pictures, "--answers", file)
    assert (status, alerts) == (0, []) and "no answer in" in said
    # What was paid for is not lost by asking again.
    status, _, said = replay(door.path, pictures, "--ask", "--answers", file)
    assert status == 1 and "is there already" in said
    assert len(model.asked) == asked


def test_a_model_that_does_not_answer_ends_it(directory, model, pictures):
    """What follows could not be judged, and would look as if nothing had happened."""
    model.faults = ["broken"]
    door = Door(directory, model, {"parcel": PARCEL})
    status, alerts, said = replay(door.path, pictures, "--ask")
    assert status == 1 and alerts == [], said
    assert "no answer: http://127.0.0.1" in said and len(model.asked) == 1
    spent = Door(directory, model, {"parcel": PARCEL}, an_hour=1)
    status, _, said = replay(spent.path, pictures, "--ask")
    assert status == 1 and len(model.asked) == 1, said


def test_ml_api_gets_the_recorded_pictures(directory, pictures):
    """At an address that the user says, and each at its moment."""
    config = directory / "eyelid.toml"
    with ml_api.serving() as api:
        config.write_text(
            f'[cameras.printer.watch.rules.loose]\nobico = "{api.url}"\nevery = "1s"\n'
            'picture = "http://192.0.2.1/never"\nyes = "1 of 1"\n'
        )
        status, _, said = replay(config, pictures, "--ask", name="printer")
        assert status == 1 and "--lend" in said and not api.asked
        prints = directory / "prints"
        prints.mkdir()
        for number in range(75):
            jpeg = draw(parcel=number >= 45, size=(320, 180))
            (prints / f"{number}.jpg").write_bytes(jpeg)
        file = directory / "answers.jsonl"
        ask = ["--fps", 1, "--answers", file]
        lend = ["--ask", "--lend", "127.0.0.1:0"]
        status, alerts, said = replay(config, prints, *ask, *lend, name="printer")
        assert status == 0, said
        (alert,) = alerts
        assert alert["judge"] == "obico" and alert["at_s"] > 45
        assert alert["boxes"][0]["label"] == "failure"
        # Each picture but those that are learned, and it is that one which is got.
        asked = len(api.asked)
        assert 65 <= asked <= 75
        assert sum("parcel" in found for _, _, found in api.asked) == 30
        status, again, said = replay(config, prints, *ask, name="printer")
        assert (status, again, len(api.asked)) == (0, alerts, asked), said


def test_hours_count_where_the_recording_s_begin_is_known(directory, pictures):
    """By the clock on the wall: of the camera, and of each rule."""
    for file in pictures.iterdir():
        with Image.open(io.BytesIO(file.read_bytes())) as picture:
            picture.resize((320, 180)).save(file, quality=90)
    config = directory / "eyelid.toml"
    config.write_text(
        '[cameras.door.watch]\nat = "Sa 20:00-24:00"\n'
        "[cameras.door.watch.rules.all]\nmotion = true\n"
        '[cameras.door.watch.rules.late]\nmotion = true\nat = "22:00-06:00"\n'
    )
    both = ["all", "late"]
    for start, told in [
        ([], both),
        (["--start", "2026-11-28T22:00"], both),  # a Saturday
        (["--start", "2026-11-28T21:00Z"], both),
        (["--start", "2026-11-28T21:00"], ["all"]),
        (["--start", "2026-11-28T19:00"], []),
        (["--start", "2026-11-29T22:00"], []),
        # It ends before somebody comes.
        (["--start", "2026-11-28T23:59:56"], []),
    ]:
        status, alerts, said = replay(config, pictures, *start)
        assert status == 0, said
        assert sorted({alert["rule"] for alert in alerts}) == told, start
    status, _, said = replay(config, pictures, "--start", "22:00")
    assert status == 2 and "YYYY-MM-DDTHH:MM" in said
