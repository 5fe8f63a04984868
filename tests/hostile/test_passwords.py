"""Strangers who try passwords."""

import base64
import math
import random
import statistics
import subprocess
import time
from threading import Thread

import pytest
from asking import ask

from harness.http import get
from harness.waiting import wait_for

COST = 8  # of the hashes: far more than all else that a request costs, and no more than it must


def basic(user, password):
    """Gives the header's value."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def guarded(serve, directory):
    """A server with a user anna, whose password is right."""
    path = directory / "htpasswd"
    subprocess.run(
        ["htpasswd", "-B", "-C", str(COST), "-bc", path, "anna", "right"],
        check=True,
        capture_output=True,
    )
    return serve("--auth-file", path)


WRONG = {
    "nothing": "",
    "another password": basic("anna", "wrong"),
    "another user": basic("eve", "right"),
    "no password": basic("anna", ""),
    "the start of it": basic("anna", "righ"),
    "more than it": basic("anna", "right "),
    "a NUL behind it": basic("anna", "right\0"),
    "in capitals": basic("anna", "RIGHT"),
    "another case of the user": basic("Anna", "right"),
    "the hash itself": basic("anna", "$2y$10$abcdefghijklmnopqrstuv"),
    "nobody": basic("", ""),
    "no colon": "Basic " + base64.b64encode(b"annaright").decode(),
    "no base64": "Basic anna:right",
    "no UTF-8": "Basic " + base64.b64encode(b"anna:\xff\xfe").decode(),
    "very long": basic("anna", "x" * 8000),
    "another scheme": "Bearer " + base64.b64encode(b"anna:right").decode(),
    "digest": 'Digest username="anna", realm="Eyelid", nonce="", uri="/", response=""',
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_only_the_password_opens(guarded, wrong):
    assert get(guarded.url, "/snapshot", Authorization=basic("anna", "right")).status == 200
    for path in ("/snapshot", "/stream", "/status", "/", "/nowhere"):
        answer = get(guarded.url, path, Authorization=wrong)
        assert (answer.status, answer.headers["www-authenticate"].split()[0]) == (401, "Basic"), (
            path
        )
        assert "x-timestamp" not in answer.headers


def test_what_opened_one_request_opens_no_other(guarded):
    right = f"Authorization: {basic('anna', 'right')}\r\n".encode()
    ask_status = b"GET /status HTTP/1.1\r\nHost: localhost\r\n"
    heard = ask(guarded, (ask_status + right + b"\r\n" + ask_status + b"\r\n"), answers=2)
    assert heard.statuses == [200, 401], "each request is checked, not each connection"
    # Two headers: the first counts, and a second never helps.
    wrong = f"Authorization: {basic('anna', 'wrong')}\r\n".encode()
    for headers in (wrong + right, wrong + wrong):
        assert ask(guarded, ask_status + headers + b"\r\n", answers=1).statuses == [401]
    # Only HTTP's own header counts.
    for name in ("Proxy-Authorization", "X-Authorization", "Authorization_", "Cookie"):
        assert get(guarded.url, "/status", **{name: basic("anna", "right")}).status == 401


def rank_sum(ours, theirs):
    """Gives by how many standard deviations the ranks of two samples differ (Mann and Whitney)."""
    ranked = sorted([(value, 0) for value in ours] + [(value, 1) for value in theirs])
    ranks = sum(rank for rank, (_, whose) in enumerate(ranked, 1) if whose == 0)
    count, other = len(ours), len(theirs)
    expected = count * (count + other + 1) / 2
    return (ranks - expected) / math.sqrt(count * other * (count + other + 1) / 12)


def test_a_user_who_is_not_there_cannot_be_told_by_time(guarded):
    # Side by side and in any order, so that whatever else the machine does falls on both.
    order, samples = random.Random(7), 150
    users = ["anna", "eve!"] * samples
    order.shuffle(users)
    waits, costs = {"anna": [], "eve!": []}, {"anna": [], "eve!": []}
    for number, user in enumerate(users):
        wrong = basic(user, f"wrong{number:03}")
        before, began = guarded.processor_time(), time.perf_counter()
        assert get(guarded.url, "/status", Authorization=wrong).status == 401
        waits[user].append(time.perf_counter() - began)
        costs[user].append(guarded.processor_time() - before)
    # By chance alone one run of fifteen thousand is beyond 4; without a hash for users who are not
    # there it is 15.
    for what, times in ("wait", waits), ("processor time", costs):
        told = rank_sum(*times.values())
        medians = {user: f"{1000 * statistics.median(times[user]):.3f} ms" for user in times}
        print(f"{what}: {medians}, {told:.1f} standard deviations")
        assert abs(told) < 4, f"{what} tells who is there: {medians}, {told:.1f}"


def test_guessing_keeps_nobody_out(guarded):
    checked, stop, waits = [], [], []

    def guess(address, number):
        while not stop:
            head = "GET /status HTTP/1.1\r\nHost: localhost\r\n"
            text = f"{head}Authorization: {basic('anna', number)}\r\n\r\n"
            assert ask(guarded, text.encode(), answers=1, source=address).statuses == [401]
            checked.append(number)

    threads = [
        Thread(target=guess, args=(f"127.0.0.{2 + n % 2}", n), daemon=True) for n in range(24)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(checked) > 5 and guarded.descriptors() > 24 + 5, "all guess")
    # By chance an address may share a queue with one of theirs. A header that was right is known,
    # and not checked again.
    for address, scheme in (("127.0.0.1", "Basic"), ("127.0.0.4", "basic"), ("127.0.0.5", "BASIC")):
        before = len(checked)
        right = basic("anna", "right").replace("Basic", scheme)
        text = f"GET /status HTTP/1.1\r\nHost: localhost\r\nAuthorization: {right}\r\n\r\n"
        assert ask(guarded, text.encode(), answers=1, source=address).statuses == [200]
        waits.append(len(checked) - before)
    stop.append(True)
    for thread in threads:
        thread.join()
    assert min(waits) < 12, (
        f"who comes from elsewhere waits for one check of each address, not for all: {waits}"
    )
