#!/usr/bin/env python3
"""A camera that pushes, without a camera: what an ESP32 does, for trying Eyelid and for its tests.

    mock_camera.py ws://HOST:8765/NAME                a moving picture, 640x480, 30 frames a second
    mock_camera.py http://HOST:8765/NAME --post       the same by HTTP POST

It obeys `{"eyelid":"sleep"}` and `{"eyelid":"wake"}`. With --firmware it speaks as one of the three
usual libraries does, byte by byte, and other options give it a camera's faults. Needs Python 3.11
and, unless --post or --firmware is given, the package `websockets`, 13 or newer.

All is in this one file, so that it can be copied to another computer by itself: the picture, a
class for each way to push, and the loop that they share.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import fcntl
import hashlib
import http.client
import importlib.util
import itertools
import json
import math
import os
import random
import re
import select
import signal
import socket
import struct
import sys
import termios
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from operator import add, mul
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol
from urllib.parse import SplitResult, urlsplit

SUBPROTOCOL = "eyelid.v1"

# ---- The picture ----
#
# A baseline JPEG, 4:2:2 and without restart markers as an OV2640's, is put together of strings of
# "0" and "1" that were made before, so that a frame costs some hundred slices and one conversion.
# What moves (disc, square, text) is *added* to the brightness of the gradient behind it: then its
# blocks are the same wherever it is. Colour is the gradient's everywhere.

# ITU-T T.81, K.1: steps of quantisation, row by row.
LUMA_STEPS = """
    16  11  10  16  24  40  51  61    12  12  14  19  26  58  60  55
    14  13  16  24  40  57  69  56    14  17  22  29  51  87  80  62
    18  22  37  56  68 109 103  77    24  35  55  64  81 104 113  92
    49  64  78  87 103 121 120 101    72  92  95  98 112 100 103  99"""
CHROMA_STEPS = """
    17  18  24  47  99  99  99  99    18  21  26  66  99  99  99  99
    24  26  56  99  99  99  99  99    47  66  99  99  99  99  99  99
    99  99  99  99  99  99  99  99    99  99  99  99  99  99  99  99
    99  99  99  99  99  99  99  99    99  99  99  99  99  99  99  99"""

# K.3: how many codes there are of each length, and their symbols; for AC only those with short
# codes, for all others follow in order.
LUMA_DC = ("00010501010101010100000000000000", "000102030405060708090a0b")
LUMA_AC = (
    "0002010303020403050504040000017d",
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282",
)
CHROMA_DC = ("00030101010101010101010000000000", "000102030405060708090a0b")
CHROMA_AC = (
    "00020102040403040705040400010277",
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f1",
)


def zigzag_key(at: int) -> tuple[int, int]:
    """Gives what to sort the 64 places of a block by: diagonals, every other one upwards."""
    row, column = divmod(at, 8)
    return row + column, row if (row + column) % 2 else column


ZIGZAG = sorted(range(64), key=zigzag_key)
COSINES = [
    [math.sqrt(0.25 if u else 0.125) * math.cos((2 * x + 1) * u * math.pi / 16) for x in range(8)]
    for u in range(8)
]


def transform(pixels: Sequence[Sequence[float]]) -> list[float]:
    """Gives the cosine transform of 8 rows of 8, in zigzag order."""
    rows = [[sum(map(mul, cosine, row)) for cosine in COSINES] for row in pixels]
    columns = list(zip(*rows, strict=True))
    flat = [sum(map(mul, cosine, column)) for cosine in COSINES for column in columns]
    return [flat[at] for at in ZIGZAG]


# What AC's symbols tell: how many zeros come before a value, and how many bits it has.
AC_SYMBOLS = [zeros << 4 | bits for zeros in range(16) for bits in range(1, 11)]


class Block(NamedTuple):
    """8x8 values of one component, ready for any place."""

    dc: int  # the mean, quantised: coded as the difference to the block before
    levels: tuple[int, ...]  # of all 64, zigzag
    ac: str  # the bits of all but the mean


class Coder:
    """From values to bits, with the tables of one kind of component."""

    def __init__(self, steps: str, quality: int, dc: tuple[str, str], ac: tuple[str, str]) -> None:
        percent = 5000 / quality if quality < 50 else 200 - 2 * quality
        plain = [min(255, max(1, round(int(step) * percent / 100))) for step in steps.split()]
        self.steps = [plain[at] for at in ZIGZAG]
        self.tables = [self._table(dc, []), self._table(ac, AC_SYMBOLS)]
        dc_codes, self._ac_codes = (self._codes(*table) for table in self.tables)
        self.dc = {
            value: dc_codes[abs(value).bit_length()] + magnitude(value)
            for value in range(-2047, 2048)
        }

    @staticmethod
    def _table(table: tuple[str, str], symbols: list[int]) -> tuple[bytes, bytes]:
        counts, short = map(bytes.fromhex, table)
        return counts, short + bytes(symbol for symbol in symbols if symbol not in short)

    @staticmethod
    def _codes(counts: bytes, symbols: bytes) -> dict[int, str]:
        codes, code, rest = {}, 0, iter(symbols)
        for length, count in enumerate(counts, 1):
            for symbol in itertools.islice(rest, count):
                codes[symbol] = f"{code:0{length}b}"
                code += 1
            code <<= 1
        return codes

    def block(self, coefficients: Sequence[float]) -> Block:
        """Quantises and codes a block."""
        return self.coded([round(c / s) for c, s in zip(coefficients, self.steps, strict=True)])

    def coded(self, levels: Sequence[int]) -> Block:
        """Codes a quantised block."""
        bits, zeros = [], 0
        for level in levels[1:]:
            if level == 0:
                zeros += 1
                continue
            bits += [self._ac_codes[0xF0]] * (zeros // 16)
            bits += [self._ac_codes[zeros % 16 << 4 | abs(level).bit_length()], magnitude(level)]
            zeros = 0
        if zeros:
            bits.append(self._ac_codes[0])
        return Block(levels[0], tuple(levels), "".join(bits))


def magnitude(value: int) -> str:
    """Gives the bits that follow the code of a value's length."""
    length = abs(value).bit_length()
    return f"{value if value > 0 else value + (1 << length) - 1:0{length}b}" if length else ""


# Columns of 5 dots in 7 rows, one number a row.
FONT = {
    "0": "0e 11 13 15 19 11 0e",
    "1": "04 0c 04 04 04 04 0e",
    "2": "0e 11 01 02 04 08 1f",
    "3": "1f 02 04 02 01 11 0e",
    "4": "02 06 0a 12 1f 02 02",
    "5": "1f 10 1e 01 01 11 0e",
    "6": "06 08 10 1e 11 11 0e",
    "7": "1f 01 02 04 08 08 08",
    "8": "0e 11 11 0e 11 11 0e",
    "9": "0e 11 11 0f 01 02 0c",
    ".": "00 00 00 00 00 0c 0c",
    ":": "00 0c 0c 00 0c 0c 00",
    " ": "00 00 00 00 00 00 00",
    "F": "1f 10 10 1e 10 10 10",
    "R": "1e 11 11 1e 14 12 11",
    "A": "0e 11 11 1f 11 11 11",
    "M": "11 1b 15 15 11 11 11",
    "E": "1f 10 10 1e 10 10 1f",
    "P": "1e 11 11 1e 10 10 10",
    "S": "0f 10 10 0e 01 01 1e",
}

PERIOD = 256  # steps of the gradient until its colours come again; one is 4 pixels wide
LANES = 4  # steps in an MCU of 16x8 pixels
SLOPE = 3  # steps from one row of MCUs to the next
GRAIN = 2.4  # brightness of the noise: gives a frame of 640x480 the 25 KB of a camera's

Mcu = tuple[Block, Block, Block, Block]  # two of brightness, Cb, Cr
Sprite = dict[tuple[int, int], list[tuple[int, int, Block]]]  # by place within a block of pixels


class Painter:
    """Draws the frames: a sliding gradient, a disc and a square that bounce, a line of text."""

    def __init__(self, width: int, height: int, quality: int) -> None:
        self.width, self.height = width, height
        self._columns, self._rows = -(-width // 16), -(-height // 8)
        self._luma = Coder(LUMA_STEPS, quality, LUMA_DC, LUMA_AC)
        self._chroma = Coder(CHROMA_STEPS, quality, CHROMA_DC, CHROMA_AC)
        self._random = random.Random(1)
        self._mcus = self._gradient()
        self._strips = [self._strip(lane) for lane in range(LANES)]
        radius = max(8, min(width, height, 640) // 8)
        self._disc = radius, self._sprite(2 * radius, disc(radius))
        self._square = radius, self._sprite(2 * radius, square(radius))
        self._scale = 2 if width >= 512 else 1
        self._glyphs = {letter: self._glyph(dots) for letter, dots in FONT.items()}
        self._head = self._headers()

    def draw(self, elapsed_s: float, text: str, comment: bytes = b"") -> bytes:
        """Gives the JPEG of a moment."""
        added = self._added(elapsed_s, text)
        shift = int(elapsed_s * 30)
        parts: list[str] = []
        before = (0, 0, 0)
        for row in range(self._rows):
            start = (shift + SLOPE * row) % PERIOD
            before = self._draw_row(parts, before, start, added.get(row, {}))
        bits = "".join(parts)
        bits += "1" * (-len(bits) % 8)
        scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
        jfif, rest = self._head[:20], self._head[20:]
        return jfif + (segment(0xFE, comment) if comment else b"") + rest + scan + b"\xff\xd9"

    def _draw_row(
        self, parts: list[str], before: tuple[int, int, int], start: int, added: dict[int, Block]
    ) -> tuple[int, int, int]:
        """Appends the bits of a row of MCUs; gives the means that the next row starts from."""
        strip, ends = self._strips[start % LANES]
        column = 0
        for stop in [*sorted({place // 2 for place in added}), self._columns]:
            if column < stop:
                mcu = self._mcus[(start + LANES * column) % PERIOD]
                parts.append(self._bits(before, *mcu))
                at = start // LANES + column
                parts.append(strip[ends[at] : ends[at + stop - column - 1]])
                last = self._mcus[(start + LANES * (stop - 1)) % PERIOD]
                before = last[1].dc, last[2].dc, last[3].dc
            if stop < self._columns:
                left, right, cb, cr = self._mcus[(start + LANES * stop) % PERIOD]
                left = over(left, added.get(2 * stop))
                right = over(right, added.get(2 * stop + 1))
                parts.append(self._bits(before, left, right, cb, cr))
                before = right.dc, cb.dc, cr.dc
            column = stop + 1
        return before

    def _bits(self, before: tuple[int, int, int], *mcu: Block) -> str:
        """Gives the bits of an MCU behind one with these means."""
        (y, cb, cr), luma, chroma = before, self._luma.dc, self._chroma.dc
        one, two, blue, red = mcu
        return (
            f"{luma[one.dc - y]}{one.ac}{luma[two.dc - one.dc]}{two.ac}"
            f"{chroma[blue.dc - cb]}{blue.ac}{chroma[red.dc - cr]}{red.ac}"
        )

    def _gradient(self) -> list[Mcu]:
        """Gives the MCU that begins at each step of the gradient."""
        luma, blue, red = [], [], []
        for step in range(PERIOD):
            # The chroma of an MCU is as many values for twice the width.
            near, wide = (
                [[colour(step + x * across + y * SLOPE / 8) for x in range(8)] for y in range(8)]
                for across in (1 / 4, 1 / 2)
            )
            luma.append(self._grainy(transform([[pixel[0] for pixel in row] for row in near])))
            blue.append(self._chroma.block(transform([[pixel[1] for pixel in r] for r in wide])))
            red.append(self._chroma.block(transform([[pixel[2] for pixel in r] for r in wide])))
        half = LANES // 2
        return [
            (luma[step], luma[(step + half) % PERIOD], blue[step], red[step])
            for step in range(PERIOD)
        ]

    def _strip(self, lane: int) -> tuple[str, list[int]]:
        """Gives the bits of a row longer than any, and where each MCU of it ends."""
        parts, ends, before = [], [0], self._mcus[lane - LANES]
        for at in range(PERIOD // LANES + self._columns):
            mcu = self._mcus[(lane + LANES * at) % PERIOD]
            parts.append(self._bits((before[1].dc, before[2].dc, before[3].dc), *mcu))
            ends.append(ends[-1] + len(parts[-1]))
            before = mcu
        return "".join(parts), ends[1:]

    def _grainy(self, coefficients: list[float]) -> Block:
        """Adds the noise of a sensor, and codes."""
        noise = [0.0] + [self._random.gauss(0, GRAIN) for _ in range(63)]
        return self._luma.block(list(map(add, coefficients, noise)))

    def _sprite(self, size: int, brightness: Callable[[float, float], float]) -> Sprite:
        """Gives the blocks of what moves by 4 pixels, for each place that it can have in them."""
        blocks = range(size // 8 + 2)
        sprite: Sprite = {}
        for left, top in itertools.product((0, 4), (0, 4)):
            sprite[left, top] = found = []
            for column, row in itertools.product(blocks, blocks):
                xs = [column * 8 + x - left + 0.5 for x in range(8)]
                ys = [row * 8 + y - top + 0.5 for y in range(8)]
                pixels = [[brightness(x, y) for x in xs] for y in ys]
                if any(map(any, pixels)):
                    found.append((column, row, self._grainy(transform(pixels))))
        return sprite

    def _glyph(self, dots: str) -> list[list[Block]]:
        """Gives the blocks of a letter, row by row: bright dots on what is darkened."""
        rows, scale = b"\0" + bytes.fromhex(dots), self._scale

        def brightness(x: int, y: int) -> float:
            return 110.0 if rows[y // scale] << 2 >> 7 - x // scale & 1 else -40.0

        return [
            [
                self._luma.block(
                    transform(
                        [
                            [brightness(column * 8 + x, row * 8 + y) for x in range(8)]
                            for y in range(8)
                        ]
                    )
                )
                for column in range(scale)
            ]
            for row in range(scale)
        ]

    def _added(self, elapsed_s: float, text: str) -> dict[int, dict[int, Block]]:
        """Gives the blocks that are added to the gradient's, by row and column."""
        rows: dict[int, dict[int, Block]] = {}
        for (radius, sprite), across, down in (
            (self._disc, 160, 100),
            (self._square, 90, 140),
        ):
            x = bounce(elapsed_s * across, self.width - 2 * radius)
            y = bounce(elapsed_s * down, self.height - 2 * radius)
            for right, below, block in sprite[x % 8, y % 8]:
                row, column = below + y // 8, right + x // 8
                if row < self._rows and column < 2 * self._columns:
                    there = rows.setdefault(row, {})
                    other = there.get(column)
                    there[column] = self._sum(other, block) if other else block
        letters = [self._glyphs[letter] for letter in text][: 2 * self._columns // self._scale]
        for row in range(self._scale):
            line = itertools.chain.from_iterable(letter[row] for letter in letters)
            rows.setdefault(row, {}).update(enumerate(line))
        return rows

    def _sum(self, one: Block, other: Block) -> Block:
        """Gives two blocks, one over the other."""
        return self._luma.coded(list(map(add, one.levels, other.levels)))

    def _headers(self) -> bytes:
        """Gives all that comes before the scan; the JFIF segment is the first 20 bytes."""
        coders = list(enumerate((self._luma, self._chroma)))
        quantisation = [segment(0xDB, bytes([which, *coder.steps])) for which, coder in coders]
        huffman = [
            segment(0xC4, bytes([kind << 4 | which]) + counts + symbols)
            for which, coder in coders
            for kind, (counts, symbols) in enumerate(coder.tables)
        ]
        size = struct.pack(">BHH", 8, self.height, self.width)
        return (
            b"\xff\xd8"
            + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
            + b"".join(quantisation)
            + segment(0xC0, size + bytes([3, 1, 0x21, 0, 2, 0x11, 1, 3, 0x11, 1]))
            + b"".join(huffman)
            + segment(0xDA, bytes([3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]))
        )


def segment(marker: int, content: bytes) -> bytes:
    """Gives a marker segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def over(block: Block, added: Block | None) -> Block:
    """Gives a block of the gradient with another one's brightness added."""
    return block if added is None else Block(block.dc + added.dc, added.levels, added.ac)


def colour(step: float) -> tuple[float, float, float]:
    """Gives Y, Cb and Cr of a place in the gradient, each around 0."""
    angle = 2 * math.pi * step / PERIOD
    return -40 + 30 * math.sin(2 * angle), 50 * math.cos(angle), 50 * math.sin(angle)


def disc(radius: int) -> Callable[[float, float], float]:
    """Gives the brightness of a ball that is lit from above."""

    def brightness(x: float, y: float) -> float:
        inside = min(1.0, max(0.0, radius - math.hypot(x - radius, y - radius)))
        away = math.hypot(x - 0.7 * radius, y - 0.6 * radius) / radius
        return inside * max(25.0, 110 - 80 * away)

    return brightness


def square(radius: int) -> Callable[[float, float], float]:
    """Gives the brightness of a square's outline."""

    def brightness(x: float, y: float) -> float:
        from_centre = max(abs(x - radius), abs(y - radius))
        return 70.0 if radius - 6 < from_centre < radius else 0.0

    return brightness


def bounce(way: float, most: int) -> int:
    """Gives where something is after a way between two walls, in steps of 4 pixels."""
    most = max(4, most)
    way %= 2 * most
    return int(min(way, 2 * most - way)) // 4 * 4


# ---- The camera ----


class Frame(NamedTuple):
    """A picture as the camera gives it, faults and all."""

    jpeg: bytes
    taken_ms: int  # on the camera's own clock


class Camera:
    """Takes pictures, numbers them, and knows its own rate."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._painter = Painter(*options.size, options.quality)
        self._started_s = time.monotonic()
        self._taken_s: deque[float] = deque(maxlen=31)
        self.number = 0

    def fps(self) -> float:
        """Gives the rate of the last second's pictures, or so."""
        taken = self._taken_s
        return (len(taken) - 1) / (taken[-1] - taken[0]) if len(taken) > 1 else 0.0

    def shoot(self) -> Frame:
        """Takes a picture."""
        now = time.monotonic()
        self.number += 1
        if self._taken_s and now - self._taken_s[-1] > 2:
            self._taken_s.clear()  # it slept
        self._taken_s.append(now)
        elapsed_s = now - self._started_s
        minutes, seconds = divmod(elapsed_s, 60)
        text = f"FRAME {self.number:06}  {self.fps():4.1f} FPS  {minutes:02.0f}:{seconds:04.1f}"
        comment = b""
        if self._options.stamp:
            comment = f"frame={self.number} taken_ns={time.time_ns()}".encode()
        jpeg = self._painter.draw(elapsed_s, text, comment)
        every = self._options.half_frames
        if every and self.number % every == 0:
            jpeg = jpeg[: len(jpeg) // 2]
        return Frame(jpeg + bytes(self._options.padding), int(elapsed_s * 1000))


# ---- Ways to push ----


class Gone(Exception):
    """The connection has ended; says when a camera of this kind comes again."""

    def __init__(self, why: object, again_s: float | None = None) -> None:
        super().__init__(str(why) or type(why).__name__)
        self.again_s = again_s  # None: as we like


class Dead(Exception):
    """A camera of this kind does not come again until it is reset."""


class Rebooted(Exception):
    """The camera has vanished, and comes again after a while."""


class Link(Protocol):
    """A WebSocket to the server."""

    told: bool  # whether the server agreed to say when to sleep

    def send_text(self, text: str) -> None:
        """Sends a text."""

    def send_frame(self, jpeg: bytes, pause_s: float) -> None:
        """Sends a picture, and waits in the middle of it."""

    def texts(self, wait_s: float) -> list[str]:
        """Gives the texts that have come; waits for the first."""

    def vanish(self) -> None:
        """Is there no more, and does not say so."""

    def close(self) -> None:
        """Says farewell."""


class Library:
    """A client as the package `websockets` has it."""

    def __init__(self, options: argparse.Namespace) -> None:
        from websockets.exceptions import ConnectionClosed, WebSocketException
        from websockets.sync.client import connect

        self._closed = ConnectionClosed
        self._stack = ExitStack()
        try:
            connection = connect(
                options.url.geturl(),
                subprotocols=None if options.plain else [SUBPROTOCOL],
                additional_headers=dict(authorization(options.token)),
                compression=None,  # a JPEG is compressed
                open_timeout=10,
            )
            self._socket = self._stack.enter_context(connection)
        except (OSError, WebSocketException) as error:
            raise Gone(error) from error
        self.told = self._socket.subprotocol == SUBPROTOCOL

    def send_text(self, text: str) -> None:
        """Sends a text."""
        try:
            self._socket.send(text)
        except self._closed as closed:
            raise Gone(closed) from closed

    def send_frame(self, jpeg: bytes, pause_s: float) -> None:
        """Sends a picture as one message; with a pause, of two fragments."""

        def halves() -> Iterator[bytes]:
            yield jpeg[: len(jpeg) // 2]
            time.sleep(pause_s)
            yield jpeg[len(jpeg) // 2 :]

        try:
            self._socket.send(halves() if pause_s else jpeg)
        except self._closed as closed:
            raise Gone(closed) from closed

    def texts(self, wait_s: float) -> list[str]:
        """Gives the texts that have come; waits for the first."""
        texts = []
        try:
            while True:
                message = self._socket.recv(timeout=0 if texts else wait_s)
                if isinstance(message, str):
                    texts.append(message)
        except TimeoutError:
            return texts
        except self._closed as closed:
            raise Gone(closed) from closed

    def vanish(self) -> None:
        """Cannot: the package answers pings in a thread of its own (--reboot is refused)."""
        raise NotImplementedError

    def close(self) -> None:
        """Says farewell."""
        self._stack.close()


TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA  # RFC 6455, 5.2
FINAL = 0x80
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
# What the boards themselves queue, and in which pieces: Linux would take a whole frame at once.
LWIP_SEND_BUFFER_BYTES, LWIP_SEGMENT_BYTES = 5744, 1436


class Firmware:
    """A client that writes its own bytes. The libraries differ in what the subclasses say."""

    patience_s = 10.0  # how long a full socket may take nothing
    again_s = 0.5  # until it connects again

    def __init__(self, options: argparse.Namespace) -> None:
        url: SplitResult = options.url
        host, port = url.hostname or "", url.port or 80
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        key = base64.b64encode(os.urandom(16)).decode()
        protocol = None if options.plain else SUBPROTOCOL
        try:
            self._socket = socket.create_connection((host, port), timeout=10)
        except OSError as error:
            raise Gone(error, self.again_s) from error
        self.told = False
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LWIP_SEND_BUFFER_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = bytearray()
        headers = self.headers(f"{host}:{port}", key, protocol, list(authorization(options.token)))
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        try:
            self.write("\r\n".join([*lines, "", ""]).encode())
            self.told = self._answer(key) == SUBPROTOCOL
        except BaseException:
            self._socket.close()
            raise

    def headers(
        self, host: str, key: str, protocol: str | None, more: list[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Gives the fields of the request, in the library's order."""
        raise NotImplementedError

    def send_text(self, text: str) -> None:
        """Sends a text."""
        self.control(TEXT, text.encode())

    def control(self, opcode: int, payload: bytes) -> None:
        """Sends a short message."""
        key = os.urandom(4)
        self.write(head(FINAL | opcode, len(payload), key) + masked(payload, key))

    def send_frame(self, jpeg: bytes, pause_s: float) -> None:
        """Sends a picture in the library's way."""
        raise NotImplementedError

    def write(self, data: bytes, pause_s: float = 0) -> None:
        """Writes as much as the socket takes; waits in the middle."""
        if pause_s:
            half = len(data) // 2
            self.write(data[:half])
            time.sleep(pause_s)
            data = data[half:]
        if not self._write(data):
            self.full()

    def full(self) -> None:
        """Does what the library does when the socket has taken nothing for too long."""
        self.gone("the socket was full for too long: closed")

    def _write(self, data: bytes) -> bool:
        """Writes; says whether it could."""
        rest = memoryview(data)
        until = time.monotonic() + self.patience_s
        while rest:
            wait_s = max(0, until - time.monotonic())
            if not select.select([], [self._socket], [], wait_s)[1]:
                return False
            try:
                sent = self._socket.send(rest[:LWIP_SEGMENT_BYTES], socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            except OSError as error:
                self.gone(error)
            rest = rest[sent:]
            until = time.monotonic() + self.patience_s
        return True

    def texts(self, wait_s: float) -> list[str]:
        """Gives the texts that have come; waits for the first."""
        until = time.monotonic() + wait_s
        while True:
            texts = [payload.decode() for opcode, payload in self._messages() if opcode == TEXT]
            left_s = until - time.monotonic()
            if texts or (left_s < 0 and not self._readable(0)):
                return texts
            if self._readable(max(0, left_s)):
                self._receive()

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        """Takes whole messages out of what was read; answers pings and the end."""
        while (found := parsed(self._read)) is not None:
            opcode, payload, length = found
            del self._read[:length]
            if opcode == PING:
                self.control(PONG, payload)
            elif opcode == CLOSE:
                self.control(CLOSE, payload[:2])
                self.closed(f"closed by the server: {closing_words(payload)}")
            else:
                yield opcode, payload

    def gone(self, why: object) -> NoReturn:
        """Does what the library does when the connection has broken."""
        raise Gone(why, self.again_s)

    def closed(self, why: str) -> NoReturn:
        """Does what the library does when the server has said farewell."""
        self.gone(why)

    def _readable(self, wait_s: float) -> bool:
        return bool(select.select([self._socket], [], [], wait_s)[0])

    def _receive(self) -> None:
        try:
            got = self._socket.recv(65536)
        except OSError as error:
            self.gone(error)
        if not got:
            self.gone("closed by the server, without a word")
        self._read += got

    def _answer(self, key: str) -> str | None:
        """Reads the server's answer; gives the subprotocol that it chose."""
        while b"\r\n\r\n" not in self._read:
            if len(self._read) > 16384 or not self._readable(10):
                raise Gone("no answer to the handshake", self.again_s)
            self._receive()
        text, _, rest = bytes(self._read).partition(b"\r\n\r\n")
        self._read = bytearray(rest)
        status, *lines = text.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        if " 101 " not in f"{status} ":
            raise Gone(f"refused: {status}", self.again_s)
        if fields.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise Gone("that is no answer to our key", self.again_s)
        return fields.get("sec-websocket-protocol")

    def vanish(self) -> None:
        """Is there no more, and does not say so: no FIN, no RST, and no answer to keep-alives."""
        until = time.monotonic() + 1
        unsent = bytearray(4)
        while time.monotonic() < until:
            fcntl.ioctl(self._socket, termios.TIOCOUTQ, unsent)
            if not any(unsent):
                break
            time.sleep(0.01)
        # A filter that takes no packet (BPF_RET 0); struct sock_fprog points to it.
        filters = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        program = struct.pack("HP", 1, ctypes.addressof(filters))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        VANISHED.append(self._socket.dup())  # what is open says nothing
        self._socket.close()

    def close(self) -> None:
        """Ends as a board does that is told to: with FIN."""
        self._socket.close()


VANISHED: list[socket.socket] = []


class Links2004(Firmware):
    """github.com/Links2004/arduinoWebSockets: what most sketches use."""

    patience_s = 5.0

    def headers(
        self, host: str, key: str, protocol: str | None, more: list[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Gives the fields of the request, in the library's order."""
        return [
            ("Host", host),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Protocol", protocol or "arduino"),
            ("Origin", "file://"),
            ("User-Agent", "arduino-WebSocket-Client"),
            *more,
        ]

    def send_frame(self, jpeg: bytes, pause_s: float) -> None:
        """Header and body in two writes; from 1400 bytes on no mask, but for its bit.

        65,535 bytes have a length of 64 bits: `length < 0xFFFF` is what the library asks.
        """
        if len(jpeg) < 1400:
            self.control(BINARY, jpeg)
            return
        self.write(head(FINAL | BINARY, len(jpeg), bytes(4), longest=0xFFFE))
        self.write(jpeg, pause_s)

    def full(self) -> None:
        """Gives this write up and keeps the connection: the stream is out of step from here on."""
        log("the socket was full for 5 s: the rest of this frame is never sent")


class Gilmaimon(Firmware):
    """github.com/gilmaimon/ArduinoWebsockets, with a sketch that connects in setup() only."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._is_up = False
        super().__init__(options)
        self._is_up = True

    def gone(self, why: object) -> NoReturn:
        """Stays dead, unless it was still in setup()."""
        raise Dead(why) if self._is_up else Gone(why, self.again_s)

    def headers(
        self, host: str, key: str, protocol: str | None, more: list[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Gives the fields of the request, in the library's order."""
        return [
            ("Host", host.rpartition(":")[0]),
            ("Sec-WebSocket-Key", key),
            *more,
            *([("Sec-WebSocket-Protocol", protocol)] if protocol else []),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("User-Agent", "TinyWebsockets Client"),
            ("Origin", "https://github.com/gilmaimon/TinyWebsockets"),
        ]

    def control(self, opcode: int, payload: bytes) -> None:
        """Sends a short message: no mask, but for its bit."""
        self.write(head(FINAL | opcode, len(payload), bytes(4)) + payload)

    def send_frame(self, jpeg: bytes, pause_s: float) -> None:
        """Header and body in one write, and no mask, but for its bit."""
        self.write(head(FINAL | BINARY, len(jpeg), bytes(4)) + jpeg, pause_s)


class EspIdf(Firmware):
    """Espressif's esp_websocket_client."""

    again_s = 10.0
    buffer_bytes = 1024
    ping_every_s = 10.0

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self._pinged_s = time.monotonic()

    def headers(
        self, host: str, key: str, protocol: str | None, more: list[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Gives the fields of the request, in the library's order."""
        return [
            ("Connection", "Upgrade"),
            ("Host", host),
            ("User-Agent", "ESP32 Websocket Client"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            *([("Sec-WebSocket-Protocol", protocol)] if protocol else []),
            *more,
        ]

    def send_frame(self, jpeg: bytes, pause_s: float) -> None:
        """Fragments of the buffer's size, each with a mask of its own, in two writes."""
        starts = range(0, len(jpeg), self.buffer_bytes)
        for at in starts:
            if at == starts[len(starts) // 2]:
                time.sleep(pause_s)
            part, key = jpeg[at : at + self.buffer_bytes], os.urandom(4)
            first = (FINAL if at == starts[-1] else 0) | (0 if at else BINARY)
            self.write(head(first, len(part), key))
            self.write(masked(part, key))

    def texts(self, wait_s: float) -> list[str]:
        """Gives the texts that have come; pings every 10 s."""
        if time.monotonic() - self._pinged_s > self.ping_every_s:
            self._pinged_s = time.monotonic()
            self.control(PING, b"")
        return super().texts(min(wait_s, self.ping_every_s))

    def closed(self, why: str) -> NoReturn:
        """Ends: unless asked to, it does not connect again after a clean end."""
        raise Dead(why)


FIRMWARES = {"links2004": Links2004, "gilmaimon": Gilmaimon, "esp-idf": EspIdf}


def head(first: int, length: int, key: bytes, longest: int = 0xFFFF) -> bytes:
    """Gives the head of a client's WebSocket frame (RFC 6455, 5.2)."""
    if length < 126:
        return struct.pack(">BB", first, FINAL | length) + key
    if length <= longest:
        return struct.pack(">BBH", first, FINAL | 126, length) + key
    return struct.pack(">BBQ", first, FINAL | 127, length) + key


def masked(payload: bytes, key: bytes) -> bytes:
    """Gives a payload with its mask."""
    length = len(payload)
    mask = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")


def parsed(data: bytearray) -> tuple[int, bytes, int] | None:
    """Gives opcode and payload of a server's first frame and its whole length, if all is there."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length >= 126:
        start = 4 if length == 126 else 10
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    return (data[0] & 0xF, bytes(data[start:end]), end) if len(data) >= end else None


def closing_words(payload: bytes) -> str:
    """Says what a close frame says."""
    code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
    return f"{code} {payload[2:].decode(errors='replace')}".strip()


def authorization(token: str | None) -> Iterator[tuple[str, str]]:
    """Gives the header that says who we are, if anybody."""
    if token:
        yield "Authorization", f"Bearer {token}"


# ---- The loop ----

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0


def run(options: argparse.Namespace) -> None:
    """Pushes until it is told to end, or has done so many frames; connects again and again."""
    camera = Camera(options)
    session = post if options.post else push
    pause_s = FIRST_PAUSE_S
    while True:
        began = time.monotonic()
        try:
            session(options, camera)
            return
        except Rebooted:
            log(f"vanished for {options.reboot} s")
            time.sleep(options.reboot)
        except Gone as gone:
            if time.monotonic() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            wait_s = gone.again_s
            if wait_s is None:
                wait_s, pause_s = pause_s, min(LONGEST_PAUSE_S, 2 * pause_s)
                wait_s *= random.uniform(0.75, 1.25)
            log(f"{gone}; again in {wait_s:.1f} s")
            time.sleep(wait_s)


def push(options: argparse.Namespace, camera: Camera) -> None:
    """One connection of a WebSocket."""
    link: Link = FIRMWARES[options.firmware](options) if options.firmware else Library(options)
    with closing(link):
        sleeps = "told when to sleep" if link.told else "never told to sleep"
        log(f"connected to {options.url.geturl()}, {sleeps}")
        push_frames(options, camera, link)


def push_frames(options: argparse.Namespace, camera: Camera, link: Link) -> None:
    """Sends frames while the server wants them, at their rate."""
    # A server that tells says first of all how it is.
    awake = not link.told
    report = Report(camera)
    now = next_frame_s = time.monotonic()
    fault_s = now + options.fault_every
    while not options.frames or camera.number < options.frames:
        for text in link.texts(max(0, next_frame_s - now) if awake else 1):
            if (order := ordered(text)) is not None and link.told:
                awake = order
                log("awake" if awake else "asleep")
        now = time.monotonic()
        if options.reboot and now >= fault_s:
            link.vanish()
            raise Rebooted
        if not awake or now < next_frame_s:
            continue
        next_frame_s = max(now, next_frame_s + 1 / options.fps)  # what is late is left out
        frame = camera.shoot()
        if options.clock:
            link.send_text(json.dumps({"t": frame.taken_ms}))
        if options.stall and now >= fault_s:
            stall(options, camera, link, frame)
            fault_s = time.monotonic() + options.fault_every
        else:
            link.send_frame(frame.jpeg, 0)
        report.sent(frame)


def stall(options: argparse.Namespace, camera: Camera, link: Link, frame: Frame) -> None:
    """Has the link go down in the middle of a frame, with another in the camera's hand."""
    log(f"the link is down for {options.stall} s")
    in_hand = camera.shoot()
    link.send_frame(frame.jpeg, options.stall)
    if options.clock:
        link.send_text(json.dumps({"t": in_hand.taken_ms}))
    link.send_frame(in_hand.jpeg, 0)


def post(options: argparse.Namespace, camera: Camera) -> None:
    """One connection of HTTP; each answer says whether somebody looks."""
    url: SplitResult = options.url
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    awake = False
    report = Report(camera)
    with closing(kind(url.hostname or "", url.port, timeout=20)) as connection:
        while True:
            began = time.monotonic()
            frame = camera.shoot()
            headers = {"Content-Type": "image/jpeg", **dict(authorization(options.token))}
            try:
                connection.request("POST", path, frame.jpeg, headers)
                with connection.getresponse() as response:
                    status, body = response.status, response.read(65536).decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                raise Gone(error) from error
            report.sent(frame)
            if status == 422:  # that frame was broken; the next may not be
                report.refused(f"422 {body.strip()}")
            elif status != 200:
                raise Gone(f"refused: {status} {body.strip()}")
            elif awake != (told := answered(body)):
                awake = told
                log("somebody looks" if awake else "nobody looks")
            if options.frames and camera.number >= options.frames:
                return
            often = options.every is None if options.plain else awake
            every_s = 1 / options.fps if often else options.every or 60
            time.sleep(max(0, began + every_s - time.monotonic()))


def ordered(text: str) -> bool | None:
    """Says whether a text is a wake (true), a sleep (false), or neither."""
    with suppress(ValueError, AttributeError):
        return {"wake": True, "sleep": False}.get(json.loads(text).get("eyelid"))
    return None


def answered(body: str) -> bool:
    """Says whether the answer to a POST is that somebody looks."""
    with suppress(ValueError, AttributeError):
        return json.loads(body).get("awake") is True
    return False


class Report:
    """Says now and then how it goes."""

    def __init__(self, camera: Camera) -> None:
        self._camera, self._next_s = camera, time.monotonic() + 10
        self._refused = 0

    def sent(self, frame: Frame) -> None:
        """Notes a frame."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 10
            rate = f"{self._camera.fps():.1f} fps"
            log(f"sent frame {self._camera.number} ({len(frame.jpeg)} bytes), {rate}")

    def refused(self, why: str) -> None:
        """Notes that a frame was refused; says so of the 1st, 2nd, 4th, 8th, ... of them."""
        self._refused += 1
        if self._refused.bit_count() == 1:
            log(f"refused, time {self._refused}: {why}")


def log(text: str) -> None:
    """Says what happens, on stderr."""
    print(f"mock-camera: {text}", file=sys.stderr, flush=True)


# ---- The command line ----


def size(text: str) -> tuple[int, int]:
    """Reads WIDTHxHEIGHT."""
    if found := re.fullmatch(r"(\d{2,4})x(\d{2,4})", text):
        width, height = map(int, found.groups())
        if width >= 16 and height >= 16:
            return width, height
    raise argparse.ArgumentTypeError(f'"{text}" is not WIDTHxHEIGHT, each from 16 to 9999')


def positive(text: str) -> float:
    """Reads a number above 0."""
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise argparse.ArgumentTypeError(f'"{text}" is not a number above 0')


def count(text: str) -> int:
    """Reads a whole number from 1 on."""
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f'"{text}" is not a whole number from 1 on')


def quality(text: str) -> int:
    """Reads the quality of a JPEG."""
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 95:
        return int(text)
    raise argparse.ArgumentTypeError(f'"{text}" is not a number from 1 to 95')


def address(text: str) -> SplitResult:
    """Reads a URL."""
    with suppress(ValueError):
        url = urlsplit(text)
        if url.scheme in ("ws", "wss", "http", "https") and url.hostname and url.port != 0:
            return url
    raise argparse.ArgumentTypeError(f'"{text}" is not ws://HOST:PORT/NAME')


def arguments() -> argparse.ArgumentParser:
    """Gives what the command line may have."""
    parser = argparse.ArgumentParser(
        description="A camera that pushes a moving picture, as an ESP32 does.",
        epilog="EYELID_TOKEN in the environment is a token that `ps` does not show.",
    )
    add = parser.add_argument
    add(
        "url",
        nargs="?",
        type=address,
        default=address("ws://127.0.0.1:8765/"),
        metavar="URL",
        help="ws://HOST:PORT/NAME (default: ws://127.0.0.1:8765/, the camera `default`)",
    )
    add("--size", type=size, default=(640, 480), metavar="WxH", help="default: 640x480")
    add("--fps", type=positive, default=30.0, metavar="N", help="default: 30")
    add("--quality", type=quality, default=80, metavar="N", help="of the JPEGs (default: 80)")
    add("--token", default=os.environ.get("EYELID_TOKEN"), help="sent as Authorization: Bearer")
    add("--plain", action="store_true", help="do not offer eyelid.v1: never sleep")
    add("--clock", action="store_true", help='send {"t": MILLISECONDS} before each frame')
    add("--stamp", action="store_true", help="put number and time into a comment of each JPEG")
    add("--frames", type=count, metavar="N", help="end after so many")
    add("--picture", type=Path, metavar="FILE", help="only write one picture into a file")
    add("--post", action="store_true", help="push by HTTP POST")
    add(
        "--every",
        type=positive,
        metavar="SECONDS",
        help="with --post: the pause while nobody looks (default: 60)",
    )
    add("--firmware", choices=list(FIRMWARES), help="speak as this library does")
    add("--padding", type=count, default=0, metavar="BYTES", help="zeros behind each JPEG")
    add("--half-frames", type=count, default=0, metavar="N", help="cut each Nth frame in half")
    add("--stall", type=positive, metavar="SECONDS", help="have the link go down for so long")
    add(
        "--reboot",
        type=positive,
        metavar="SECONDS",
        help="with --firmware: vanish for so long, without a word",
    )
    add(
        "--fault-every",
        type=positive,
        default=10.0,
        metavar="SECONDS",
        help="how often it stalls or reboots (default: 10)",
    )
    return parser


def main() -> int:
    """Reads the command line, and pushes."""
    parser = arguments()
    options = parser.parse_args()
    web = options.url.scheme in ("http", "https")
    if options.post and (options.firmware or options.stall or options.reboot or options.clock):
        parser.error("--post does not go with --firmware, --clock, --stall or --reboot")
    if options.every and not options.post:
        parser.error("--every is for --post")
    if options.reboot and not options.firmware:
        parser.error("--reboot needs --firmware: the package websockets goes on answering pings")
    if options.firmware and options.url.scheme != "ws":
        parser.error("--firmware is for ws:// only")
    if options.post != web:
        scheme = {"ws": "http", "wss": "https", "http": "ws", "https": "wss"}[options.url.scheme]
        options.url = options.url._replace(scheme=scheme)
    plain = not (options.post or options.firmware or options.picture)
    if plain and importlib.util.find_spec("websockets") is None:
        parser.error("the package websockets is missing: pip install websockets")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.picture:
        options.picture.write_bytes(Camera(options).shoot().jpeg)
        return 0
    try:
        run(options)
    except Dead as dead:
        log(f"{dead}; a camera of this kind does not come again until it is reset")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
