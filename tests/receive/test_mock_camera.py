"""examples/mock-camera: its pictures are right, and its firmwares write what libraries write."""

import base64
import hashlib
import importlib.util
import io
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from harness.frames import check_frame

SCRIPT = Path(__file__).parents[2] / "examples" / "mock-camera" / "mock_camera.py"
FIRMWARES = ("links2004", "gilmaimon", "esp-idf")


@pytest.fixture(scope="module")
def mock():
    """Gives the program as a module."""
    spec = importlib.util.spec_from_file_location("mock_camera", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mock_camera"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (163, 121), (1600, 1200), (16, 16)])
@pytest.mark.parametrize("quality", [10, 80, 95])
def test_each_picture_is_the_gradient_to_its_last_block(mock, size, quality):
    painter = mock.Painter(*size, quality)
    for elapsed_s in (0, 1.2345, 77.7, 3600):
        picture = check_frame(painter.draw(elapsed_s, "FRAME 000123  30.0 FPS  00:12.3"))
        assert picture.size == size
        # One bit that is wrong shifts all that comes behind it, so the last pixels tell.
        wide, high = size
        blue = picture.convert("YCbCr").getpixel((wide - 1, high - 1))[1] - 128
        step = int(elapsed_s * 30) + mock.SLOPE * (high - 1) / 8 + (wide - 1) / 4
        assert abs(blue - mock.colour(step)[1]) < (20 if quality == 10 else 8)


def test_frames_are_as_large_as_a_cameras_and_each_is_another(mock):
    painter = mock.Painter(640, 480, 80)
    frames = [painter.draw(number / 30, f"FRAME {number:06}") for number in range(30)]
    assert len(set(frames)) == 30
    assert 15_000 < sum(map(len, frames)) / 30 < 40_000, "RECEIVE: VGA is 15 to 40 KB"


def test_its_text_can_be_read(mock):
    """Each letter is looked for in the brightness, by the font."""
    text = "FRAME 0123456789 :. PS"
    jpeg = mock.Painter(640, 480, 90).draw(0, text)
    grey = Image.open(io.BytesIO(jpeg)).convert("L")
    for place, letter in enumerate(text):
        rows = bytes.fromhex(mock.FONT[letter])
        for y, row in enumerate(rows):
            for x in range(5):
                value = grey.getpixel((place * 16 + 2 * x + 2, 2 * y + 2))
                assert (value > 110) == bool(row & 0x10 >> x), (letter, x, y, value)


def test_it_writes_one_picture(tmp_path):
    path = tmp_path / "picture.jpg"
    subprocess.run(
        [sys.executable, SCRIPT, "--picture", path, "--padding", "3"], check=True, timeout=60
    )
    assert path.read_bytes().endswith(b"\xff\xd9\0\0\0")


@pytest.fixture
def server():
    """A listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener


class Client:
    """The server's side of a connection."""

    def __init__(self, listener):
        self._socket, _ = listener.accept()
        self._socket.settimeout(30)
        self._data = b""
        self.request = self._until(b"\r\n\r\n").decode()

    def answer(self, protocol=None):
        """Accepts the WebSocket."""
        key = re.search("Sec-WebSocket-Key: (.*)\r\n", self.request)[1]
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
            *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def text(self, text):
        """Sends a text."""
        self._socket.sendall(bytes([0x81, len(text)]) + text.encode())

    def frame(self):
        """Gives first byte, length's form, key and payload of a WebSocket frame."""
        first, second = self._take(2)
        assert second & 0x80, "a client's frame has to be masked"
        form = second & 0x7F
        length = form
        if form >= 126:
            length = int.from_bytes(self._take(2 if form == 126 else 8), "big")
        key, payload = self._take(4), self._take(length)
        mask = (key * (length // 4 + 1))[:length]
        return first, form, key, bytes(a ^ b for a, b in zip(payload, mask, strict=True))

    def wait_s(self, seconds):
        """Says how long to wait for what comes."""
        self._socket.settimeout(seconds)

    def close(self):
        """Ends the connection."""
        self._socket.close()

    def _take(self, length):
        while len(self._data) < length:
            got = self._socket.recv(65536)
            assert got, "it has closed"
            self._data += got
        taken, self._data = self._data[:length], self._data[length:]
        return taken

    def _until(self, end):
        while end not in self._data:
            self._data += self._socket.recv(65536)
        head, _, self._data = self._data.partition(end)
        return head + end


@pytest.fixture
def camera(start, server):
    """Starts the mock camera; gives it and a function that accepts its next connection."""

    def camera(*arguments):
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/door"
        program = start(sys.executable, SCRIPT, url, *arguments)
        return program, lambda: Client(server)

    return camera


def test_links2004_says_hello_and_sends_frames_without_a_mask(camera):
    _, accept = camera("--firmware", "links2004", "--plain", "--token", "secret")
    client = accept()
    lines = client.request.split("\r\n")
    assert lines[0] == "GET /door HTTP/1.1"
    assert [line.partition(":")[0] for line in lines[1:-2]] == [
        "Host",
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Origin",
        "User-Agent",
        "Authorization",
    ]
    for line in (
        "Sec-WebSocket-Protocol: arduino",
        "Origin: file://",
        "Authorization: Bearer secret",
    ):
        assert line in lines
    client.answer()
    first, form, key, payload = client.frame()
    assert (first, form, key) == (0x82, 126, bytes(4))
    check_frame(payload)


def test_gilmaimon_says_hello_and_never_comes_again(camera):
    program, accept = camera("--firmware", "gilmaimon")
    client = accept()
    assert "Origin: https://github.com/gilmaimon/TinyWebsockets\r\n" in client.request
    client.answer()
    first, form, key, payload = client.frame()
    assert (first, form, key) == (0x82, 126, bytes(4))
    check_frame(payload)
    client.close()
    assert program.wait() == 1


def test_esp_idf_sends_fragments_with_masks(camera):
    _, accept = camera("--firmware", "esp-idf", "--clock", "--plain")
    client = accept()
    assert "Sec-WebSocket-Protocol" not in client.request
    assert "User-Agent: ESP32 Websocket Client\r\n" in client.request
    client.answer()
    first, _, _, payload = client.frame()
    assert first == 0x81 and re.fullmatch(rb'\{"t": \d+\}', payload)
    frames = [client.frame()]
    while not frames[-1][0] & 0x80:
        frames.append(client.frame())
    assert frames[0][0] == 0x02 and {frame[0] for frame in frames[1:-1]} == {0x00}
    assert frames[-1][0] == 0x80
    assert {len(frame[3]) for frame in frames[:-1]} == {1024}
    assert len({frame[2] for frame in frames}) == len(frames), "a mask of its own for each"
    check_frame(b"".join(frame[3] for frame in frames))


def test_65535_bytes_have_a_long_length_with_links2004_only(mock):
    def written(kind, length):
        link = kind.__new__(kind)
        link._socket = SimpleNamespace()
        data = []
        link.write = lambda part, pause_s=0: data.append(part)
        link.send_frame(bytes(length), 0)
        return data

    for length, head in (
        (65534, struct.pack(">BBH", 0x82, 0xFE, 65534)),
        (65535, struct.pack(">BBQ", 0x82, 0xFF, 65535)),
    ):
        assert written(mock.Links2004, length) == [head + bytes(4), bytes(length)], "two writes"
    [data] = written(mock.Gilmaimon, 65535)
    assert data == struct.pack(">BBH", 0x82, 0xFE, 65535) + bytes(4) + bytes(65535)


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_it_sleeps_until_it_is_woken(camera, firmware):
    program, accept = camera("--firmware", firmware, "--stamp")
    client = accept()
    assert "Sec-WebSocket-Protocol: eyelid.v1\r\n" in client.request
    client.answer("eyelid.v1")
    client.wait_s(0.3)
    with pytest.raises(TimeoutError):  # it has not been told yet
        client.frame()
    client.wait_s(30)
    client.text('{"eyelid":"sleep"}')
    program.wait_log("asleep")
    client.text('{"eyelid":"wake"}')
    first, _, _, payload = client.frame()
    assert first & 0x0F == 0x02 and b"frame=1 taken_ns=" in payload


def test_every_other_frame_is_cut_and_all_are_padded(camera):
    arguments = ("--half-frames", "2", "--padding", "7", "--plain", "--frames", "4")
    program, accept = camera("--firmware", "links2004", *arguments)
    client = accept()
    client.answer()
    frames = [client.frame()[3] for _ in range(4)]
    assert all(frame.endswith(bytes(7)) for frame in frames)
    assert [frame[-9:-7] == b"\xff\xd9" for frame in frames] == [True, False, True, False]
    assert program.wait() == 0


def test_a_reboot_is_not_announced_and_it_comes_again(camera):
    faults = ("--reboot", "0.2", "--fault-every", "0.5", "--plain")
    program, accept = camera("--firmware", "links2004", *faults)
    first = accept()
    first.answer()
    first.wait_s(1)
    with pytest.raises(TimeoutError):  # a farewell would be another error
        while True:
            check_frame(first.frame()[3])
    second = accept()
    second.answer()
    check_frame(second.frame()[3])
    assert "vanished" in program.log()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "1x1"], 'argument --size: "1x1" is not WIDTHxHEIGHT'),
        (["--fps", "0"], '"0" is not a number above 0'),
        (["--reboot", "1"], "--reboot needs --firmware"),
        (["--every", "1"], "--every is for --post"),
        (["--post", "--clock"], "--post does not go with"),
        (["ftp://127.0.0.1/"], '"ftp://127.0.0.1/" is not ws://HOST:PORT/NAME'),
    ],
)
def test_mistakes_are_told(arguments, words):
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and words in done.stderr
