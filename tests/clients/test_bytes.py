"""The bytes themselves, where a client cares for more than what they mean.

How they are cut, and what is there once.
"""

import pytest

from harness.http import connect, free_port
from harness.stream import BOUNDARY

ORIGIN = "http://dashboard.local"
CLOSING = b"\r\n" + BOUNDARY + b"\r\n"
ENOUGH = 1 << 20  # bytes, more than a few frames
NO_PASSWORD = "$2b$04$" + 53 * "."  # a hash of bcrypt's form


def ask(address, method, path):
    """Sends a request and reads at least the head of the answer.

    Gives the connection and what was read.
    """
    connection = connect(address)
    connection.sendall(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\n\r\n".encode()
    )
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(ENOUGH)
        assert more, f"closed after {data!r}"
        data += more
    return connection, data


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_frame_leaves_in_one_write_with_the_boundary_that_ends_it(start, directory, kind):
    address = f"127.0.0.1:{free_port()}" if kind == "tcp" else f"unix:{directory}/socket"
    # Small frames: one write is one piece at the other end.
    eyelid = start(
        "eyelid",
        "--listen",
        address,
        "--slots",
        directory / "slots",
        "--source",
        "test",
        "--size",
        "64x48",
    )
    eyelid.wait_out(address.removeprefix("unix:"))
    address = address if kind == "unix" else f"http://{address}"
    connection, data = ask(address, "GET", "/stream")
    with connection:
        body = data.partition(b"\r\n\r\n")[2] or connection.recv(ENOUGH)
        pieces = [body, *(connection.recv(ENOUGH) for _ in range(50))]
    opening = BOUNDARY + b"\r\n"
    assert body.startswith(opening), f"before the first boundary: {body[:80]!r}"
    pieces[:1] = [body.removeprefix(opening)] if body != opening else []
    for piece in pieces:
        assert piece.startswith(b"Content-Type: image/jpeg\r\n"), (
            f"a frame begins before this: {piece[:80]!r}"
        )
        assert piece.endswith(b"\xff\xd9" + CLOSING), f"a frame ends after this: {piece[-80:]!r}"


# A camera that works, and one that never has a frame.
CAMERAS = """
[cameras.default]
source = "test"

[cameras.off]
source = "command:exec tail -f /dev/null"
"""


@pytest.fixture
def serve(start, directory):
    """Starts `eyelid` for one origin, with a password or without; gives its address."""

    def serve(password):
        (directory / "users").write_text(f"anna:{NO_PASSWORD}\n")
        users = f'auth-file = "{directory}/users"\n' if password else ""
        config = directory / "eyelid.toml"
        config.write_text(f'[server]\ntimeout = "2s"\nallow-origin = "{ORIGIN}"\n{users}{CAMERAS}')
        address = f"unix:{directory}/socket"
        start(
            "eyelid", "--config", config, "--slots", directory / "slots", "--listen", address
        ).wait_out("socket")
        return address

    return serve


@pytest.mark.parametrize(
    "password, method, path, status",
    [
        (False, "GET", "/stream", 200),
        (False, "GET", "/snapshot", 200),
        (False, "GET", "/status", 200),
        (False, "HEAD", "/snapshot", 200),
        (False, "HEAD", "/stream", 200),
        (False, "OPTIONS", "/snapshot", 204),
        (False, "GET", "/default", 308),
        (False, "GET", "/stream?fps=x", 400),
        (False, "GET", "/nobody/stream", 404),
        (False, "POST", "/snapshot", 405),
        (False, "GET", "/off/snapshot", 503),
        (True, "GET", "/stream", 401),
        (True, "GET", "/snapshot", 401),
    ],
)
def test_the_allowed_origin_is_named_exactly_once(serve, password, method, path, status):
    connection, data = ask(serve(password), method, path)
    connection.close()
    head = data.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    assert head[0].split()[1] == str(status)
    assert head.count(f"access-control-allow-origin: {ORIGIN}") == 1, head
    assert sum(line.startswith("access-control-allow-origin:") for line in head) == 1, head
