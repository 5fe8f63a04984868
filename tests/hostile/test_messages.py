"""What the server says is HTTP as a linter of HTTP messages knows it: HTTPolice.

Its documentation is at httpolice.readthedocs.io.
"""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.stream import BOUNDARY
from harness.waiting import DEADLINE

ORIGIN = "http://dashboard.local"
NO_PASSWORD = "$2b$04$" + 53 * "."  # a hash of bcrypt's form

# What it may remark on; errors never.
MEANT = {
    1025: "only the end of the connection ends the answer: a stream has no other",
    1035: "text/javascript is deprecated: no longer, since RFC 9239; HTTPolice is older",
    1162: "Pragma is for requests: there are caches that heed it in answers",
    1277: "names with X-: clients know X-Timestamp by this name, and proxies X-Accel-Buffering",
}


def request(first, *lines, host="localhost"):
    """Gives a request of which there is nothing to say."""
    return "\r\n".join(
        [f"{first} HTTP/1.1", f"Host: {host}", "User-Agent: tests", *lines, "", ""]
    ).encode()


CLOSE = "Connection: close"
CONVERSATIONS = {
    # Where an answer ends is a part of what is checked.
    "all on one connection": [
        (200, request("GET /")),
        (200, request("GET /viewer.js")),
        (200, request("GET /viewer.css")),
        (200, request("GET /icon.svg")),
        (200, request("GET /status")),
        (200, request("GET /metrics")),
        (200, request("GET /snapshot")),
        (200, request("GET /snapshot", "Range: bytes=0-1")),
        (200, request("GET /snapshot", "If-Modified-Since: Sat, 21 Nov 2026 10:00:00 GMT")),
        (200, request("GET /snapshot", f"Origin: {ORIGIN}")),
        (200, request("HEAD /")),
        (200, request("HEAD /status")),
        (200, request("HEAD /snapshot")),
        (204, request("OPTIONS /snapshot")),
        (204, request("OPTIONS *")),
        (308, request("GET /default")),
        (400, request("GET /stream?fps=x")),
        (404, request("GET /nowhere")),
        (404, request("HEAD /nowhere")),
        (405, request("POST /", "Content-Length: 0")),
        (421, request("GET /", host="evil.example")),
        (503, request("GET /off/snapshot")),
        (200, request("GET /", CLOSE)),
    ],
    "the head of a stream": [(200, request("HEAD /stream"))],
    "a body that is not read": [
        (405, request("PUT /", "Content-Type: text/plain", "Content-Length: 5") + b"12345")
    ],
}


@pytest.fixture
def lint(directory):
    """Has HTTPolice look at what was sent and heard on a connection.

    If what was sent is None, it looks at what was heard alone.
    """

    def lint(sent, heard):
        paths = {"sent": sent, "heard": heard} if sent else {"heard": heard}
        for name, text in paths.items():
            (directory / name).write_bytes(text)
        command = [
            Path(sys.executable).with_name("httpolice"),
            "-i",
            "streams" if sent else "resp-stream",
        ]
        silenced = [word for notice in MEANT for word in ("-s", str(notice))]
        done = subprocess.run(
            [*command, "--fail-on", "comment", *silenced, *(directory / name for name in paths)],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr

    return lint


def converse(server, text):
    """Sends all of it, and gives all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def statuses(heard):
    """Gives the statuses of the answers.

    To HEAD, too, where a length says nothing of what follows.
    """
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", heard)]


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_answers(serve, camera, lint, conversation):
    (camera.path / "off").mkdir()
    sent = b"".join(text for _, text in conversation)
    heard = converse(serve("--allow-origin", ORIGIN), sent)
    assert statuses(heard) == [status for status, _ in conversation]
    lint(sent, heard)


def test_answers_without_a_password(serve, lint, directory):
    (directory / "users").write_text(f"anna:{NO_PASSWORD}\n")
    server = serve("--auth-file", directory / "users")
    wrong = "Authorization: Basic YW5uYTp3cm9uZw=="
    sent = (
        request("GET /")
        + request("HEAD /stream")
        + request("OPTIONS /")
        + request("GET /stream", wrong, CLOSE)
    )
    heard = converse(server, sent)
    assert statuses(heard) == [401, 401, 204, 401]
    lint(sent, heard)


# Of these HTTPolice hears the answer alone: it would not read such a request either.
UNREAD = {
    "no version": (400, b"GET /\r\n\r\n"),
    "two targets": (400, request("GET / /")),
    "no host": (400, request("GET /").replace(b"Host", b"Hos")),
    "too long a header": (431, request("GET /", "X-Long: " + 20_000 * "x")),
}


@pytest.mark.parametrize(("status", "sent"), UNREAD.values(), ids=UNREAD)
def test_answers_to_what_is_not_read(server, lint, status, sent):
    heard = converse(server, sent)
    assert statuses(heard) == [status]
    lint(None, heard)


def test_a_stream(server, lint):
    sent, heard = request("GET /stream"), b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as connection:
        connection.sendall(sent)
        while heard.count(BOUNDARY) < 4:
            heard += connection.recv(65536)
    assert statuses(heard) == [200]
    lint(sent, heard)
