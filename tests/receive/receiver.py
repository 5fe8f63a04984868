"""`eyelid-receive`, with its slots and its configuration, and what is pushed to it."""

import contextlib
import http.client
import json
import signal
import socket
from hashlib import sha256

from wire import WebSocket

from harness.http import connect, get
from harness.processes import usage
from harness.slot import Slot
from harness.waiting import DEADLINE, wait_for

# What uses this port pushes from elsewhere, or as if it did.
EVERYWHERE = "0.0.0.0:0"


def configuration(*cameras, **receive):
    """Gives a configuration with these cameras: names, or names with their keys."""
    lines = ["[receive]", *_pairs(receive)]
    for camera in cameras:
        name, keys = (camera, {}) if isinstance(camera, str) else camera
        lines += [f"[receive.cameras.{name}]", *_pairs(keys)]
    return "\n".join([*lines, ""])


def _pairs(keys):
    return [f"{key.replace('_', '-')} = {json.dumps(value)}" for key, value in keys.items()]


def token_file(path, *tokens):
    """Writes a file of tokens, (camera, token) each; gives its path as the configuration has it."""
    lines = [f"{camera}:{sha256(token.encode()).hexdigest()}" for camera, token in tokens]
    path.write_text("\n".join(["# cameras' tokens", *lines, ""]))
    return str(path)


def bearer(token):
    """Gives the header that has a token."""
    return f"Authorization: Bearer {token}"


class Receiver:
    """A running receiver."""

    def __init__(self, start, directory, text, *arguments, listen="127.0.0.1:0", **options):
        self.slots = directory / "slots"
        self.slots.mkdir(exist_ok=True)
        self.config = directory / "eyelid.toml"
        self.config.write_text(text)
        where = ["--slots", self.slots, "--config", self.config, "--listen", listen]
        self.program = start("eyelid-receive", *where, *arguments, **options)
        self.pid = self.program.pid
        self.port = int(self.program.wait_log(r"listening on http://[^ ]*:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def slot(self, name="door"):
        """Gives a camera's slot."""
        return Slot(self.slots if name == "default" else self.slots / name, self.program)

    def camera(self, path="/door", *headers, **options):
        """Gives the WebSocket of a camera that has connected."""
        return WebSocket(self.url, path, *headers, **options)

    def post(self, jpeg, path="/door", method="POST", **headers):
        """Pushes a picture by HTTP, with headers (`_` for `-`); gives the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return get(self.url, path, method, jpeg, **named)

    def status(self):
        """Gives what the receiver says of its cameras, by name."""
        answer = get(self.url, "/status")
        assert answer.status == 200, answer
        return {camera["name"]: camera for camera in json.loads(answer.body)["cameras"]}

    def push(self, name="door"):
        """Gives what it says of the one who pushes."""
        return self.status()[name]["push"]

    def wait_push(self, name="door", deadline=DEADLINE, **fields):
        """Waits until these fields are so."""
        return wait_for(
            lambda: (push := self.push(name)) and fields.items() <= push.items() and push,
            lambda: f"{fields}; {self.push(name)}",
            deadline,
        )

    def reload(self, text):
        """Gives it another configuration."""
        self.config.write_text(text)
        self.program.process.send_signal(signal.SIGHUP)

    def own_bytes(self):
        """Gives the memory that it has for itself now."""
        return usage(self.pid).anonymous_kib * 1024


def shown(slot, jpeg, deadline=DEADLINE):
    """Looks until a picture is in the slot, byte for byte."""
    wait_for(
        lambda: (seen := slot.look()) and seen[1] == jpeg,
        lambda: f"the picture {jpeg[:100]} in the slot; there is {str(slot.look())[:200]}",
        deadline,
    )


def serve(start, receiver, *arguments):
    """Starts `eyelid-server` for the receiver's cameras; gives its URL."""
    where = ["--slots", receiver.slots, "--config", receiver.config, "--listen", "127.0.0.1:0"]
    server = start("eyelid-server", *where, *arguments)
    return server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]


def converse(address, *pieces):
    """Writes bytes, a piece after the other, to an address of HTTP; gives the answer's status and
    body, whenever it comes.

    The other side may have heard enough before the end.
    """
    with connect(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


def head(method, path, *headers):
    """Gives a request's head."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()
