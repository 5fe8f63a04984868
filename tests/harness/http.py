"""Asking by HTTP."""

import errno
import fcntl
import http.client
import os
import random
import socket
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.waiting import DEADLINE, wait_for

# Above those that servers have by custom, below those that the kernel gives to who asks for any
# (ip(7), ip_local_port_range).
PORTS = range(10_000, 32_768)


def free_port(host="127.0.0.1", kind=socket.SOCK_STREAM):
    """Gives a port, of TCP by itself, that nobody has, and that nobody is given meanwhile: not by
    the kernel, and not by another suite.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    given = Path(tempfile.gettempdir(), f"eyelid-tests-port-{os.getuid()}")
    with open(given, "a+") as last:
        fcntl.flock(last, fcntl.LOCK_EX)
        last.seek(0)
        # Who does not see that file begins somewhere else.
        port = int(last.read() or random.choice(PORTS))
        while True:
            port = port + 1 if port + 1 in PORTS else PORTS.start
            if not _is_taken(family, kind, (host, port)):
                last.truncate(0)
                last.write(str(port))
                return port


def _is_taken(family, kind, address):
    with socket.socket(family, kind) as probe:
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


def connect(address, receive_buffer_bytes=None):
    """Connects to `http://host:port` or `unix:/path`.

    Over TCP the receive buffer has the size that is given.
    """
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(address.removeprefix("unix:"))
        return connection
    url = urlsplit(address)
    if receive_buffer_bytes is None:
        return socket.create_connection((url.hostname, url.port), timeout=DEADLINE)
    connection = socket.socket(socket.AF_INET6 if ":" in url.hostname else socket.AF_INET)
    connection.settimeout(DEADLINE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    connection.connect((url.hostname, url.port))
    return connection


def wait_listening(address):
    """Waits until somebody listens at an address.

    It connects, so it is no test of a socket nobody has used.
    """

    def listening():
        try:
            connect(address).close()
            return True
        except OSError:
            return False

    wait_for(listening, f"somebody listening at {address}")


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: dict
    body: bytes


def get(address, path, method="GET", body=None, **headers):
    """Sends one request, with a body if there is one, and gives the answer."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connect(address)
    with closing(connection):
        connection.request(method, path, body, headers={"Connection": "close", **headers})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
