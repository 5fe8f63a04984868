"""WebSockets byte by byte: what firmware sends, right and wrong (RFC 6455)."""

import base64
import hashlib
import os
import select
import socket
import time

from harness.http import connect
from harness.waiting import DEADLINE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ZEROS = bytes(4)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, payload=b"", final=True, mask=ZEROS, length_bits=None, reserved=0, length=None):
    """Gives a frame of a client's.

    The length is written as short as can be if no `length_bits` are given, and can be a lie.
    Without a mask (None) it is a server's frame.
    """
    length = len(payload) if length is None else length
    bits = length_bits or (7 if length < 126 else 16 if length < 65536 else 64)
    masked = 0 if mask is None else 0x80
    size = {
        7: bytes([masked | length % 128]),
        16: bytes([masked | 126]) + (length % 65536).to_bytes(2),
        64: bytes([masked | 127]) + length.to_bytes(8),
    }
    first = bytes([final << 7 | reserved << 4 | opcode])
    return first + size[bits] + (mask or b"") + _masked(payload, mask or ZEROS)


def _masked(payload, mask):
    if not any(mask):
        return payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))


class WebSocket:
    """A WebSocket of a client, or the answer that says why there is none."""

    def __init__(self, address, path, *headers, send_buffer=None):
        self.socket = connect(address)
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self._come = b""
        key = base64.b64encode(os.urandom(16))
        named = {line.split(":")[0].lower() for line in headers}
        usual = {
            "host": "localhost",
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": key.decode(),
        }
        own = [f"{name}: {value}" for name, value in usual.items() if name not in named]
        self.send("\r\n".join([f"GET {path} HTTP/1.1", *own, *headers, "", ""]).encode())
        self.status, self.headers = self._head()
        if self.status == 101:
            proof = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
            assert self.headers["sec-websocket-accept"] == proof

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Hangs up without a word."""
        self.socket.close()

    def send(self, *pieces):
        """Writes bytes, a piece after the other."""
        for piece in pieces:
            self.socket.sendall(piece)

    def send_jpeg(self, jpeg):
        """Sends a picture as one message of one frame."""
        self.send(frame(BINARY, jpeg))

    def receive(self, deadline=DEADLINE):
        """Gives opcode and payload of the next frame; None where the other side has hung up."""
        end = time.monotonic() + deadline
        if not self._take_in(2, end):
            return None
        first, size = self._come[:2]
        assert not size & 0x80, "a server masks nothing (RFC 6455, 5.1)"
        head = {126: 4, 127: 10}.get(size, 2)
        if not self._take_in(head, end):
            return None
        size = int.from_bytes(self._come[2:head]) if head > 2 else size
        if not self._take_in(head + size, end):
            return None
        payload, self._come = self._come[head : head + size], self._come[head + size :]
        return first & 0x0F, payload

    def text(self, deadline=DEADLINE):
        """Gives the next message, which must be a text."""
        opcode, payload = self.receive(deadline) or (None, b"")
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    def close_code(self, deadline=DEADLINE):
        """Waits for the other side's close, whatever comes before; None if it hung up."""
        end = time.monotonic() + deadline
        while heard := self.receive(end - time.monotonic()):
            opcode, payload = heard
            if opcode == CLOSE:
                return int.from_bytes(payload[:2]) if payload else 1005
        return None

    def silent(self):
        """Says whether nothing has come that was not received, not even an end."""
        return not self._come and not self._readable(0)

    def _head(self):
        end = time.monotonic() + DEADLINE
        while b"\r\n\r\n" not in self._come:
            assert self._take_in(len(self._come) + 1, end), f"no answer: {self._come!r}"
        head, _, self._come = self._come.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, value in headers.items()}

    def _take_in(self, number, end):
        """Reads until so many bytes have come; says whether they have, or the end."""
        while len(self._come) < number:
            if not self._readable(end - time.monotonic()):
                raise TimeoutError(f"nothing came; before: {self._come[:100]!r}")
            try:
                some = self.socket.recv(65536)
            except ConnectionError:
                some = b""
            if not some:
                return False
            self._come += some
        return True

    def _readable(self, seconds):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(max(seconds, 0) * 1000))
