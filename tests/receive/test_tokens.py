"""Tokens: four ways to give one, and what those get who have none."""

import base64
import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256

import pytest
from pictures import picture
from receiver import bearer, configuration, converse, head, shown, token_file

GOOD, SECOND, OTHER = "door-token-of-43-characters", "a second one", "garden-token"


def basic(name, token):
    """Gives the header of a name and a password."""
    return "Authorization: Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


WAYS = {
    "bearer": ("/door", bearer(GOOD)),
    "bearer, small": ("/door", f"authorization: bearer {GOOD}"),
    "basic": ("/door", basic("door", GOOD)),
    "key": ("/door", f"X-API-Key: {GOOD}"),
    "query": (f"/door?token={GOOD}", "X-Nothing: 1"),
    "query among others": (f"/door?id=7&token={GOOD}&x=", "X-Nothing: 1"),
    "the second": ("/door", f"X-API-Key: {SECOND}"),
    "at the other path": (f"/door/push?token={GOOD}", "X-Nothing: 1"),
}
WRONG = {
    "none": ("/door", "X-Nothing: 1"),
    "wrong": ("/door", bearer("wrong")),
    "another camera's": ("/door", bearer(OTHER)),
    "another camera's, by its name": ("/door", basic("garden", OTHER)),
    "another name": ("/door", basic("garden", GOOD)),
    "its beginning": ("/door", bearer(GOOD[:-1])),
    "longer": ("/door", bearer(GOOD + "x")),
    "its hash": ("/door", bearer(sha256(GOOD.encode()).hexdigest())),
    "empty": ("/door?token=", "X-Nothing: 1"),
    "no base64": ("/door", "Authorization: Basic ???"),
    "a long one": ("/door", bearer("x" * 8000)),
}


@pytest.fixture
def receiver(receive, directory):
    """Two cameras with tokens, in one file of all."""
    tokens = [("door", GOOD), ("door", SECOND), ("garden", OTHER)]
    path = token_file(directory / "tokens", *tokens)
    everything = os.environ | {"EYELID_LOG": "trace"}
    return receive(configuration("door", "garden", token_file=path), env=everything)


def post(receiver, path, line, jpeg):
    """Pushes with a header's line as it is; gives the status and how long it took."""
    began = time.monotonic()
    lines = [line, f"Content-Length: {len(jpeg)}", "Connection: close"]
    status, _ = converse(receiver.url, head("POST", path, *lines), jpeg)
    return status, time.monotonic() - began


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_give_it(receiver, way):
    path, line = WAYS[way]
    status, seconds = post(receiver, path, line, jpeg := picture(1))
    assert (status, seconds < 0.9) == (200, True), seconds
    shown(receiver.slot(), jpeg)
    with receiver.camera(path, line) as camera:
        camera.send_jpeg(jpeg := picture(2))
        shown(receiver.slot(), jpeg)
    log = receiver.program.log()
    assert GOOD not in log and SECOND not in log, "a token in the log"


def test_wrong_ones_and_none_hear_so_after_a_second(receiver):
    """Four at a time: few enough that none is turned away."""
    with ThreadPoolExecutor(4) as pool:
        answers = dict(
            zip(WRONG, pool.map(lambda w: refused(receiver, *w), WRONG.values()), strict=True)
        )
    for name, (status, post_s, code, close_s) in answers.items():
        assert (status, code) == (401, 1008), (name, answers[name])
        assert 1.0 <= post_s < 2.5 and 1.0 <= close_s < 2.5, (name, answers[name])
    assert receiver.slot().look() is None
    assert receiver.push()["connected"] is False


def refused(receiver, path, line):
    """Pushes in both ways; gives the status, the close code, and how long each took."""
    status, post_s = post(receiver, path, line, picture(1))
    began = time.monotonic()
    camera = receiver.camera(path, line)
    assert camera.status == 101, "what it is worth is said by a close code"
    # What comes with it is not looked at.
    camera.send_jpeg(picture(2))
    return status, post_s, camera.close_code(5), time.monotonic() - began


def test_a_wrong_one_does_not_take_the_camera(receiver):
    with receiver.camera("/door", bearer(GOOD)) as camera:
        with receiver.camera("/door", bearer("wrong")) as thief:
            assert thief.close_code(5) == 1008
        camera.send_jpeg(jpeg := picture(1))
        shown(receiver.slot(), jpeg)
        assert camera.silent()


def test_guesses_wait_and_more_than_eight_are_turned_away(receiver):
    with ThreadPoolExecutor(30) as pool:
        guesses = [
            pool.submit(post, receiver, "/door", bearer(f"guess {number}"), picture(1))
            for number in range(30)
        ]
        time.sleep(0.3)  # all have come, and the first ones wait for their second
        status, seconds = post(receiver, "/door", bearer(GOOD), picture(2))
        assert (status, seconds < 0.5) == (200, True), "who has the token waits for no guesser"
        answers = [guess.result() for guess in guesses]
    waited = [seconds for status, seconds in answers if status == 401]
    turned_away = [seconds for status, seconds in answers if status == 429]
    assert len(waited) == 8 and len(turned_away) == 22, answers
    assert min(waited) >= 1.0
    assert max(turned_away) < 0.9, answers
    with ThreadPoolExecutor(9) as pool:
        wrong = {"Authorization": "Bearer wrong"}
        guesses = [pool.submit(receiver.post, picture(1), **wrong) for _ in range(9)]
        told = [guess.result() for guess in guesses]
    assert {answer.status: answer.headers.get("retry-after") for answer in told} == {
        401: None,
        429: "2",
    }
    # Then there is room again.
    assert post(receiver, "/door", bearer("wrong"), picture(1))[0] == 401


GUESSERS = {
    "POST": ["Content-Length: 1000"],
    "WebSocket": [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
}


@pytest.mark.parametrize("way", GUESSERS)
@pytest.mark.parametrize(("max_cameras", "addresses"), [(1, 1), (8, 8)])
def test_guessers_keep_nobody_out(receive, directory, way, max_cameras, addresses):
    """They are no clients, not even while their WebSockets say goodbye to who does not."""
    tokens = token_file(directory / "tokens", ("door", GOOD))
    receiver = receive(configuration("door", token_file=tokens, max_cameras=max_cameras))
    guess = head("POST" if way == "POST" else "GET", "/door", bearer("x"), *GUESSERS[way])
    with ExitStack() as stack:
        answers, held = [], []
        for _ in range(3):
            for number in range(8 * addresses):
                source = (f"127.0.0.{2 + number % addresses}", 0)
                link = socket.create_connection(("127.0.0.1", receiver.port), None, source)
                held.append(stack.enter_context(link))
                link.sendall(guess)
            # While they wait to be refused, and when they have been.
            for pause_s in (0.2, 0.85):
                time.sleep(pause_s)
                answers.append(post(receiver, "/door", bearer(GOOD), picture(1))[0])
        assert answers == [200] * 6
        if way == "WebSocket":
            # Eight of an address hear why; while they have not gone, the others do at once.
            statuses = [link.recv(12) for link in held[: 16 * addresses]]
            assert statuses.count(b"HTTP/1.1 101") == 8 * addresses, statuses
            assert statuses.count(b"HTTP/1.1 429") == 8 * addresses, statuses


def test_a_cameras_own_file_is_the_only_one_for_it(receive, directory):
    all_ = token_file(directory / "all", ("door", "of all"), ("garden", "of all"))
    own = token_file(directory / "own", ("garden", "own"))
    text = configuration("door", ("garden", {"token_file": own}), token_file=all_)
    receiver = receive(text)
    assert post(receiver, "/door", bearer("of all"), picture(1))[0] == 200
    assert post(receiver, "/garden", bearer("own"), picture(1))[0] == 200
    assert post(receiver, "/garden", bearer("of all"), picture(1))[0] == 401


def test_a_new_token(start, receive, directory):
    made = [start("eyelid-receive", "--new-token", "door") for _ in range(2)]
    lines, tokens = [], []
    for program in made:
        assert program.wait() == 0
        assert re.fullmatch(r"door:[0-9a-f]{64}\n", program.out()), program.out()
        lines.append(program.out())
        tokens.append(re.search(r"[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", program.log())[0])
        assert sha256(tokens[-1].encode()).hexdigest() in lines[-1]
    assert len(set(tokens)) == 2, "it is the same each time"
    (directory / "tokens").write_text("".join(lines))
    receiver = receive(configuration("door", token_file=str(directory / "tokens")))
    for token in tokens:
        assert post(receiver, "/door", bearer(token), picture(1))[0] == 200
    for name in "../door", "", "stream":
        refused = start("eyelid-receive", "--new-token", name)
        assert refused.wait() == 2, refused.log()
        assert refused.out() == ""
