"""Cameras that push, under `eyelid`: a connection starts their program, a signal changes them."""

import io
import json
import os
import signal
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError

import pytest
from PIL import Image

from harness.http import connect, free_port, get
from harness.processes import alive, children, command_line, program_named
from harness.programs import binary
from harness.waiting import wait_for


def picture(shade=128):
    """Gives a JPEG."""
    file = io.BytesIO()
    Image.new("L", (64, 48), shade).save(file, "JPEG")
    return file.getvalue()


def post(address, path):
    """Posts a picture; gives the status."""
    request = urllib.request.Request(f"{address}{path}", data=picture())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


class EndlessPost:
    """A camera that posts picture after picture in one request."""

    def __init__(self, address, path):
        self._socket = connect(address)
        self._socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n".encode()
        )

    def send(self, jpeg):
        """Sends one, and the boundary that ends it."""
        part = b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n--x\r\n"
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(part), part))

    def close(self):
        """Hangs up."""
        self._socket.close()


class Pushed:
    """An `eyelid` whose cameras push."""

    def __init__(self, start, directory):
        self._config = directory / "eyelid.toml"
        self.slots = directory / "slots"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.configure("door", "attic")
        listen = "--listen", "127.0.0.1:0", "--slots", self.slots
        # Without a terminal, as a service.
        self.program = start("eyelid", *listen, "--config", self._config, start_new_session=True)
        self.url = self.program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        self.program.wait_out("Ctrl-C")

    def configure(self, *cameras):
        """Writes the file."""
        own = f'[receive]\nlisten = ["127.0.0.1:{self.port}"]\nidle-exit = "1s"\n'
        tables = [f"[receive.cameras.{camera}]\n" for camera in cameras]
        self._config.write_text("".join([own, *tables]))

    def reread(self, *cameras, by):
        """Has the file read again, and waits for these programs."""
        self.configure(*cameras)
        said = len(self.program.log())
        os.kill(self.program.pid, signal.SIGHUP)
        expected = [f"{name}: info: configuration read again" for name in by]
        wait_for(
            lambda: all(line in self.program.log()[said:] for line in expected),
            self.program.log,
        )

    def receive(self):
        """Gives the pid of the program that cameras push to; None if there is none."""
        return program_named(self.program.pid, "eyelid-receive")

    def connected(self):
        """Says whether the server says that the first camera is connected."""
        cameras = json.loads(get(self.url, "/status").body)["cameras"]
        return cameras[0]["push"]["connected"]

    def health(self):
        """Asks `eyelid --healthcheck`; gives the exit status and what was said."""
        command = [binary("eyelid"), "--healthcheck", "--slots", str(self.slots)]
        asked = subprocess.run(command, capture_output=True, text=True)
        return asked.returncode, asked.stdout + asked.stderr


@pytest.fixture
def pushed(start, directory):
    """One with two cameras."""
    return Pushed(start, directory)


def test_the_first_camera_starts_the_program_and_the_last_one_ends_it(pushed):
    assert "push" in pushed.program.out()
    assert children(pushed.program.pid) == []
    for _ in range(2):
        assert post(pushed.address, "/door") == 200
        assert [command_line(pid)[0] for pid in children(pushed.program.pid)] == [
            binary("eyelid-receive")
        ]
        given = Path(f"/proc/{pushed.receive()}/environ").read_bytes().split(b"\0")
        assert b"LISTEN_FDNAMES=push:receive" in given
        wait_for(lambda: children(pushed.program.pid) == [], "rest")
    assert (pushed.slots / "door" / "current.jpg").exists()
    assert post(pushed.url, "/door/push") == 200
    assert pushed.receive() is not None
    assert pushed.program.stop() == 0
    assert not pushed.slots.exists()


def test_cameras_come_and_go_while_another_pushes(pushed):
    with closing(EndlessPost(pushed.address, "/door")) as camera:
        camera.send(picture())
        assert post(pushed.address, "/attic") == 200
        wait_for((pushed.slots / "attic" / "current.jpg").exists, "a frame")
        before = pushed.receive()
        pushed.reread("door", "bed", by=["eyelid", "eyelid-receive"])
        assert post(pushed.address, "/bed") == 200
        assert post(pushed.address, "/attic") == 404
        wait_for(lambda: not (pushed.slots / "attic").exists(), "the end of a slot")
        # It is not cut off: what it sends is read.
        for shade in range(0, 250, 10):
            camera.send(picture(shade))
        wait_for(pushed.connected, lambda: get(pushed.url, "/status").body)
        assert pushed.receive() == before
    wait_for(lambda: pushed.receive() is None, "rest")
    pushed.reread("door", by=["eyelid"])
    assert not (pushed.slots / "bed").exists()
    assert post(pushed.address, "/bed") == 404


def test_health_is_also_that_of_who_cameras_push_to(pushed):
    with closing(EndlessPost(pushed.address, "/door")) as camera:
        camera.send(picture())
        wait_for(pushed.receive, "the program")
        assert pushed.health() == (0, "healthy: eyelid-receive runs\n")
        receive = pushed.receive()
        os.kill(receive, signal.SIGSTOP)
        with closing(connect(pushed.address)):
            status, said = pushed.health()
        assert (status, "for 2 s nobody has taken" in said) == (1, True), said
        os.kill(receive, signal.SIGKILL)
        wait_for(lambda: not alive(receive), "its end")
    wait_for(lambda: pushed.health()[0] == 0, "health again")
