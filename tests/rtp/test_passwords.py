"""Passwords: by Digest and Basic, of real players, and when they change."""

import hashlib
import signal
import socket
import threading
import time
from contextlib import suppress

import players
import pytest
from rtsp import Client

SECRET = hashlib.md5(b"anna:Eyelid:secret").hexdigest()
BASIC = "Basic YW5uYTpzZWNyZXQ="
TIMEOUT = 1  # s: nonces are good for five times that


@pytest.fixture
def users(directory):
    """The file of passwords, in which anna is."""
    path = directory / "htdigest"
    path.write_text(f"anna:Eyelid:{SECRET}\n")
    return path


def digest(client, method, nonce):
    """What anna answers."""
    uri = client.url + "/"
    what = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
    response = hashlib.md5(f"{SECRET}:{nonce}:{what}".encode()).hexdigest()
    return (
        f'Digest username="anna", realm="Eyelid", nonce="{nonce}", uri="{uri}", '
        f'response="{response}"'
    )


def nonce_of(refused):
    """Gives the nonce of a response that asks for a password."""
    assert refused.status == 401
    return refused.headers["www-authenticate"].split('nonce="')[1].split('"')[0]


def test_passwords_by_digest_and_basic(rtp, slots, users):
    program = rtp(slots, "--auth-file", users)
    with Client(program.url) as client, Client(program.url) as other:
        assert client.ask("OPTIONS").status == 200
        refused = client.ask("DESCRIBE")
        challenges = [value for name, value in refused.all if name == "WWW-Authenticate"]
        assert challenges[1] == 'Basic realm="Eyelid"'
        right = digest(client, "DESCRIBE", nonce_of(refused))
        assert client.ask("DESCRIBE", Authorization=right).status == 200
        replayed = other.ask("DESCRIBE", Authorization=right)
        assert replayed.status == 401 and "stale=true" in replayed.headers["www-authenticate"]
        assert other.ask("DESCRIBE", Authorization=BASIC).status == 200
        asked = time.monotonic()
        assert other.ask("DESCRIBE", Authorization="Basic YTpi").status == 401
        assert time.monotonic() - asked >= 1, "guessing is fast"
        program.wait_log(r'is not served: a wrong user or password for "/" \(401\)')


def test_a_nonce_is_no_good_after_a_while(rtp, slots, users):
    options = ["--auth-file", users, "--session-timeout", f"{TIMEOUT}s"]
    with Client(rtp(slots, *options).url) as client:
        right = digest(client, "DESCRIBE", nonce_of(client.ask("DESCRIBE")))
        until = time.monotonic() + 5 * TIMEOUT
        while time.monotonic() < until:
            assert client.ask("OPTIONS").status == 200
            time.sleep(TIMEOUT / 2)
        stale = client.ask("DESCRIBE", Authorization=right)
        assert "stale=true" in stale.headers["www-authenticate"]
        anew = digest(client, "DESCRIBE", nonce_of(stale))
        assert client.ask("DESCRIBE", Authorization=anew).status == 200


class Detour(threading.Thread):
    """A way to the server on which SETUP takes so long that its nonce is no good any more."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.server = Client(url)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answered = []  # method, status and whether the nonce was stale
        self.start()

    def run(self):
        """Carries what one client says, and what it is answered, until it plays."""
        near, _ = self.listener.accept()
        with suppress(OSError), near, self.server, self.listener:
            said = b""
            while not self.answered or self.answered[-1][:2] != ("PLAY", 200):
                said += near.recv(65536)
                while b"\r\n\r\n" in said:
                    request, said = said.split(b"\r\n\r\n", 1)
                    near.sendall(self._carry(request + b"\r\n\r\n"))
            while data := self.server.socket.recv(65536):
                near.sendall(data)

    def _carry(self, request):
        method = request.split(b" ", 1)[0].decode()
        if method == "SETUP" and not any(said == method for said, *_ in self.answered):
            until = time.monotonic() + 5 * TIMEOUT
            while time.monotonic() < until:
                self.server.ask("OPTIONS", "*")
                time.sleep(TIMEOUT / 2)
        self.server.socket.sendall(request)
        answer = self.server.response()
        stale = "stale=true" in answer.headers.get("www-authenticate", "")
        self.answered.append((method, answer.status, stale))
        lines = [f"RTSP/1.0 {answer.status} -", *(": ".join(header) for header in answer.all)]
        rest, self.server.buffer = self.server.buffer, b""
        return "\r\n".join([*lines, "", answer.body]).encode() + rest


@pytest.mark.parametrize("player", ["ffmpeg", "gstreamer"])
def test_players_answer_anew_when_the_nonce_is_stale(rtp, slots, jpeg, users, directory, player):
    options = ["--auth-file", users, "--session-timeout", f"{TIMEOUT}s"]
    detour = Detour(rtp(slots, *options).url)
    url = f"rtsp://anna:secret@127.0.0.1:{detour.port}/"
    if player == "ffmpeg":
        shown = players.ffmpeg(url, "tcp")
    else:
        shown = players.gstreamer(url, directory, "tcp")
    assert set(shown) == {players.pixels(jpeg)}
    assert ("SETUP", 401, True) in detour.answered, detour.answered
    assert ("SETUP", 200, False) in detour.answered


def test_what_plays_goes_on_when_its_user_is_removed(rtp, slots, users):
    program = rtp(slots, "--auth-file", users)
    with Client(program.url) as client, Client(program.url) as late:
        described = client.ask("DESCRIBE", Authorization=BASIC)
        track = described.headers["content-base"] + "track=0"
        for method, path, more in [
            ("SETUP", track, {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}),
            ("PLAY", "/", {}),
        ]:
            assert client.ask(method, path, Authorization=BASIC, **more).status == 200
        users.write_text(f"ben:Eyelid:{SECRET}\n")
        program.process.send_signal(signal.SIGHUP)
        program.wait_log("configuration read again")
        client.rtp_packets(200)
        assert client.ask("GET_PARAMETER", Authorization=BASIC).status == 401
        client.rtp_packets(200)
        assert late.ask("DESCRIBE", Authorization=BASIC).status == 401
