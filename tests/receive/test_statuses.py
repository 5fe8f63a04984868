"""What the receiver answers: statuses of HTTP and WebSockets' close codes."""

import contextlib
import json
import time

import pytest
from pictures import picture
from receiver import EVERYWHERE, bearer, configuration, converse, head, shown, token_file
from wire import BINARY, CLOSE, CONTINUATION, TEXT, WebSocket, frame

from harness import elsewhere
from harness.http import get

MAX_BYTES = 100 << 10  # more than a text may have
MESSAGE_BYTES = MAX_BYTES + (64 << 10)  # with what may stand around a picture
PAST = 4 << 20  # bytes that are more than may come, whatever stands around a picture
UPGRADE = ["Upgrade: websocket", "Connection: Upgrade"]
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def receiver(receive):
    """A receiver with two cameras and small frames."""
    bound = {"max_bytes": "100KiB"}
    return receive(configuration(("default", bound), ("door", bound)))


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("path", "camera"),
    [
        ("/", "default"),
        ("/default", "default"),
        ("/push", "default"),
        ("/door", "door"),
        ("/door/", "door"),
        ("/ws/door", "door"),
        ("/door/push", "door"),
        ("/door?id=7", "door"),
    ],
)
def test_paths(receiver, method, path, camera):
    answer = receiver.post(jpeg := picture(1), path, method)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json"
    shown(receiver.slot(camera), jpeg)
    with receiver.camera(path) as link:
        link.send_jpeg(jpeg := picture(2))
        shown(receiver.slot(camera), jpeg)


NOBODY = [
    "/garden",
    "/garden/push",
    "/ws/garden",
    "/door/snapshot",
    "/..",
    "/../door",
    "/door/../door",
    "/%2e%2e/door",
    "/..%2fdoor",
    "/door%2f..",
    "/.door",
    "/ws/../door",
    "//door",
    "/door%00",
    "/" + "d" * 65,
]


@pytest.mark.parametrize("path", NOBODY)
def test_names_that_nobody_listed_are_404_and_make_nothing(receiver, directory, path):
    assert receiver.status(), "it has made its slots"
    before = sorted(directory.rglob("*"))
    assert receiver.post(picture(1), path).status == 404
    assert receiver.camera(path).status == 404
    assert sorted(directory.rglob("*")) == before, "something was made"
    # Nor does one of them stand in the status.
    assert set(receiver.status()) == {"default", "door"}


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 426), ("HEAD", 426), ("DELETE", 405), ("PATCH", 405), ("OPTIONS", 405), ("X", 405)],
)
def test_other_methods(receiver, method, status):
    answer = get(receiver.url, "/door", method)
    assert answer.status == status
    if status == 405:
        assert {"POST", "PUT"} <= set(answer.headers["allow"].split(", "))
    else:
        assert answer.headers["upgrade"].lower() == "websocket"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([*UPGRADE, "Sec-WebSocket-Version: 13"], 400),
        ([*UPGRADE, KEY, "Sec-WebSocket-Version: 8"], 426),
        ([*UPGRADE, KEY], 426),
        (["Connection: Upgrade", "Upgrade: h2c"], 426),
    ],
    ids=["no key", "version 8", "no version", "another protocol"],
)
def test_handshakes_that_are_none(receiver, lines, status):
    seen, _ = converse(receiver.url, head("GET", "/door", *lines, "Connection: close"))
    assert seen == status


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ([], None),
        (["Sec-WebSocket-Protocol: arduino"], "arduino"),
        (["Sec-WebSocket-Protocol: mqtt, arduino"], "mqtt"),
        (["Sec-WebSocket-Protocol: arduino, eyelid.v1"], "eyelid.v1"),
        (["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: eyelid.v1"], "eyelid.v1"),
    ],
    ids=["none", "one", "two", "ours", "ours in a second line"],
)
def test_the_protocol_that_is_chosen(receiver, headers, chosen):
    link = receiver.camera("/door", *headers)
    assert link.status == 101
    assert link.headers.get("sec-websocket-protocol") == chosen


def test_what_is_no_picture_is_422_with_a_reason(receiver):
    for body in b"", b"no picture", picture(1)[:-2], picture(1)[:600], b"\x89PNG\r\n\x1a\n":
        answer = receiver.post(body)
        assert answer.status == 422, (body[:20], answer)
        assert json.loads(answer.body)["error"], answer
    assert receiver.slot().look() is None
    form = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--b--\r\n'
    assert receiver.post(form, Content_Type="multipart/form-data; boundary=b").status == 422


def test_what_is_too_large(receiver):
    # By its length: refused before it comes.
    began = time.monotonic()
    status, _ = converse(receiver.url, head("POST", "/door", f"Content-Length: {PAST}"))
    assert status == 413
    assert time.monotonic() - began < 2
    # Without one: refused once there is too much of it.
    large = picture(1, 2 * MAX_BYTES)
    chunks = [b"1000\r\n" + large[at : at + 0x1000] + b"\r\n" for at in range(0, MAX_BYTES, 0x1000)]
    chunks.append(b"1000\r\n" + large[MAX_BYTES:][:0x1000] + b"\r\n")
    chunked = head("POST", "/door", "Transfer-Encoding: chunked")
    assert converse(receiver.url, chunked, *chunks)[0] == 413
    # The largest that may come does.
    jpeg = picture(1, MAX_BYTES)
    assert receiver.post(jpeg).status == 200
    shown(receiver.slot(), jpeg)
    assert receiver.post(picture(1, MAX_BYTES + 1)).status == 413
    with receiver.camera() as link:
        link.send_jpeg(jpeg := picture(2, MAX_BYTES))
        shown(receiver.slot(), jpeg)


# What ends a WebSocket, and the code that says why (RFC 6455, 7.4.1).
ENDS = {
    "a frame that says it is too large": (1009, [frame(BINARY, b"", length=MESSAGE_BYTES + 1)]),
    "a length of 2^62": (1009, [frame(BINARY, b"", length=1 << 62)]),
    "fragments without end": (
        1009,
        [frame(BINARY, bytes(9_000), False), *[frame(CONTINUATION, bytes(9_000), False)] * 19],
    ),
    "a text over 64 KiB": (1009, [frame(TEXT, b"x" * ((64 << 10) + 1))]),
    "a text of too many fragments": (
        1009,
        [
            frame(TEXT, b"x" * 9_000, False),
            *[frame(CONTINUATION, b"x" * 9_000, False)] * 7,
            frame(CONTINUATION, b"x" * 9_000),
        ],
    ),
    "no mask": (1002, [frame(BINARY, b"x" * 9_000, mask=None)]),
    "a reserved bit": (1002, [frame(BINARY, b"x", reserved=4)]),
    "an unknown opcode": (1002, [frame(3, b"x")]),
    "a ping in fragments": (1002, [frame(9, b"x", final=False)]),
    "a ping of 126 bytes": (1002, [frame(9, b"x" * 126)]),
    "a continuation of nothing": (1002, [frame(CONTINUATION, b"x")]),
    "a picture within a picture": (1002, [frame(BINARY, b"x", False), frame(BINARY, b"x")]),
    "a text that is no UTF-8": (1007, [frame(TEXT, b"\xc3\x28")]),
    "its own goodbye": (1000, [frame(CLOSE, b"\x03\xe8")]),
}


@pytest.mark.parametrize("end", ENDS)
def test_close_codes(receiver, end):
    code, frames = ENDS[end]
    with receiver.camera() as link:
        link.send_jpeg(jpeg := picture(1))
        shown(receiver.slot(), jpeg)
        with contextlib.suppress(ConnectionError):  # It has heard enough, and said why.
            link.send(*frames)
        assert link.close_code(5) == code
    with receiver.camera() as again:
        again.send_jpeg(jpeg := picture(2))
        shown(receiver.slot(), jpeg)


ORIGINS = {
    "http://evil.example": 403,
    "https://evil.example": 403,
    "null": 403,
    "https://github.com/gilmaimon": 403,
    "https://github.com/gilmaimon/TinyWebsockets": 101,
    "file://": 101,
    None: 101,
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_pages_of_browsers_push_nothing(receiver, origin):
    wanted = ORIGINS[origin]
    headers = [f"Origin: {origin}"] if origin else []
    assert receiver.camera("/door", *headers).status == wanted
    posted = receiver.post(picture(1), **({"Origin": origin} if origin else {})).status
    assert posted == (200 if wanted == 101 else 403)


@pytest.mark.parametrize(
    "line",
    ["X-Forwarded-For: ::1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "Via: 1.1 p"],
)
def test_without_tokens_a_proxys_clients_push_nothing(receiver, line):
    assert receiver.camera("/door", line).status == 403
    name, value = line.split(": ")
    assert receiver.post(picture(1), **{name: value}).status == 403
    assert receiver.slot().look() is None


def test_without_tokens_only_this_computer_pushes(receive, directory):
    tokens = token_file(directory / "tokens", ("garden", "secret"))
    receiver = receive(
        configuration("door", ("garden", {"token_file": tokens})),
        "--listen",
        f"unix:{directory}/socket",
        listen=EVERYWHERE,
    )
    there = f"http://{elsewhere.HERE}:{receiver.port}"
    with elsewhere.inside():
        assert get(there, "/door", "POST", picture(1)).status == 403
        token = {"Authorization": "Bearer secret"}
        assert get(there, "/garden", "POST", picture(1), **token).status == 200
    with elsewhere.inside():
        assert WebSocket(there, "/door").status == 403
        garden = WebSocket(there, "/garden", bearer("secret"))
    garden.send_jpeg(jpeg := picture(2))
    shown(receiver.slot("garden"), jpeg)
    jpeg = picture(3)
    assert get(f"unix:{directory}/socket", "/door", "POST", jpeg).status == 200
    shown(receiver.slot(), jpeg)
    jpeg = picture(4)
    assert receiver.post(jpeg).status == 200
    shown(receiver.slot(), jpeg)
    # With a token, a proxy's clients push as all others do.
    through = token | {"X-Forwarded-For": "192.0.2.1"}
    assert receiver.post(picture(5), "/garden", **through).status == 200
