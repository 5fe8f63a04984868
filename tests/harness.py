"""What the suites share: starting the programs, waiting for conditions, reading HTTP and slots.

Nothing here sleeps for luck: every wait is for a condition, with a deadline that only a hang can reach.
"""

import hashlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

DEADLINE = (
    40.0  # seconds until a wait is given up: only a hang takes this long, however busy the machine
)
BOUNDARY = b"--boundarydonotcross"


def wait_for(condition, what, deadline=DEADLINE):
    """Polls until `condition()` is true, returns its value, and fails with `what` after the deadline."""
    end = time.monotonic() + deadline
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise AssertionError(
                f"not within {deadline:.0f} s: {what() if callable(what) else what}"
            )
        time.sleep(0.02)


def binary(name):
    """Gives the path of one of Eyelid's programs."""
    return str(Path(os.environ["EYELID_BIN"]) / name)


def free_port(host="127.0.0.1"):
    """Gives a TCP port that nobody listens on right now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


# Processes


def children(pid):
    """Gives the pids of a process's children."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid):
    """Gives the pids of a process's children, their children, and so on."""
    return [found for child in children(pid) for found in (child, *descendants(child))]


def alive(pid):
    """Says whether a process runs: zombies do not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid):
    """Gives a process's arguments; none if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    return []


class Program:
    """A running program, its output in two files."""

    def __init__(self, directory, *argv, **options):
        argv = [str(arg) for arg in argv]
        self.name = Path(argv[0]).name
        number = len(list(directory.glob("*.log")))
        self._log = directory / f"{number}-{self.name}.log"
        self._out = self._log.with_suffix(".out")
        with open(self._log, "wb") as log, open(self._out, "wb") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log, **options
            )
        self.pid = self.process.pid

    def log(self):
        """Gives what was written to stderr so far."""
        return self._log.read_text(errors="replace")

    def out(self):
        """Gives what was written to stdout so far."""
        return self._out.read_text(errors="replace")

    def running(self):
        """Says whether it still runs."""
        return self.process.poll() is None

    def wait_log(self, pattern):
        """Waits until stderr matches a regular expression."""
        return self._wait_text(self.log, pattern)

    def wait_out(self, pattern):
        """Waits until stdout matches a regular expression."""
        return self._wait_text(self.out, pattern)

    def _wait_text(self, text, pattern):
        def found():
            ended = not self.running()
            match = re.search(pattern, text())
            assert match or not ended, (
                f"{self.name} ended without {pattern!r}:\n{self.out()}{self.log()}"
            )
            return match

        return wait_for(found, lambda: f"{pattern!r} from {self.name}:\n{self.out()}{self.log()}")

    def wait(self, deadline=DEADLINE):
        """Waits for its end and gives its exit code."""
        wait_for(
            lambda: not self.running(),
            lambda: f"the end of {self.name}; its log:\n{self.log()}",
            deadline,
        )
        return self.process.returncode

    def stop(self, how=signal.SIGTERM, deadline=DEADLINE):
        """Sends a signal, waits for the end and gives the exit code."""
        if self.running():
            self.process.send_signal(how)
        return self.wait(deadline)

    def end(self, deadline=DEADLINE):
        """Ends it and all that it started, whatever it takes; tests that care for how use `stop`."""
        family = [self.pid, *descendants(self.pid)]
        try:
            self.stop(deadline=deadline)
        except AssertionError:
            self.process.kill()
            self.process.wait()
        for pid in family[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(map(alive, family)), f"the end of all that {self.name} started")


@contextmanager
def private_directory():
    """Gives a private directory on tmpfs for slots and all else, and removes it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="eyelid-test-", dir="/dev/shm"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def programs(directory):
    """Gives a function that starts programs; ends them afterwards and shows their logs."""
    logs = directory / "logs"
    logs.mkdir()
    started = []

    def start(name, *arguments, **options):
        path = binary(name) if str(name).startswith("eyelid") else name
        started.append(Program(logs, path, *arguments, **options))
        return started[-1]

    try:
        yield start
    finally:
        for program in reversed(started):
            program.end()
        for program in started:
            print(f"--- log of {program.name}:\n{program.log()}")


# HTTP


def connect(address, receive_buffer_bytes=None):
    """Connects to `http://host:port` or `unix:/path`; over TCP with a receive buffer of a size, if one is given."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(address.removeprefix("unix:"))
        return connection
    url = urlsplit(address)
    if receive_buffer_bytes is None:
        return socket.create_connection((url.hostname, url.port), timeout=DEADLINE)
    connection = socket.socket(socket.AF_INET6 if ":" in url.hostname else socket.AF_INET)
    connection.settimeout(DEADLINE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    connection.connect((url.hostname, url.port))
    return connection


def wait_listening(address):
    """Waits until somebody listens at an address. It connects, so it is no test of a socket nobody has used."""

    def listening():
        try:
            connect(address).close()
            return True
        except OSError:
            return False

    wait_for(listening, f"somebody listening at {address}")


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: dict
    body: bytes


def get(address, path, method="GET", **headers):
    """Sends one request and gives the answer."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connect(address)
    with closing(connection):
        connection.request(method, path, headers={"Connection": "close", **headers})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())


@dataclass
class Part:
    """One part of a stream."""

    headers: dict
    jpeg: bytes

    def live(self):
        """Says whether it shows the camera, not the "no signal" picture."""
        return "x-eyelid-signal" not in self.headers


class BrokeOff(AssertionError):
    """A stream ended: it does so with its server only."""


class Stream:
    """A stream, read the way strict clients do; as HTTP 1.0, if what passes it on would cut it into chunks."""

    def __init__(self, address, path="/stream", receive_buffer_bytes=None, version="1.1"):
        self._socket = connect(address, receive_buffer_bytes)
        self._socket.sendall(f"GET {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._line().split()[1])
        self.headers = self._headers()
        if self.status == 200:
            assert self._line() == BOUNDARY, "the body must start with the boundary"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def port(self):
        """Gives the client's port, by which the other side tells it from others."""
        return self._socket.getsockname()[1]

    def close(self):
        """Hangs up."""
        self._file.close()
        self._socket.close()

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise BrokeOff(f"the stream broke off at {line!r}")
        return line[:-2]

    def _headers(self):
        headers = {}
        while line := self._line():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        return headers

    def part(self):
        """Gives the next part, together with the boundary that ends it."""
        headers = self._headers()
        assert headers["content-type"] == "image/jpeg"
        jpeg = self._file.read(int(headers["content-length"]))
        assert (self._line(), self._line()) == (b"", BOUNDARY), "a boundary must end the part"
        return Part(headers, jpeg)

    def part_where(self, wanted, what):
        """Gives the next part that is as `wanted`."""
        found = []

        def search():
            part = self.part()
            if wanted(part):
                found.append(part)
            return found

        return wait_for(search, what)[0]


# Pictures and slots


def check_frame(jpeg):
    """Decodes a frame to its end, checks what clients demand of its bytes, and gives the picture."""
    assert jpeg[:4] == b"\xff\xd8\xff\xe0" and jpeg[6:11] == b"JFIF\0", (
        f"no JFIF segment first: {jpeg[:12]!r}"
    )
    assert jpeg[-2:] == b"\xff\xd9", "no EOI at the end"
    assert jpeg.count(b"\xff\xd8") == 1, "a second FF D8 (a thumbnail?)"
    assert jpeg.count(b"\xff\xd9") == 1, "a second FF D9 (a thumbnail?)"
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    picture.load()
    return picture


class Pictures:
    """Checks frames to their last byte, for many clients at once: a frame that several got is decoded once."""

    def __init__(self):
        self._lock = threading.Lock()
        self._known = {}

    def check(self, jpeg):
        """Fails if a frame is not whole."""
        digest = hashlib.blake2b(jpeg, digest_size=16).digest()
        with self._lock:
            if digest in self._known:
                return
        check_frame(jpeg)
        with self._lock:
            self._known[digest] = None
            if len(self._known) > 1000:
                del self._known[next(iter(self._known))]


def difference(one, other):
    """Tells how different two pictures look: 0 the same, below 12 the same but for coding, above 25 another."""
    small = [
        picture.convert("RGB").resize((16, 16), Image.Resampling.BOX).tobytes()
        for picture in (one, other)
    ]
    return sum(abs(a - b) for a, b in zip(*small, strict=True)) / len(small[0])


class Slot:
    """A slot, seen with a reader's eyes."""

    def __init__(self, path, producer=None):
        self.path = Path(path)
        self.file = self.path / "current.jpg"
        self._producer = producer

    def _wait(self, condition, what):
        def still():
            ended = self._producer and not self._producer.running()
            value = condition()
            assert value or not ended, f"{self._producer.name} ended:\n{self._producer.log()}"
            return value

        return wait_for(still, lambda: f"{what}; state: {self.state()}")

    def look(self):
        """Reads the frame, which asks for the next one; gives (mtime in ns, bytes), or None if there is none."""
        try:
            with open(self.file, "rb") as file:
                return os.fstat(file.fileno()).st_mtime_ns, file.read()
        except FileNotFoundError:
            return None

    def mtime(self):
        """Gives the frame's mtime without asking for another frame; None if there is none."""
        try:
            return self.file.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def frame(self, after=0):
        """Looks until a frame captured after a time (ns) is there; gives the picture, checked."""
        _, jpeg = self._wait(
            lambda: (seen := self.look()) and seen[0] > after and seen,
            f"a frame in {self.path} newer than {after}",
        )
        return check_frame(jpeg)

    def frame_where(self, wanted, what):
        """Looks until the frame is as `wanted`; gives the picture. Every frame on the way is checked."""
        seen = []

        def search():
            if look := self.look():
                seen[:] = [check_frame(look[1])]
                return wanted(seen[0])
            return False

        self._wait(search, what)
        return seen[0]

    def frame_like(self, picture):
        """Looks until the frame shows a certain picture; gives the frame."""
        return self.frame_where(
            lambda seen: seen.size == picture.size and difference(seen, picture) < 12,
            f"a picture of {picture.size}",
        )

    def state(self):
        """Gives the parsed state.json; None if there is none."""
        try:
            return json.loads((self.path / "state.json").read_text())
        except FileNotFoundError:
            return None

    def wait_state(self, *names, **fields):
        """Waits until the camera is in one of these states and its fields are so, without looking at its frame.

        What a frame has changed of the state is told after the frame.
        """
        return self._wait(
            lambda: (
                (state := self.state())
                and state["state"] in names
                and fields.items() <= state.items()
                and state
            ),
            f"state {' or '.join(names)} {fields or ''}",
        )
