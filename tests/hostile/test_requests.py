"""Requests that are none, are too much, or could be read in two ways."""

import json
import random

import pytest
from asking import ask

from harness.http import get
from harness.stream import Stream

OK = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def request(*lines, first=b"GET /status HTTP/1.1", body=b""):
    """Gives a request with these header lines."""
    return b"\r\n".join([first, b"Host: localhost", *lines, b"", body])


# What must get this status and be the last of its connection: whatever follows is not taken for a
# request.
LAST_OF_ITS_CONNECTION = {
    # Two ways to read where it ends (RFC 9112, section 6).
    "length and chunks": (
        200,
        request(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    ),
    "chunks and length": (
        200,
        request(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\n"),
    ),
    "two lengths": (400, request(b"Content-Length: 0", b"Content-Length: 44")),
    "the same length twice": (
        200,
        request(b"Content-Length: 5", b"Content-Length: 5", body=b"12345"),
    ),
    "lengths in a list": (400, request(b"Content-Length: 5, 5", body=b"12345")),
    "a length with a sign": (400, request(b"Content-Length: +5", body=b"12345")),
    "a negative length": (400, request(b"Content-Length: -1")),
    "a hexadecimal length": (400, request(b"Content-Length: 0x5", body=b"12345")),
    "a length beyond all": (400, request(b"Content-Length: 99999999999999999999999")),
    "no length": (400, request(b"Content-Length:")),
    "chunks that are not last": (
        400,
        request(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    ),
    "unknown encoding": (400, request(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    "encoding behind a tab": (200, request(b"Transfer-Encoding:\tchunked", body=b"0\r\n\r\n")),
    "encoding in HTTP/1.0": (
        400,
        request(
            b"Transfer-Encoding: chunked", b"Connection: keep-alive", first=b"GET /status HTTP/1.0"
        ),
    ),
    # A body is not needed here: it is not read, and neither is what follows.
    "a body": (200, request(b"Content-Length: 5", body=b"12345")),
    "a body that is a request": (200, request(b"Content-Length: %d" % len(OK), body=OK)),
    "a body in chunks": (
        200,
        request(b"Transfer-Encoding: chunked", body=b"5\r\n12345\r\n0\r\n\r\n"),
    ),
    "a chunk of any size": (
        200,
        request(b"Transfer-Encoding: chunked", body=b"ffffffffffffffffff\r\n"),
    ),
    "a body that is waited for": (200, request(b"Content-Length: 5", b"Expect: 100-continue")),
    "a body that never ends": (
        405,
        request(b"Content-Length: 9999999999", first=b"POST / HTTP/1.1", body=b"x" * 999),
    ),
    "an empty body in chunks": (
        405,
        request(b"Transfer-Encoding: chunked", first=b"PUT / HTTP/1.1", body=b"0\r\n\r\n"),
    ),
    # Lines that are not as HTTP has them (RFC 9112, sections 2.2, 3 and 5).
    "folded": (400, request(b"X-Folded: a", b" b")),
    "folded encoding": (400, request(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n")),
    "first header folded": (400, b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    "space before the colon": (400, request(b"Content-Length : 5", body=b"12345")),
    "no colon": (400, request(b"Nonsense")),
    "no name": (400, request(b": x")),
    "space in a name": (400, request(b"X Y: z")),
    "bare CR in a value": (400, request(b"X: a\rTransfer-Encoding: chunked")),
    "bare CR at the end": (400, b"GET / HTTP/1.1\rHost: localhost\r\r"),
    "NUL in a value": (400, request(b"X: a\0b")),
    "NUL in a name": (400, request(b"X\0: a")),
    "no version": (400, b"GET /\r\n\r\n"),
    "another version": (400, b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n"),
    "a version in lower case": (400, b"GET / http/1.1\r\nHost: localhost\r\n\r\n"),
    "HTTP/2": (None, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a method with a colon": (400, b"GE:T / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "no target": (400, b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 600),
    "random bytes": (400, b"\x80\x81\x82\r\n\r\n"),
    # Too much (docs/http.md, Limits).
    "a long header": (431, request(b"X: " + b"x" * 20_000)),
    "a header that never ends": (
        431,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 50_000,
    ),
    "a line that never ends": (431, b"GET /" + b"x" * 1_000_000),
    "many headers": (431, request(*[b"X-%d: y" % number for number in range(70)])),
    "a long target": (431, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


@pytest.mark.parametrize(
    ("status", "text"), LAST_OF_ITS_CONNECTION.values(), ids=LAST_OF_ITS_CONNECTION
)
def test_nothing_that_follows_is_taken_for_a_request(server, status, text):
    for pieces in ([text + OK], [text, OK, OK]):
        heard = ask(server, *pieces)
        assert (heard.statuses, heard.closed) == ([status] if status else [], True), heard
    assert get(server.url, "/status").status == 200


# What gets this status, and leaves the connection as it was.
PLAIN = {
    b"GET /status": 200,
    b"GET http://localhost/status": 200,
    b"OPTIONS *": 204,
    b"OPTIONS /": 204,
    b"GET /..": 404,
    b"GET /../../../../etc/passwd": 404,
    b"GET /default/../status": 404,
    b"GET /%2e%2e/%2e%2e/etc/passwd": 404,
    b"GET /..%2f..%2fetc%2fpasswd": 404,
    b"GET /..\\..\\etc\\passwd": 404,
    b"GET //etc/passwd": 404,
    b"GET /./status": 404,
    b"GET /%00": 404,
    b"GET /default%00/stream": 404,
    b"GET /state.json": 404,
    b"GET /current.jpg": 404,
    b"GET /.hidden/stream": 404,
    b"GET /%73tatus": 404,
    b"GET /nobody/stream": 404,
    b"GET /nobody": 404,
    b"GET /stream_99999999999999999999": 404,
    b"GET /stream_-1": 404,
    b"GET /stream_7": 404,
    b"GET /" + b"n" * 300 + b"/stream": 404,
    b"GET /?action=command": 404,
    b"GET /?action=snapshot%00": 404,
    b"GET /%ff%fe/stream": 404,
    b"GET /\xff\xfe/stream": 400,
    b"GET /caf\xc3\xa9/stream": 404,
    b"GET /stream?fps=1e999": 400,
    b"GET /stream?fps=%00": 400,
    b"CONNECT localhost:22": 405,
    b"CONNECT /": 405,
    b"TRACE /": 405,
    b"POST /": 405,
    b"PUT /stream": 405,
    b"DELETE /snapshot": 405,
    b"PROPFIND /": 405,
    b"GETS /": 405,
    b"get /": 405,
}


@pytest.mark.parametrize(("first", "status"), PLAIN.items(), ids=range(len(PLAIN)))
def test_what_is_not_here_is_said_to_be(server, first, status):
    text = first + b" HTTP/1.1\r\nHost: localhost\r\nX-Secret: Secret\r\n\r\n"
    heard = ask(server, text + LAST)
    assert heard.statuses in ([status, 200], [status]), heard
    # A target that HTTP has no such form of, and CONNECT, end the connection.
    odd = first.startswith((b"CONNECT", b"GET /\xff", b"GET /caf")) or b"\\" in first
    assert odd or heard.statuses == [status, 200], heard
    assert b"root:" not in heard.text and b"Secret" not in heard.text


def test_nothing_of_a_request_comes_back_in_a_header(server):
    for target in (b"/x%0d%0aSet-Cookie:%20a=b", b"/x%0aX-Evil:%20yes", b"/%3Cscript%3E"):
        heard = ask(
            server,
            b"GET %s HTTP/1.1\r\nHost: localhost\r\nX-Secret: Secret\r\n\r\n" % target + LAST,
        )
        head = heard.text.partition(b"\r\n\r\n")[0].lower()
        assert b"cookie" not in head and b"evil" not in head and b"script" not in heard.text, heard
        assert b"Secret" not in heard.text, heard


def test_pipelined_requests_are_answered_in_their_order(server, healthy):
    paths = {
        b"/status": 200,
        b"/nowhere/": 404,
        b"/snapshot": 200,
        b"/stream?fps=x": 400,
        b"/icon.svg": 200,
    }
    asked = [b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths]
    assert ask(server, b"".join(asked) * 20, answers=100).statuses == [*paths.values()] * 20
    # In pieces of a byte, too.
    text = b"".join(asked)
    pieces = [text[at : at + 1] for at in range(len(text))]
    assert ask(server, *pieces, answers=5).statuses == [*paths.values()]
    before = server.most_memory()
    assert set(ask(server, OK * 5_000, answers=1_000).statuses) == {200}
    assert server.most_memory() - before < 8 << 20
    healthy.thrive(2)


def test_what_follows_a_stream_is_ignored(server):
    heard = []
    with Stream(server.url) as stream:
        for _ in range(5):
            stream._socket.sendall(OK * 100)
            heard.append(stream.part().live())
    assert all(heard)


def test_one_line_end_too_many_or_too_few_is_understood(server):
    # RFC 9112, section 2.2: an empty line before a request is ignored, and LF alone may end a line.
    for text in (b"\r\n" + OK, OK.replace(b"\r\n", b"\n")):
        assert ask(server, text, answers=1).statuses == [200]


def test_random_requests(server, healthy):
    seed = 7
    chance = random.Random(seed)
    pieces = [
        b"GET",
        b"HEAD",
        b" ",
        b"/",
        b"stream",
        b"status",
        b"?",
        b"action=",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\n",
    ]
    pieces += [
        b"\r",
        b"\0",
        b":",
        b"Host",
        b"localhost",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        b"\xff",
    ]
    for number in range(300):
        mutant = bytearray(request(b"Content-Length: 0", b"Connection: close"))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mutant))
            mutant[at : at + chance.randint(0, 3)] = chance.choice(pieces)
        # The end of a header that none of the pieces can undo, and an end to what it might take for
        # a body.
        heard = ask(server, bytes(mutant) + b"\r\n\r\n" + LAST + b"\r\n\r\n" + b"\0\r\n\r\n")
        assert heard.closed and set(heard.statuses) <= {200, 400, 404, 405, 421, 431}, (
            seed,
            number,
            mutant,
            heard,
        )
        assert heard.statuses or b"stream" in mutant, (seed, number, mutant, heard)
    healthy.thrive(1)
    assert json.loads(get(server.url, "/status").body)["cameras"]
