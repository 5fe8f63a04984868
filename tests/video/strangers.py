"""What strangers do by UDP: handshakes that they begin and leave, packets of others."""

import http.client
import re
import select
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

from aioice import stun
from OpenSSL import SSL

from harness import whep
from harness.http import connect, get
from harness.waiting import DEADLINE

HANDSHAKE = 22  # how a record of DTLS begins that belongs to one (RFC 6347, section 4.1)
MOST = 60  # sessions that one begins: others find theirs among those that there may be
OVER_S = 16  # a session that does not connect has ended by then


def client_hello():
    """Gives what a client of DTLS says first."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    connection = SSL.Connection(context)
    connection.set_connect_state()
    with suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(2000)


def posts(url, path, sdp, count):
    """Posts so many times at once, each by a connection; gives status, headers and body of each."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
    request = f"{head}Content-Length: {len(sdp)}\r\n\r\n".encode() + sdp
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(url)) for _ in range(count)]
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            yield answer.status, answer.headers, answer.read()


def udp(host):
    """Gives a socket of UDP of this address."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    return opened


class Meanwhile(threading.Thread):
    """What somebody does all the while that a block lasts, and with which sockets."""

    def __init__(self):
        super().__init__(daemon=True)
        self._ending = threading.Event()
        self._sockets = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self.join(DEADLINE)
        for each in self._sockets:
            each.close()

    def _udp(self, host):
        self._sockets.append(udp(host))
        return self._sockets[-1]


class Watching(Meanwhile):
    """Who watches by a tap all the while: the longest pause between two pictures, in seconds."""

    def __init__(self, tap):
        super().__init__()
        self._tap = tap
        self.pictures, self.pause_s = 0, 0.0

    def run(self):
        """Watches."""
        last = time.monotonic()
        while not self._ending.is_set():
            self._tap.picture()
            self.pictures += 1
            self.pause_s = max(self.pause_s, time.monotonic() - last)
            last = time.monotonic()


class Described:
    """What an answer says of where a session is to be found, and of how to ask there."""

    def __init__(self, sdp):
        text = sdp.decode()
        self.ufrag = re.search(r"a=ice-ufrag:(\S+)", text)[1]
        self.password = re.search(r"a=ice-pwd:(\S+)", text)[1]
        self.port = int(re.search(r"a=candidate:\S+ \d+ udp \d+ \S+ (\d+)", text, re.I)[1])

    def check(self):
        """Gives a check of ICE that is right."""
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{self.ufrag}:abcd"
        message.attributes["PRIORITY"] = 1
        message.attributes["ICE-CONTROLLING"] = 1
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(self.password.encode())
        return bytes(message)


class Handshakes(Meanwhile):
    """Opens sessions, each with a check of its own and a handshake that it does not go on with, as
    fast as it may, and says again and again that it wants to begin.
    """

    def __init__(self, shown, addresses):
        super().__init__()
        # By way of a proxy, as it were: only where packets come from tells them apart then.
        self._url = f"http://127.0.0.1:{shown.port}"
        self._addresses = addresses
        self._hello = client_hello()
        self._opened = []
        self.begun = set()  # sessions whose handshake was answered: there was room

    def run(self):
        """Floods."""
        while not self._ending.wait(0.1):
            for address in self._addresses:
                if sum(moment > time.monotonic() - OVER_S for moment in self._opened) < MOST:
                    self._open(address)
            for each in self._sockets[-MOST:]:
                each.send(self._hello)
                while select.select([each], [], [], 0)[0]:
                    if each.recv(2000)[0] == HANDSHAKE:
                        self.begun.add(each)

    def _open(self, address):
        headers = {"Content-Type": "application/sdp"}
        answer = get(self._url, "/door/whep", "POST", whep.offer(), **headers)
        if answer.status != 201:
            return
        described = Described(answer.body)
        found = self._udp(address)
        found.connect(("127.0.0.1", described.port))
        found.send(described.check())
        self._opened.append(time.monotonic())


class Relay(Meanwhile):
    """Passes on what goes between a client and the server by UDP; keeps what the client sent."""

    def __init__(self, host, server):
        super().__init__()
        self._near = self._udp(host)
        self._host, self._server = host, server
        self._clients = {}  # the socket by which each goes on
        self.port = self._near.getsockname()[1]
        self.heard = []

    def run(self):
        """Passes on."""
        while not self._ending.is_set():
            for each in select.select(self._sockets, [], [], 0.1)[0]:
                packet, client = each.recvfrom(2000)
                if each is self._near:
                    self.heard.append(packet)
                    self._far(client).sendto(packet, self._server)
                else:
                    owner = next(who for who, by in self._clients.items() if by is each)
                    self._near.sendto(packet, owner)

    def again(self, packets):
        """Sends packets once more, from where they came."""
        for each in list(self._clients.values()):
            for packet in packets:
                each.sendto(packet, self._server)

    def _far(self, client):
        if client not in self._clients:
            self._clients[client] = self._udp(self._host)
        return self._clients[client]


class RelayedViewer(whep.Viewer):
    """Watches by a relay, which it takes for the server."""

    def __init__(self, url, relay_port):
        self._relay_port = relay_port
        super().__init__(url)

    async def _post(self, kind, body, status):
        answer = await super()._post(kind, body, status)
        candidate = rb"(?mi)^(a=candidate:\S+ \d+ udp \d+ \S+) \d+"
        body, count = re.subn(candidate, rb"\1 %d" % self._relay_port, answer.body)
        assert count, answer.body
        return type(answer)(answer.status, answer.headers, body)


@contextmanager
def many(host, count):
    """Gives sockets of so many ports of UDP."""
    with ExitStack() as stack:
        yield [stack.enter_context(udp(host)) for _ in range(count)]
