"""Cameras as their libraries make them: what each sends, byte for byte.

Read in the sources of the three libraries that most sketches use, and in RandomNerdTutorials'
sketch.
"""

import os

from wire import BINARY, CONTINUATION, ZEROS, WebSocket, frame


class Links2004:
    """arduinoWebSockets: header and body in two writes, and a length that is not minimal.

    Its mask is zeros for messages of 1400 bytes and more. It gives up a write that makes no
    progress for 5 s, and keeps the connection: the next header lands in the old body.
    """

    HEADERS = (
        "Sec-WebSocket-Protocol: arduino",
        "Origin: file://",
        "User-Agent: arduino-WebSocket-Client",
    )

    def __init__(self, address, path, *headers, **options):
        self.link = WebSocket(address, path, *self.HEADERS, *headers, **options)

    def send(self, jpeg):
        """Sends a picture."""
        whole = self._whole(jpeg)
        body_at = len(whole) - len(jpeg)
        self.link.send(whole[:body_at], whole[body_at:])

    def send_cut_off(self, jpeg, length):
        """Sends so much of a picture's message, and forgets the rest."""
        self.link.send(self._whole(jpeg)[:length])

    @staticmethod
    def _whole(jpeg):
        mask = ZEROS if len(jpeg) >= 1400 else os.urandom(4)
        bits = 7 if len(jpeg) < 126 else 16 if len(jpeg) < 0xFFFF else 64
        return frame(BINARY, jpeg, mask=mask, length_bits=bits)


class Gilmaimon:
    """ArduinoWebsockets: a frame in one write, its mask zeros. It never connects again."""

    HEADERS = (
        "User-Agent: TinyWebsockets Client",
        "Origin: https://github.com/gilmaimon/TinyWebsockets",
    )

    def __init__(self, address, path, *headers, **options):
        self.link = WebSocket(address, path, *self.HEADERS, *headers, **options)

    def send(self, jpeg):
        """Sends a picture."""
        self.link.send(frame(BINARY, jpeg))


class Espressif:
    """esp_websocket_client: fragments of its buffer's 1024 bytes, each with a mask of its own."""

    HEADERS = ("User-Agent: ESP32 Websocket Client",)
    BUFFER = 1024

    def __init__(self, address, path, *headers, **options):
        self.link = WebSocket(address, path, *self.HEADERS, *headers, **options)

    def send(self, jpeg):
        """Sends a picture."""
        for at in range(0, len(jpeg), self.BUFFER):
            opcode = CONTINUATION if at else BINARY
            final = at + self.BUFFER >= len(jpeg)
            piece = jpeg[at : at + self.BUFFER]
            self.link.send(frame(opcode, piece, final, mask=os.urandom(4)))


FIRMWARES = {each.__name__: each for each in (Links2004, Gilmaimon, Espressif)}


def random_nerd_tutorials(jpeg):
    """Gives the pieces of a request as that sketch writes them.

    Its loop never sends the last 1024 bytes of a picture whose length is a multiple of 1024.
    """
    begin = (
        b"--RandomNerdTutorials\r\nContent-Disposition: form-data; "
        b'name="imageFile"; filename="esp32-cam.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    tail = b"\r\n--RandomNerdTutorials--\r\n"
    yield (
        "POST /door HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(begin) + len(jpeg) + len(tail)}\r\n"
        "Content-Type: multipart/form-data; boundary=RandomNerdTutorials\r\n\r\n"
    ).encode()
    yield begin
    for at in range(0, len(jpeg), 1024):
        if at + 1024 < len(jpeg):
            yield jpeg[at : at + 1024]
        elif len(jpeg) % 1024:
            yield jpeg[at:]
    yield tail
