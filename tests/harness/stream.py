"""Reading a stream of pictures."""

from dataclasses import dataclass

from harness.http import connect
from harness.waiting import wait_for

BOUNDARY = b"--boundarydonotcross"


@dataclass
class Part:
    """One part of a stream."""

    headers: dict
    jpeg: bytes

    def live(self):
        """Says whether it shows the camera, not the "no signal" picture."""
        return "x-eyelid-signal" not in self.headers


class BrokeOff(AssertionError):
    """A stream ended: it does so with its server only."""


class Stream:
    """A stream, read the way strict clients do.

    As HTTP 1.0, where what passes it on would cut it into chunks.
    """

    def __init__(self, address, path="/stream", receive_buffer_bytes=None, version="1.1"):
        self._socket = connect(address, receive_buffer_bytes)
        self._socket.sendall(f"GET {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._line().split()[1])
        self.headers = self._headers()
        if self.status == 200:
            assert self._line() == BOUNDARY, "the body must start with the boundary"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def port(self):
        """Gives the client's port, by which the other side tells it from others."""
        return self._socket.getsockname()[1]

    def close(self):
        """Hangs up."""
        self._file.close()
        self._socket.close()

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise BrokeOff(f"the stream broke off at {line!r}")
        return line[:-2]

    def _headers(self):
        headers = {}
        while line := self._line():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        return headers

    def part(self):
        """Gives the next part, together with the boundary that ends it."""
        headers = self._headers()
        assert headers["content-type"] == "image/jpeg"
        jpeg = self._file.read(int(headers["content-length"]))
        assert (self._line(), self._line()) == (b"", BOUNDARY), "a boundary must end the part"
        return Part(headers, jpeg)

    def part_where(self, wanted, what):
        """Gives the next part that is as `wanted`."""
        found = []

        def search():
            part = self.part()
            if wanted(part):
                found.append(part)
            return found

        return wait_for(search, what)[0]
