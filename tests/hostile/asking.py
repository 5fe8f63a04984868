"""Requests byte by byte, and all that comes back."""

import re
import socket
from dataclasses import dataclass

from harness.waiting import DEADLINE


@dataclass
class Heard:
    """What a server said to some bytes."""

    statuses: list
    closed: bool
    text: bytes

    @property
    def last(self):
        """The last answer's bytes."""
        return self.text[self.text.rindex(b"HTTP/1.1 ") :]


def ask(server, *pieces, answers=None, source="127.0.0.1"):
    """Sends bytes, in pieces, and hears until that many answers have come.

    With None it hears until the server closes.
    """
    here = ("127.0.0.1", server.port)
    with socket.create_connection(here, timeout=DEADLINE, source_address=(source, 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        text = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # It has heard enough; what it said can still be read.
        while answers is None or len(complete(text)) < answers:
            try:
                some = connection.recv(65536)
            except ConnectionResetError:
                some = b""
            if not some:
                return Heard(complete(text), True, text)
            text += some
        return Heard(complete(text), False, text)


def complete(text):
    """Gives the statuses of the answers that are there whole."""
    statuses = []
    while b"\r\n\r\n" in text:
        head, _, text = text.partition(b"\r\n\r\n")
        statuses.append(int(re.match(rb"HTTP/1\.[01] (\d{3}) ", head)[1]))
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        length = int(length[1]) if length else 0
        if len(text) < length:
            statuses.pop()
            break
        text = text[length:]
    return statuses
