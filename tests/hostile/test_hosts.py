"""Pages of strangers whose names lead here (DNS rebinding)."""

import json
import socket

import pytest
from asking import ask

from harness.http import get

KNOWN = [
    "127.0.0.1",
    "192.168.1.5:8080",
    "[::1]:8080",
    "localhost:8080",
    "printer.localhost",
    "octopi",
    "octoprint_camera:80",
    "octopi.local",
    "OCTOPI.LOCAL.",
    "octopi.lan:8080",
    "octopi.home.arpa",
    "host.docker.internal",
    "octopi.fritz.box",
]
STRANGERS = [
    "evil.example",
    "127.0.0.1.evil.example",
    "octopi.local.evil.example:80",
    "localhost.evil.example",
]
PATHS = ["/", "/stream", "/snapshot", "/status", "/metrics", "/viewer.js", "/nowhere"]
METHODS = ["GET", "HEAD", "OPTIONS"]


@pytest.mark.parametrize("host", KNOWN)
def test_names_that_nobody_can_register_are_answered(server, host):
    assert get(server.url, "/snapshot", Host=host).status == 200


@pytest.mark.parametrize("host", STRANGERS)
def test_others_are_told_what_to_configure(server, host):
    name = host.partition(":")[0]
    for path in PATHS:
        for method in METHODS:
            answer = get(server.url, path, method=method, Host=host)
            assert answer.status == 421, (method, path)
    assert (
        f"start eyelid-server with --allow-host {name}"
        in json.loads(get(server.url, "/stream", Host=host).body)["error"]
    )
    target = f"GET http://{host}/status HTTP/1.1\r\n"
    heard = ask(server, f"{target}Host: localhost\r\nConnection: close\r\n\r\n".encode())
    assert heard.statuses == [421], "the target counts as Host does"
    assert f"start eyelid-server with --allow-host {name}" in server.program.log()


def test_the_log_is_not_filled(server):
    for number in range(200):
        assert get(server.url, "/status", Host=f"{number}.evil.example").status == 421
    assert server.program.log().count("evil.example") < 20


def test_what_was_allowed_is_answered(serve):
    server = serve("--allow-host", "camera.example.org", "--allow-host", "*.example.net")
    for host, status in [
        ("camera.example.org", 200),
        ("Camera.Example.Org:8080", 200),
        ("a.camera.example.org", 421),
        ("a.b.example.net", 200),
        ("example.net", 421),
        ("evil.example", 421),
    ]:
        assert get(server.url, "/status", Host=host).status == status, host
    assert get(serve("--allow-host", "*").url, "/status", Host="evil.example").status == 200


def test_the_machines_own_name_is_known(server):
    assert get(server.url, "/status", Host=socket.gethostname()).status == 200


def test_a_proxy_on_a_unix_socket_may_pass_any_name(start, camera, directory):
    server = start("eyelid-server", "--slots", camera.path, "--listen", f"unix:{directory}/socket")
    server.wait_log("listening")
    assert get(f"unix:{directory}/socket", "/snapshot", Host="camera.example.org").status == 200


# RFC 9112, section 3.2.
MALFORMED = {
    "none": b"GET /status HTTP/1.1\r\n\r\n",
    "two": b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "space": b"GET /status HTTP/1.1\r\nHost: local host\r\n\r\n",
    "user": b"GET /status HTTP/1.1\r\nHost: user@localhost\r\n\r\n",
    "path": b"GET /status HTTP/1.1\r\nHost: localhost/evil.example\r\n\r\n",
    "list": b"GET /status HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n",
    "port": b"GET /status HTTP/1.1\r\nHost: localhost:port\r\n\r\n",
    "bytes": b"GET /status HTTP/1.1\r\nHost: local\xff\r\n\r\n",
    "long": b"GET /status HTTP/1.1\r\nHost: " + b"x" * 300 + b"\r\n\r\n",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_host_that_is_none_is_a_bad_request(server, text):
    heard = ask(server, text * 2)
    assert (heard.statuses, heard.closed) == ([400], True)


def test_clients_from_before_host_are_answered(server):
    assert ask(server, b"GET /status HTTP/1.0\r\n\r\n").statuses == [200]
