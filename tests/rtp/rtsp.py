"""A client of RTSP that says what a test wants it to."""

import re
import select
import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import packets

from harness.http import connect
from harness.waiting import DEADLINE

INTERLEAVED = "RTP/AVP/TCP;unicast;interleaved=0-1"


class Response:
    """A response, its headers by their names in small letters."""

    def __init__(self, head, body):
        line, *headers = head.split("\r\n")
        self.status = int(line.split(" ")[1])
        self.all = [tuple(header.split(": ", 1)) for header in headers]
        self.headers = {name.lower(): value for name, value in reversed(self.all)}
        self.body = body


class Ports:
    """Two ports of UDP of a client, of RTP and of RTCP, and the server's."""

    def __init__(self, host="127.0.0.1"):
        while True:
            self.rtp = self._bound(host, 0)
            self.port = self.rtp.getsockname()[1]
            try:
                self.rtcp = self._bound(host, self.port + 1)
            except OSError:
                self.port = 1
            if self.port % 2 == 0:
                break
            self.rtp.close()
        self.transport = f"RTP/AVP;unicast;client_port={self.port}-{self.port + 1}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rtp.close()
        self.rtcp.close()

    def play(self, client, path="/", **headers):
        """Has a client play what it is connected to."""
        transport = client.set_up(self.transport, path, **headers).headers["transport"]
        self.ssrc = int(transport.rsplit("ssrc=", 1)[1], 16)
        ports = re.search(r"server_port=\d+-(\d+)", transport)
        self.server = (urlsplit(client.url).hostname, int(ports[1]))
        assert client.ask("PLAY", path, **headers).status == 200

    def report(self):
        """Says that the client is there."""
        self.rtcp.sendto(packets.receiver_report(self.ssrc), self.server)

    def packets(self, count):
        """Reads so many packets of RTP."""
        return [packets.packet(self.rtp.recv(2000)) for _ in range(count)]

    @staticmethod
    def _bound(host, port):
        with ExitStack() as stack:
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind((host, port))
            one.settimeout(DEADLINE)
            stack.pop_all()
            return one


class Client:
    """One connection, from this address if not from any."""

    def __init__(self, address, source=None):
        self.url = address
        if source is None:
            self.socket = connect(address)
        else:
            url = urlsplit(address)
            self.socket = socket.create_connection(
                (url.hostname, url.port), source_address=(source, 0)
            )
        self.socket.settimeout(DEADLINE)
        self.buffer = b""
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, method, path="/", body="", **headers):
        """Sends a request, and gives its response; packets before it are dropped."""
        self.number += 1
        url = path if "://" in path or path == "*" else self.url + path
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.number}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        response = self.response()
        assert response.headers["cseq"] == str(self.number)
        return response

    def response(self):
        """Reads up to the next response."""
        while True:
            if self.buffer.startswith(b"$"):
                self.packet()
                continue
            if b"\r\n\r\n" in self.buffer:
                break
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        length = int(length[1]) if length else 0
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Response(head.decode(), body.decode())

    def packet(self):
        """Reads a packet between the messages; gives its channel and what it holds."""
        while len(self.buffer) < 4 or len(self.buffer) < 4 + self._length():
            self._more()
        assert self.buffer[0] == ord("$"), self.buffer[:100]
        length, channel = self._length(), self.buffer[1]
        packet, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
        return channel, packet

    def rtp_packets(self, count):
        """Reads so many packets of RTP; those of RTCP between them are dropped."""
        found = []
        while len(found) < count:
            channel, data = self.packet()
            if channel == 0:
                found.append(packets.packet(data))
        return found

    def play(self, path="/", **headers):
        """Sets a camera up and plays it, interleaved."""
        assert self.set_up(INTERLEAVED, path, **headers).status == 200
        assert self.ask("PLAY", path, **headers).status == 200

    def set_up(self, transport, path="/", **headers):
        """Describes and sets up a camera; gives the response to SETUP."""
        described = self.ask("DESCRIBE", path, **headers)
        assert described.status == 200
        control = re.findall(r"a=control:(\S+)", described.body)[-1]
        track = described.headers["content-base"] + control
        return self.ask("SETUP", track, Transport=transport, **headers)

    def is_closed(self):
        """Says whether the server has closed the connection; what has come is dropped."""
        while select.select([self.socket], [], [], 0)[0]:
            if not self.socket.recv(65536):
                return True
        return False

    def closed(self):
        """Waits until the server has closed the connection."""
        try:
            while self.socket.recv(65536):
                pass
        except (TimeoutError, ConnectionResetError) as error:
            assert not isinstance(error, socket.timeout), "it is still open"

    def ended_with_bye(self):
        """Waits until the server closes the connection; fails where it says no farewell before."""
        rest, until = self.buffer, time.monotonic() + DEADLINE
        while more := self.socket.recv(65536):
            rest = (rest + more)[-16:]
            assert time.monotonic() < until, "it plays on"
        assert packets.GOODBYE in rest[-16:], "no BYE"

    def _length(self):
        return int.from_bytes(self.buffer[2:4])

    def _more(self):
        more = self.socket.recv(65536)
        assert more, f"the server closed after {self.buffer[:200]}"
        self.buffer += more
