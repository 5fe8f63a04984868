"""Passwords: by Digest and Basic, of real players, and when they change."""

import hashlib
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress

import packets
import players
import pytest
from rtsp import Client, Ports

from harness.waiting import wait_for

SECRET = hashlib.md5(b"anna:Eyelid:secret").hexdigest()
BASIC = "Basic YW5uYTpzZWNyZXQ="
BENS_SECRET = hashlib.md5(b"ben:Eyelid:secret").hexdigest()
BENS = "Basic YmVuOnNlY3JldA=="
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


@pytest.mark.parametrize("change", ["removed", "another password"])
def test_sessions_of_a_user_end_with_the_right_to_look(rtp, slots, users, change):
    of_ben = f"ben:Eyelid:{BENS_SECRET}\n"
    users.write_text(f"anna:Eyelid:{SECRET}\n{of_ben}")
    program = rtp(slots, "--auth-file", users)
    with ExitStack() as stack:
        one, idle, by_udp, ben, late = (stack.enter_context(Client(program.url)) for _ in range(5))
        ports = stack.enter_context(Ports())
        one.play(Authorization=BASIC)
        right = digest(idle, "DESCRIBE", nonce_of(idle.ask("DESCRIBE")))
        assert idle.ask("DESCRIBE", Authorization=right).status == 200
        ports.play(by_udp, Authorization=BASIC)
        ben.play(Authorization=BENS)
        ports.packets(1)
        users.write_text(of_ben)
        if change != "removed":
            users.write_text(f"anna:Eyelid:{'0' * 32}\n{of_ben}")
        program.process.send_signal(signal.SIGHUP)
        one.ended_with_bye()
        by_udp.closed()
        program.wait_log(r"client 127\.0\.0\.1:\d+ left: its user is in the password file no more")
        ports.rtcp.settimeout(5)
        wait_for(lambda: packets.is_goodbye(ports.rtcp.recv(2000), ports.ssrc), "a farewell by UDP")
        assert late.ask("DESCRIBE", Authorization=BASIC).status == 401
        # Who has nothing set up is asked again, and others do not notice.
        assert idle.ask("DESCRIBE", Authorization=right).status == 401
        packets.check_frames(ben.rtp_packets(200))
        # Nor does anybody when it is read again and says the same.
        program.process.send_signal(signal.SIGHUP)
        wait_for(lambda: program.log().count("configuration read again") == 2, "a reload")
        packets.check_frames(ben.rtp_packets(200))


def test_a_first_password_ends_what_began_without(rtp, slots, users, directory):
    config = directory / "eyelid.toml"
    program = rtp(slots, config="[rtp]\n")
    with Client(program.url) as client:
        client.play()
        client.rtp_packets(10)
        config.write_text(f'[rtp]\nauth-file = "{users}"\n')
        program.process.send_signal(signal.SIGHUP)
        client.ended_with_bye()
    with Client(program.url) as client:
        client.play(Authorization=BASIC)
        # And without one everybody may look.
        config.write_text("[rtp]\n")
        program.process.send_signal(signal.SIGHUP)
        wait_for(lambda: program.log().count("configuration read again") == 2, "a reload")
        packets.check_frames(client.rtp_packets(200))
