"""The least that a server can do.

It hands a client the newest frame as soon as the kernel has taken the last one.
"""

import socket
import threading
from contextlib import suppress

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: multipart/x-mixed-replace;boundary=boundarydonotcross\r\n\r\n"
    b"--boundarydonotcross\r\n"
)


class BareLoop:
    """Serves a camera to everybody who connects; socket options are the kernel's defaults."""

    def __init__(self, camera, address):
        self._camera = camera
        self._listener = socket.create_server((address, 0))
        self.url = f"http://{address}:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        # Clients are gone when this is left, so those that serve them end.
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client):
        captured = 0.0
        with client, suppress(OSError):
            client.recv(4096)
            client.sendall(HEAD)
            while True:
                captured = self._camera.newest(after=captured)
                header = (
                    f"Content-Type: image/jpeg\r\nContent-Length: {len(self._camera.jpeg)}\r\n"
                    f"X-Timestamp: {captured:.6f}\r\n\r\n"
                )
                end = b"\r\n--boundarydonotcross\r\n"
                client.sendall(header.encode() + self._camera.jpeg + end)
