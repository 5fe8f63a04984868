"""Many connections at once, none of which behaves."""

import resource
import select
import socket
from contextlib import suppress
from itertools import count

from harness.waiting import wait_for

ADDRESSES = 50  # how many addresses of loopback they come from
CONNECTIONS = 12_000  # that this process can have open


def allow_connections():
    """Lets this process open as many as a crowd may need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS, max(hard, CONNECTIONS)))


class Crowd:
    """Connections that are opened without waiting for each other, and say what they are told to."""

    def __init__(self, port, host="127.0.0.1", receive_buffer=None):
        self._server = (host, port)
        self._receive_buffer = receive_buffer
        self._number = count()
        self._poll = select.epoll()
        self._all = {}
        self.opened = 0
        self.answers = []  # how what was closed by the server had begun

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stranger in self._all.values():
            stranger.close()
        self._poll.close()

    def __len__(self):
        return len(self._all)

    def come(self, number, opening=b"", at_once=500):
        """So many more connect, each says `opening` and listens no more.

        Gives itself when all have tried.
        """
        for left in range(number, 0, -at_once):
            arrived = [self._connect(opening) for _ in range(min(left, at_once))]
            wait_for(
                lambda arrived=arrived: self._look() or all(s.said for s in arrived),
                "all have come",
            )
        return self

    def say(self, text):
        """All that are still connected say it."""
        for stranger in list(self._all.values()):
            with suppress(OSError):
                stranger.socket.send(text)
        self._look()

    def stay(self, number):
        """Waits until no more than so many are still connected."""
        wait_for(
            lambda: self._look() or len(self) <= number, lambda: f"{len(self)} of {number} left", 90
        )

    def _connect(self, opening):
        stranger = _Stranger(opening)
        if self._receive_buffer:
            stranger.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        if self._server[0].startswith("127."):
            stranger.socket.bind((f"127.0.0.{2 + next(self._number) % ADDRESSES}", 0))
        stranger.socket.connect_ex(self._server)
        self._all[stranger.socket.fileno()] = stranger
        self._poll.register(stranger.socket, select.EPOLLOUT | select.EPOLLRDHUP)
        self.opened += 1
        return stranger

    def _look(self):
        for number, event in self._poll.poll(0.02, 1000):
            stranger = self._all[number]
            if event & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                with suppress(OSError):
                    self.answers.append(stranger.socket.recv(64))
                self._poll.unregister(stranger.socket)
                stranger.close()
                del self._all[number]
            elif event & select.EPOLLOUT:
                with suppress(OSError):
                    stranger.socket.send(stranger.opening)
                stranger.said = True
                self._poll.modify(stranger.socket, select.EPOLLRDHUP)


class _Stranger:
    def __init__(self, opening):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.opening = opening
        self.said = False

    def close(self):
        self.socket.close()
        self.said = True
