"""Stand-ins of those who are told: a webhook, and a topic of ntfy."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from email.header import decode_header
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """What came, and how it was answered."""

    def __init__(self):
        self.received = []  # (path, headers, body), whatever became of it
        self.taken = Counter()  # by the alert's name: how often it was answered that it is taken
        self.answers = []  # what to do with the next ones; then they are taken
        self.messages = []  # what a topic has
        self.url = None
        self._lock = threading.Lock()

    def next_answer(self):
        """Gives what to do with a request."""
        with self._lock:
            return self.answers.pop(0) if self.answers else "take"

    def note(self, path, headers, body):
        """Notes what came."""
        with self._lock:
            self.received.append((path, headers, body))

    def take(self, headers, body):
        """Notes that it is taken."""
        name = headers.get("Idempotency-Key") or headers.get("X-Sequence-ID")
        with self._lock:
            self.taken[name] += 1
            self.messages.append(
                {
                    "event": "message",
                    "title": decoded(headers.get("Title", "")),
                    "message": decoded(headers.get("Message") or body.decode("utf-8", "replace")),
                    "sequence_id": name,
                }
            )


def decoded(value):
    """Reads a header as RFC 2047 has it."""
    parts = decode_header(value)
    return "".join(
        part.decode(kind or "ascii") if isinstance(part, bytes) else part for part, kind in parts
    )


class Handler(BaseHTTPRequestHandler):
    """One request."""

    receiver: Receiver

    def do_POST(self):
        """Takes an alert, or does what it is told to do instead."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.note(self.path, self.headers, body)
        answer = self.receiver.next_answer()
        if answer == "cut":  # nothing was understood
            self.close_connection = True
            return
        if answer == "take and cut":  # it was, and nobody says so
            self.receiver.take(self.headers, body)
            self.close_connection = True
            return
        if answer == "take":
            self.receiver.take(self.headers, body)
            answer = "200"
        status, _, pause = answer.partition(" ")
        self.send_response(int(status))
        if pause:
            self.send_header("Retry-After", pause)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

    def do_GET(self):
        """Gives the messages of a topic."""
        lines = "".join(json.dumps(message) + "\n" for message in self.receiver.messages).encode()
        self.receiver.note(self.path, self.headers, b"")
        self.send_response(200)
        self.send_header("Content-Length", str(len(lines)))
        self.end_headers()
        self.wfile.write(lines)

    def log_message(self, *_):
        """Says nothing."""


@contextmanager
def receiving():
    """Runs a receiver."""
    receiver = Receiver()
    handler = type("Bound", (Handler,), {"receiver": receiver})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
