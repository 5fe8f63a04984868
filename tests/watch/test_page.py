"""The page of alerts as programs meet it: its paths, those who mean harm, and very many alerts.

Browsers are in the suite `browsers`.
"""

import json
import os
import signal
import socket
from base64 import b64encode

import pytest

from harness.alerts import MARKUP, PICTURE, Alerts
from harness.http import connect, get
from harness.processes import peak_kib
from harness.waiting import DEADLINE, wait_for

USER = {"Authorization": "Basic " + b64encode(b"anna:secret").decode()}
JSON = {"Content-Type": "application/json"}
FOLLOWERS = 64
MIB = 1 << 20


class Page:
    """A running page."""

    def __init__(self, program):
        self.program = program
        self.url = program.wait_log(r"listening on (http://127\.0\.0\.1:\d+)")[1]

    def get(self, path, **more):
        """Asks, as a user who has signed in."""
        return get(self.url, path, **USER | more)

    def list(self, query=""):
        """Gives what a list says."""
        answer = self.get(f"/alerts/list.json?{query}")
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def most_memory(self):
        """Gives the most bytes of memory that it ever had."""
        return peak_kib(self.program.pid) * 1024


class Follower:
    """A client of the events."""

    def __init__(self, page, receive_buffer_bytes=None, **headers):
        self.socket = connect(page.url, receive_buffer_bytes)
        lines = [f"{name}: {value}" for name, value in (USER | headers).items()]
        head = "\r\n".join(["GET /alerts/events HTTP/1.1", "Host: localhost", *lines, "", ""])
        self.socket.sendall(head.encode())
        self.text = b""

    def wait(self, wanted):
        """Reads until this has come."""
        while wanted.encode() not in self.text:
            some = self.socket.recv(65536)
            assert some, f"it ended without {wanted!r}: {self.text[-2000:]}"
            self.text += some
        return self.text.decode()

    def close(self):
        """Leaves."""
        self.socket.close()


@pytest.fixture
def alerts(directory):
    """What was seen so far: nothing."""
    return Alerts(directory)


@pytest.fixture
def serve(start, alerts, directory):
    """Starts the page, past the server."""

    def serve(ask=True):
        config = directory / "eyelid.toml"
        config.write_text(
            f"[watch]\nask-on-page = {json.dumps(ask)}\n{alerts.tables()}"
            '[watch.model]\nurl = "http://127.0.0.1:1/v1"\nmodel = "none"\n'
            '[cameras.door]\nsource = "test"\n'
        )
        environment = os.environ | {"EYELID_PASSWORD": "anna:secret"}
        arguments = ["--listen", "127.0.0.1:0", "--config", config]
        return Page(start("eyelid-watch", *arguments, env=environment))

    return serve


def test_ten_thousand_alerts_are_listed_in_bounded_memory(serve, alerts):
    many = 10_000
    for second in range(many):
        alerts.put(second, has_picture=False, reason="x" * 400)
    page = serve()
    page.list("limit=1")
    before = page.most_memory()
    names, query = [], "limit=100"
    while query:
        listed = page.list(query)
        names += [alert["id"] for alert in listed["alerts"]]
        query = f"limit=100&before={listed['next']}" if listed["next"] else None
    assert len(names) == many and names == sorted(names, reverse=True)
    assert page.list("camera=attic") == page.list("rule=none")
    assert page.list("camera=attic")["alerts"] == []
    assert page.most_memory() - before < 4 * MIB
    assert page.most_memory() < 32 * MIB


def test_who_reads_nothing_delays_nobody_and_grows_nothing(serve, alerts):
    page = serve()
    slow, quick = Follower(page, receive_buffer_bytes=4096), Follower(page)
    for follower in (slow, quick):
        follower.wait("retry: ")
    before = page.most_memory()
    for second in range(4000):
        name = alerts.put(second, has_picture=False, reason=MARKUP * 10)
        if second % 100 == 99:
            quick.wait(f"id: {name}\n")
    assert page.most_memory() - before < 8 * MIB
    assert quick.text.count(b"event: alert\n") == 4000
    # It has missed most, and is told so.
    text = slow.wait("event: missed\n")
    assert text.count("event: alert\n") < 4000
    last = alerts.put(5000, has_picture=False)
    slow.wait(f"id: {last}\n")


def test_so_many_may_follow_and_no_more(serve):
    page = serve()
    followers = [Follower(page) for _ in range(FOLLOWERS)]
    for follower in followers:
        follower.wait("retry: ")
    refused = page.get("/alerts/events")
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert page.list()["alerts"] == [], "others are answered all the same"
    followers.pop().close()

    def is_room():
        follower = Follower(page)
        follower.wait("\r\n\r\n")
        follower.close()
        return b" 200 OK\r\n" in follower.text

    wait_for(is_room, "room for another")
    for follower in followers:
        follower.close()


def test_who_comes_back_is_told_of_what_came_meanwhile_also_by_another_process(serve, alerts):
    late, early = alerts.put(9, has_picture=False), alerts.put(1, has_picture=False)
    page = serve()
    text = Follower(page, **{"Last-Event-ID": late}).wait(f"id: {early}\n")
    assert text.count("event: ") == 1, "in the order in which they came"
    assert page.program.stop() == 0
    newer = alerts.put(5, has_picture=False)
    page = serve()
    text = Follower(page, **{"Last-Event-ID": early}).wait(f"id: {newer}\n")
    assert text.count("event: ") == 1
    unknown = "20260101T000000.000Z-door-gone"
    Follower(page, **{"Last-Event-ID": unknown}).wait("event: missed\n")
    Follower(page, **{"Last-Event-ID": "../../x"}).wait("retry: ")


def test_only_what_is_an_alert_is_read(serve, alerts, directory):
    name = alerts.put(1)
    (directory / "secret.json").write_text("{}")
    (alerts.alerts / "notes.json").write_text("{}")
    page = serve()
    assert page.get(f"/alerts/{name}.jpg").body == PICTURE
    assert json.loads(page.get(f"/alerts/{name}.json").body)["rule"] == "parcel"
    for path in (
        "notes.json",
        "../secret.json",
        "..%2fsecret.json",
        "%2e%2e/secret.json",
        f"{name}.json/../../secret.json",
        f"{name}%00.json",
        "20261128T140000.000Z-x/../../secret.json",
        f"cases/{name}.json",
        f"{name}.json.tmp",
    ):
        answer = page.get(f"/alerts/{path}")
        assert answer.status == 404, (path, answer)
    assert page.get("/alerts/20261128T140000.000Z-no-alert.jpg").status == 404
    assert page.get("/alerts/list.json?before=../x").status == 400
    assert get(page.url, f"/alerts/{name}.jpg").status == 401


CHANGES = [
    ("POST", "/alerts/rules", {"camera": "door", "says": "a box"}, 201),
    ("POST", "/alerts/NAME/wrong", {}, 200),
    ("DELETE", "/alerts/NAME/wrong", None, 200),
    ("DELETE", "/alerts/rules/door/box", None, 204),
]


def send(page, method, path, body, **headers):
    """Sends a request that changes something."""
    data = None if body is None else json.dumps(body)
    return page.get(path, method=method, body=data, **(JSON | headers))


def test_a_user_may_change_things_where_the_configuration_says_so(serve, alerts, directory):
    name = alerts.put(1)
    page = serve(ask=False)
    for method, path, body, _ in CHANGES:
        answer = send(page, method, path.replace("NAME", name), body)
        assert answer.status == 403 and b"ask-on-page" in answer.body, answer
    assert (alerts.cases(), alerts.made_rules("door")) == ([], [])
    config = directory / "eyelid.toml"
    config.write_text(config.read_text().replace("false", "true"))
    page.program.process.send_signal(signal.SIGHUP)
    wait_for(lambda: page.list()["rights"]["change"], "the configuration is read")
    for method, path, body, status in CHANGES:
        for refused in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = send(page, method, path.replace("NAME", name), body, **refused)
            assert answer.status == 403, answer
        answer = send(page, method, path.replace("NAME", name), body)
        assert answer.status == status, (method, path, answer)
    log = page.program.log()
    for said in ("has made rule box", "was wrong: kept", "says no longer", "has deleted rule box"):
        assert f'user "anna" {said}' in log or said in log, log
    for change in ("made", "deleted"):
        assert f'user "anna" has {change} rule box of camera door: "a box"' in log, log
    # Who it is stands in front.
    assert log.count('user "anna" ') == len(CHANGES), log


def test_a_user_whom_the_configuration_does_not_name_may_change_nothing(serve, alerts):
    name = alerts.put(1)
    page = serve(ask=["ben", "carl"])
    assert "names others" in page.list()["rights"]["why"]
    for method, path, body, _ in [*CHANGES, ("POST", "/alerts/rules/try", {"camera": "door"}, 0)]:
        answer = send(page, method, path.replace("NAME", name), body)
        assert answer.status == 403 and b"names others" in answer.body, answer
    assert (alerts.cases(), alerts.made_rules("door")) == ([], [])
    assert page.program.stop() == 0
    page = serve(ask=["ben", "anna"])
    assert page.list()["rights"] == {"user": "anna", "change": True, "why": None}
    for method, path, body, status in CHANGES:
        assert send(page, method, path.replace("NAME", name), body).status == status


def test_bodies_are_bounded(serve, alerts):
    page = serve()
    too_long = json.dumps({"camera": "door", "says": "x", "more": "y" * 5000})
    for body, status in [
        (too_long, 413),
        ("{", 400),
        ("[]", 400),
        (json.dumps({"camera": "door", "says": "x" * 201}), 400),
        (json.dumps({"camera": "door", "says": "two\nlines"}), 400),
        (json.dumps({"camera": "../x", "says": "x"}), 400),
        (json.dumps({"camera": "attic", "says": "x"}), 404),
    ]:
        answer = page.get("/alerts/rules", method="POST", body=body, **JSON)
        assert answer.status == status, (body[:40], answer)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert page.get("/alerts/rules", method="POST", body="a=b", **form).status == 415
    for number in range(21):
        made = send(page, "POST", "/alerts/rules", {"camera": "door", "says": f"thing {number}"})
        assert made.status == (201 if number < 20 else 409), made
    assert len(alerts.made_rules("door")) == 20


def test_a_body_that_does_not_come_is_not_waited_for(serve):
    page = serve()
    lines = [f"{name}: {value}" for name, value in (USER | JSON).items()]
    head = ["POST /alerts/rules HTTP/1.1", "Host: localhost", *lines, "Content-Length: 50", "", "{"]
    with connect(page.url) as connection:
        connection.sendall("\r\n".join(head).encode())
        connection.settimeout(DEADLINE)
        answer = b""
        while b"\r\n\r\n" not in answer:
            some = connection.recv(4096)
            assert some, answer
            answer += some
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert page.list()["alerts"] == []


def test_only_its_methods_are_answered_and_nobody_is_let_in_by_options(serve, alerts):
    name = alerts.put(1)
    page = serve()
    for path, allowed in [
        ("/alerts", "GET, HEAD"),
        ("/alerts/list.json", "GET, HEAD"),
        (f"/alerts/{name}/wrong", "POST, DELETE"),
        ("/alerts/rules", "GET, HEAD, POST"),
        ("/alerts/rules/door/x", "DELETE"),
        ("/alerts/rules/try", "POST"),
    ]:
        refused = page.get(path, method="PUT", body="{}", **JSON)
        assert (refused.status, refused.headers["allow"]) == (405, allowed), path
        asked = get(page.url, path, method="OPTIONS", Origin="https://evil.example")
        assert asked.status in (204, 403), asked
        named = [name for name in asked.headers if name.startswith("access-control")]
        assert named == [], asked
    answer = page.get("/alerts/", method="HEAD")
    assert (answer.status, answer.headers["location"]) == (308, "../alerts")


def test_it_ends_while_somebody_follows(serve):
    page = serve()
    follower = Follower(page)
    follower.wait("retry: ")
    assert page.program.stop() == 0
    follower.socket.settimeout(DEADLINE)
    assert follower.socket.recv(1) == b""
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(page.url.rsplit(":")[-1])), timeout=1)
