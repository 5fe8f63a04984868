"""A camera that pushes, with what Python has: the machine has no network to fetch more."""

import base64
import http.client
import io
import os
import socket
import threading
import time
from contextlib import contextmanager

from machine import DEADLINE
from PIL import Image


def picture(shade):
    """Gives a JPEG of one shade of grey."""
    file = io.BytesIO()
    Image.new("RGB", (320, 240), (shade, shade, shade)).save(file, "JPEG")
    return file.getvalue()


def post(port, path, jpeg, token=None):
    """Posts a picture; gives the status."""
    headers = {"Content-Type": "image/jpeg"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("POST", path, jpeg, headers)
    status = connection.getresponse().status
    connection.close()
    return status


class WebSocket:
    """A WebSocket that sends binary messages (RFC 6455)."""

    def __init__(self, port, path, token):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._socket.recv(1)
            assert byte, head
            head += byte
        assert head.startswith(b"HTTP/1.1 101 "), head

    def send(self, payload):
        """Sends a message, masked by zeros, as cameras do."""
        head = b"\x82" + bytes([0x80 | 127]) + len(payload).to_bytes(8, "big") + bytes(4)
        self._socket.sendall(head + payload)

    def close(self):
        """Hangs up."""
        self._socket.close()


@contextmanager
def camera(port, path, token):
    """Has a camera push five pictures a second for a while, each of another shade."""
    websocket = WebSocket(port, path, token)
    over = threading.Event()
    failed = []

    def push():
        shade = 0
        try:
            while not over.wait(0.2):
                shade = (shade + 16) % 256
                websocket.send(picture(shade))
        except OSError as error:
            failed.append((time.time(), error))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield
        assert not failed, "the connection was lost"
    finally:
        over.set()
        thread.join()
        websocket.close()
