"""`eyelid-video`, and who watches it by a WebSocket or by a tap."""

import json
import socket
import struct
import subprocess
import time
from contextlib import suppress

from websockets.sync.client import connect

from harness.http import get
from harness.waiting import DEADLINE

NTP_EPOCH_S = 2_208_988_800
TICKS = 90_000
HEADER = struct.Struct(">IIQQ")  # of a picture of the tap `timed`: bytes, flags, captured, number


class Video:
    """A running eyelid-video."""

    def __init__(self, start, directory, *arguments, listen="127.0.0.1:0", udp="0", **options):
        self.slots = directory / "slots"
        self.taps = directory / "taps"
        where = ["--slots", self.slots, "--taps", self.taps, "--listen", listen, "--udp", udp]
        self.program = start("eyelid-video", *where, *arguments, **options)
        self.pid = self.program.pid
        self.port = int(self.program.wait_log(r"listening on http://[^ ]*:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def tap(self, name="door"):
        """Gives a reader of a camera's tap."""
        return Tap(self.taps / f"{name}.h264")

    def timed(self, name="door"):
        """Gives a reader of the tap at which a camera is named."""
        tap = Tap(self.taps / "timed")
        tap.socket.sendall(f"{name}\n".encode())
        return tap

    def mse(self, name="door", host="127.0.0.1", **options):
        """Gives who watches a camera by a WebSocket."""
        return Mse(f"ws://{host}:{self.port}/{name}/mse", **options)

    def status(self):
        """Gives what it says of itself."""
        answer = get(self.url, "/status")
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def ask(self, path, method="POST", body=None, **headers):
        """Asks it something; gives the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return get(self.url, path, method, body, **named)


class Tap:
    """A reader of a tap."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, count):
        """Reads so many bytes."""
        read = bytearray()
        while len(read) < count:
            piece = self.socket.recv(count - len(read))
            assert piece, f"it ended after {len(read)} of {count} bytes"
            read += piece
        return bytes(read)

    def picture(self):
        """Reads a picture of `timed`: whether it is a keyframe, whether some are missing before it,
        when it was captured (ns), its number and its bytes.
        """
        length, flags, captured_ns, number = HEADER.unpack(self.read(HEADER.size))
        return bool(flags & 1), bool(flags & 2), captured_ns, number, self.read(length)

    def ask_key(self):
        """Asks for a keyframe."""
        self.socket.sendall(b"k")


def nal_types(annex_b):
    """Gives the types of the units of a picture."""
    units = annex_b.split(b"\0\0\1")[1:]
    return [unit[0] & 0x1F for unit in units]


class Mse:
    """Who watches by a WebSocket, as the page does."""

    def __init__(self, url, **options):
        usual = {"max_size": None, "compression": None, "ping_interval": None}
        options = {**usual, "open_timeout": DEADLINE, **options}
        self.socket = connect(url, **options).__enter__()
        self.inits = []
        self.obstacles = []
        self.fragments = []
        self.whole = bytearray()  # all segments: a file that can be played

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def fragment(self):
        """Waits for the next fragment."""
        while not (fragment := self._take(self.socket.recv(timeout=DEADLINE))):
            pass
        return fragment

    def read_some(self):
        """Reads what comes within a tenth of a second."""
        with suppress(TimeoutError):
            self._take(self.socket.recv(timeout=0.1))

    def _take(self, message):
        if isinstance(message, str):
            told = json.loads(message)
            kind = told.pop("type")
            (self.inits if kind == "init" else self.obstacles).append(told)
            return None
        self.whole += message
        if message[4:8] == b"ftyp":
            return None
        assert message[4:8] == b"prft", message[:16]
        self.fragments.append(Fragment(message))
        return self.fragments[-1]


class Fragment:
    """One picture: its times in seconds, and whether it is a keyframe."""

    def __init__(self, message):
        seconds, fraction, ticks = struct.unpack(">IIQ", message[16:32])
        self.captured_s = seconds - NTP_EPOCH_S + fraction / 2**32
        self.start_s = ticks / TICKS
        self.age_s = time.time() - self.captured_s
        trun = message.index(b"trun")
        # Version and flags, samples, offset; then the sample's flags, its duration and size.
        flags, duration, self.size = struct.unpack(">III", message[trun + 16 : trun + 28])
        self.duration_s = duration / TICKS
        self.is_key = not flags & 0x10000


def play(data, *options, form="mp4"):
    """Decodes H.264 with ffmpeg, which may find no fault in it; gives its pixels, grey, a frame
    each, and their size.
    """
    probe = ["-v", "error", "-f", form, "-show_entries", "stream=width,height", "-of", "csv=p=0"]
    said = subprocess.run(["ffprobe", *probe, "-"], input=data, capture_output=True, check=True)
    assert not said.stderr, said.stderr
    width, height = map(int, said.stdout.decode().strip().split(",")[:2])
    command = ["ffmpeg", "-v", "error", "-f", form, *options, "-i", "-", "-f", "rawvideo"]
    command += ["-fps_mode", "passthrough", "-pix_fmt", "gray", "-"]
    played = subprocess.run(command, input=data, capture_output=True, check=True)
    assert not played.stderr, played.stderr
    size = width * height
    frames = [played.stdout[at : at + size] for at in range(0, len(played.stdout), size)]
    return frames, (width, height)
