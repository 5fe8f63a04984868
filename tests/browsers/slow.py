"""A link that is slow for one thing."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

from harness.http import connect

PIECES = 10
PAUSE = 2.0  # seconds between two pieces: in all more than the page waits without a byte


@contextmanager
def slow_link(address, path):
    """Passes everything on to a server; gives the address.

    The answer to one path comes in pieces, over some seconds.
    """

    class Link(BaseRequestHandler):
        def handle(self):
            self.slow = False
            with suppress(OSError), connect(address) as server:
                threading.Thread(target=self.answers, args=[server], daemon=True).start()
                while request := self.request.recv(1 << 16):  # whole ones: a browser's are short
                    self.slow = request.startswith(
                        (f"GET {path} ".encode(), f"GET {path}?".encode())
                    )
                    server.sendall(request)
                server.shutdown(socket.SHUT_RDWR)

        def answers(self, server):
            with suppress(OSError):
                while answer := server.recv(1 << 16):
                    if not self.slow:
                        self.request.sendall(answer)
                        continue
                    size = len(answer) // PIECES + 1
                    for start in range(0, len(answer), size):
                        self.request.sendall(answer[start : start + size])
                        time.sleep(PAUSE)
                self.request.shutdown(socket.SHUT_RDWR)

    class Links(ThreadingTCPServer):
        daemon_threads = True

    with Links(("127.0.0.1", 0), Link) as links:
        threading.Thread(target=links.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{links.server_address[1]}"
        links.shutdown()
