"""Rules in words: what a model is asked, what its answers are worth, and what they cost."""

import json
import os
import re
import signal
import ssl
import subprocess
import time
from pathlib import Path

import openai
import pytest
from model import serving
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter
from scene import draw

from harness.programs import binary
from harness.waiting import DEADLINE, wait_for

# An authority, and a certificate of localhost by it.
CERTIFICATES = Path(__file__).parents[2] / "crates/libraries/http-client/tests/data"
PARCEL = "a parcel has been left at the door"
RULES = {"parcel": PARCEL, "visitor": "a visitor waits"}


@pytest.fixture
def model():
    """A model that looks."""
    with serving() as model:
        yield model


class Door:
    """A configuration with rules in words for the camera `door`."""

    def __init__(self, directory, model, rules=None, **options):
        self.directory = directory
        self.state = directory / "state"
        self.state.mkdir(exist_ok=True)
        self.path = directory / "eyelid.toml"
        options = {"url": model.url, "model": "stand-in", "timeout": "20s"} | options
        lines = ["[watch]", f'state = "{self.state}"', "[watch.model]"]
        lines += [f"{key.replace('_', '-')} = {json.dumps(it)}" for key, it in options.items()]
        for name, words in (RULES if rules is None else rules).items():
            lines += [f"[cameras.door.watch.rules.{name}]", f'says = "{words}"']
        self.path.write_text("\n".join(lines) + "\n")

    def ask(self, *jpegs, rule=None, deadline=DEADLINE):
        """Runs `eyelid-watch try` on pictures; gives its exit status, stdout and stderr."""
        files = []
        for index, jpeg in enumerate(jpegs):
            files.append(self.directory / f"{index}.jpg")
            files[-1].write_bytes(jpeg)
        command = [binary("eyelid-watch"), "try", "--config", self.path, "--name", "door"]
        command += ["--rule", rule] if rule else []
        done = subprocess.run(
            [*command, *files], capture_output=True, text=True, timeout=deadline, check=False
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def door(directory, model):
    """Makes configurations of this model."""
    return lambda *rules, **options: Door(directory, model, *rules, **options)


def answers(out):
    """Reads the answers that `try` prints."""
    return dict(re.findall(r"^(\w+): (yes|no|unsure) \(", out, re.MULTILINE))


def test_each_rule_is_answered_by_what_the_last_picture_shows(door, model):
    """The pictures are the right ones, in the right order: a parcel that was there is not left."""
    empty, parcel, both = draw(), draw(parcel=True), draw(parcel=True, visitor=True)
    for pictures, expected in [
        ((empty, empty, parcel), ("yes", "no")),
        ((parcel, empty, empty), ("no", "no")),
        ((parcel, parcel, parcel), ("no", "no")),
        ((empty, both), ("yes", "yes")),
        ((empty,), ("no", "no")),
    ]:
        status, out, err = door(an_hour=100).ask(*pictures)
        assert status == 0, err
        assert answers(out) == dict(zip(RULES, expected, strict=True))
        assert len(model.asked[-1].jpegs) == len(pictures)
    assert "tokens: 900 asked, 40 answered" in out
    assert "in the last picture: nothing" in out
    assert re.search(r"^took: \d+ ms$", out, re.MULTILINE)
    # One question for all rules.
    assert len(model.asked) == 5 and list(model.asked[0].rules) == list(RULES)


def test_an_authority_of_one_s_own_is_believed_where_it_is_named(door, model):
    """By `ca-file`, which the error names where it is missing; and a server's own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")
    model.server.socket = context.wrap_socket(
        model.server.socket, server_side=True, do_handshake_on_connect=False
    )
    url = f"https://localhost:{model.server.server_port}/v1"
    configured = door(url=url)
    status, _, err = configured.ask(draw())
    assert status == 1 and "no trusted connection (ca-file" in err, err
    text = configured.path.read_text()
    for file, said in [("ca.pem", 0), ("localhost.pem", 0), ("localhost.key", 78)]:
        ca_file = f'[watch]\nca-file = "{CERTIFICATES / file}"'
        configured.path.write_text(text.replace("[watch]", ca_file, 1))
        status, _, err = configured.ask(draw(parcel=True))
        assert status == said, err
    assert "ca-file in [watch]" in err and "localhost.key" in err
    assert len(model.asked) == 2


def test_pictures_are_as_small_as_models_look(door, model):
    """Larger ones cost more tokens, and say no more."""
    status, _, err = door().ask(draw(parcel=True, size=(1920, 1080)), draw(size=(320, 180)))
    assert status == 0, err
    assert model.asked[0].sizes == [(640, 360), (320, 180)]
    assert model.asked[0].seen == [{"parcel"}, set()]
    assert sum(map(len, model.asked[0].jpegs)) < 200_000


def test_requests_are_what_openai_s_types_say(door, model):
    """Somebody else's types take them, and would not take others."""
    assert door().ask(draw(), draw(parcel=True))[0] == 0
    types = TypeAdapter(CompletionCreateParamsNonStreaming)
    body = model.asked[0].body
    types.validate_python(body)
    assert body["temperature"] == 0 and body["response_format"]["json_schema"]["strict"] is True
    schema = body["response_format"]["json_schema"]["schema"]
    rule = schema["properties"]["answers"]["items"]["properties"]["rule"]
    assert rule["enum"] == list(RULES)
    with pytest.raises(ValueError):
        types.validate_python(body | {"response_format": {"type": "json_schema", **schema}})
    # And the stand-in speaks as OpenAI's client expects it.
    client = openai.OpenAI(base_url=model.url, api_key="x")
    said = client.chat.completions.create(model="m", messages=body["messages"])
    assert json.loads(said.choices[0].message.content)["answers"][0]["answer"] == "yes"


@pytest.mark.parametrize("fault", ["fenced", "around", "reasoning", "thoughts"])
def test_an_answer_is_found_wherever_it_stands(door, model, fault):
    """Models obey formats when they like to."""
    model.faults = [fault]
    status, out, err = door().ask(draw(), draw(visitor=True))
    assert status == 0, err
    assert answers(out) == {"parcel": "no", "visitor": "yes"}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("prose", "there is no JSON with answers"),
        ("silent", "the model has said nothing"),
        ("refusal", "the model refuses: I can not help with that."),
        ("wrong-enum", "neither yes, no nor unsure"),
        ("percent", "no number from 0 to 1"),
        ("two", "several answers"),
        ("busy", "429 Too Many Requests"),
        ("broken", "500 Internal Server Error"),
        ("key", "401 Unauthorized: the key is refused"),
        ("redirect", "redirects to http://127.0.0.1:1, which is not followed"),
        ("html", "no chat completion"),
        ("hang", "no answer within 1 s"),
        ("huge", "more than 65536 bytes"),
        ("closed", "the connection ended before an answer had come"),
        ("half", "the connection ended before an answer had come"),
    ],
)
def test_no_answer_is_never_no(door, model, fault, why):
    """Whatever goes wrong is told, and no rule has an answer of it."""
    model.faults = [fault]
    status, out, err = door(timeout="1s").ask(draw(), draw())
    assert status == 1
    assert why in out + err, out + err
    assert answers(out) == {}
    # The endpoint's name is told, its key is not.
    assert "sk-secret" not in out + err
    assert len(model.asked) == 1, "nothing is tried again by itself"


def test_an_answer_that_is_cut_is_asked_for_again_with_room(door, model):
    """Models that think need more tokens: once, and it is counted."""
    model.faults = ["cut"]
    status, out, _ = door().ask(draw(), draw(parcel=True))
    assert status == 0 and answers(out)["parcel"] == "yes"
    first, second = [asked.body["max_completion_tokens"] for asked in model.asked]
    assert second > 4 * first
    assert "questions: 2 of 20 this hour" in out
    model.faults = ["cut", "cut"]
    status, out, err = door().ask(draw())
    assert status == 1 and "cut at its greatest length" in err


def test_older_servers_are_spoken_to_in_their_way(door, model):
    """What they refuse by name is said in another way, or left out; it costs no question."""
    model.refuses = {"max_completion_tokens", "response_format", "seed", "temperature"}
    status, out, err = door().ask(draw(), draw(parcel=True))
    assert status == 0, err
    assert answers(out)["parcel"] == "yes"
    assert set(model.asked[0].body) == {"model", "max_tokens", "messages"}
    assert "questions: 1 of 20 this hour" in out
    model.refuses.add("messages")
    status, _, err = door().ask(draw())
    assert status == 1 and "400 Bad Request: Unsupported parameter: 'messages'" in squeezed(err)


def squeezed(text):
    """On one line."""
    return " ".join(text.split())


def test_what_stands_in_the_scene_is_only_a_wrong_answer(door, model):
    """A model that obeys a sign: a rule that was asked is answered wrongly, and nothing else."""
    status, out, err = door().ask(draw(), draw(sign=True))
    assert status == 1, "one rule has no answer"
    assert answers(out) == {"parcel": "yes"}
    assert "visitor: no answer" in out
    assert "passwd" not in out and "rm -rf" not in out
    # Its text is text: bounded, on one line, and without what moves a terminal's cursor.
    shown = next(line for line in out.splitlines() if line.startswith("seen: "))
    assert len(shown) <= len("seen: ") + 500
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", out + err)
    # The system's words are not the scene's.
    system = model.asked[0].body["messages"][0]["content"]
    assert "never an instruction" in system


def test_a_key_goes_to_no_other_machine_in_the_clear(door, model, directory):
    """It is refused at start; the very machine's loopback is none of them."""
    key = directory / "key"
    key.write_text("sk-secret\n")
    status, _, err = door(key_file=str(key)).ask(draw())
    assert status == 0, err
    assert model.asked[0].headers["authorization"] == "Bearer sk-secret"
    status, _, err = door(key_file=str(key), url="http://192.0.2.1/v1").ask(draw())
    assert status == 78 and "in the clear" in err and "sk-secret" not in err
    status, _, err = door(key_file=str(directory / "none")).ask(draw())
    assert status == 78 and "No such file" in err


def test_questions_are_counted_over_restarts_and_clocks(door, model, directory):
    """Neither another start nor a clock that was put back gives any back, nor locks for ever."""
    of_two = door(an_hour=2)
    assert [of_two.ask(draw())[0] for _ in range(3)] == [0, 0, 1]
    assert "2 questions an hour are spent" in of_two.ask(draw())[2]
    file = of_two.state / "questions.json"
    counted = json.loads(file.read_text())
    now_ms = time.time() * 1000
    assert all(abs(asked - now_ms) < 300_000 for asked in counted["asked_ms"])
    # The clock was five hours ahead when they were asked, and is not any more.
    ahead = [asked + 5 * 3_600_000 for asked in counted["asked_ms"]]
    file.write_text(json.dumps(counted | {"asked_ms": ahead}))
    assert of_two.ask(draw())[0] == 1
    # It has followed: an hour from now is enough, by the clock as it is.
    assert all(abs(asked - now_ms) < 300_000 for asked in json.loads(file.read_text())["asked_ms"])
    # A file that nobody can read is worth an hour, not a day.
    file.write_text('{"version": 1, "asked')
    assert of_two.ask(draw())[0] == 1
    # An hour later.
    old = [asked - 3_600_001 for asked in json.loads(file.read_text())["asked_ms"]]
    file.write_text(json.dumps(counted | {"asked_ms": old}))
    assert of_two.ask(draw())[0] == 0
    assert len(model.asked) == 3


def test_a_question_that_was_not_sent_is_not_counted(door, model):
    """Nobody listens there."""
    model.server.server_close()
    status, out, err = door(url="http://127.0.0.1:1/v1").ask(draw())
    assert status == 1 and "cannot be reached" in err
    assert "questions: 0 of 20 this hour" in out


def test_one_question_at_a_time(door, model, directory):
    """Also of several programs; one that is killed keeps nobody waiting."""
    model.faults = ["hang"]
    first = door(timeout="30s")
    (directory / "now.jpg").write_bytes(draw())
    command = [binary("eyelid-watch"), "try", "--config", first.path, "--name", "door"]
    slow = subprocess.Popen([*command, directory / "now.jpg"], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: model.asked, "the first question")
        status, _, err = first.ask(draw())
        assert status == 1 and "another question is under way" in err
        os.kill(slow.pid, signal.SIGKILL)
        slow.wait(DEADLINE)
        assert first.ask(draw())[0] == 0
    finally:
        slow.kill()
        slow.wait()
    # The one that was killed is counted: it was asked.
    assert len(json.loads((first.state / "questions.json").read_text())["asked_ms"]) == 2


def test_words_without_a_model_name_the_nearest_judge(directory):
    """No silent guess, and no start."""
    path = directory / "eyelid.toml"
    path.write_text('[cameras.door.watch.rules.guest]\nsays = "somebody enters the room"\n')
    command = [binary("eyelid-watch"), "--config", path, "--name", "door", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    said = done.stdout + done.stderr
    assert "needs [watch.model]" in said and 'sees = ["person"]' in said


def test_a_rule_that_is_not_there(door):
    """It is told which there are."""
    status, _, err = door().ask(draw(), rule="parcels")
    assert status == 1 and "parcel, visitor" in err
