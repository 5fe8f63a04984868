"""A stream as a proxy sends it: perhaps in chunks, as nginx does."""

import http.client

from harness.http import connect
from harness.stream import BOUNDARY, Stream


class ProxiedStream(Stream):
    """A stream, read by a client that knows all of HTTP/1.1."""

    def __init__(self, address, path):
        self._connection = http.client.HTTPConnection("localhost")
        self._socket = self._connection.sock = connect(address)
        self._connection.request("GET", path)
        self._file = self._connection.getresponse()
        self.status = self._file.status
        self.headers = {name.lower(): value for name, value in self._file.getheaders()}
        assert (self.status, self._line()) == (200, BOUNDARY), (
            "the body must start with the boundary"
        )
