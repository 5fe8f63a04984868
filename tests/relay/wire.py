"""What travels, version 1: by a second hand, for a host that lies."""

import hashlib
import json
import struct
from dataclasses import dataclass

REQUEST = struct.Struct(">BBHI24sQQ")
HEAD = struct.Struct(">BBHI24sQQQIII")
PART = struct.Struct(">BBHI24sQQ")
NO_FRAME = struct.Struct(">BBBBI24sQI")
DIRECTORY, PRESENCE, STATE = 6, 7, 5
PART_BYTES = 16 << 10


def tag(subject):
    """Gives the 8 bytes that stand for a subject."""
    return hashlib.sha256(subject.encode()).digest()[:8]


@dataclass
class Request:
    """What is asked."""

    id: bytes  # asker, subject and number: 8 bytes each
    hold_ms: int
    max_bytes: int
    has: tuple

    @classmethod
    def parse(cls, message):
        """Reads one."""
        version, kind, hold_ms, max_bytes, number, instance, sequence = REQUEST.unpack(message)
        assert (version, kind & 0x7F) == (1, 1)
        return cls(number, hold_ms, max_bytes, (instance, sequence))


def head(request, frame, jpeg_bytes, size, age_us=0, first=b""):
    """Says that a frame comes."""
    fields = (1, 2, 0, 0, request.id, *frame, age_us, *size, jpeg_bytes)
    return HEAD.pack(*fields) + first


def part(request, frame, offset, data):
    """Goes on with a frame."""
    return PART.pack(1, 3, 0, offset, request.id, *frame) + data


def frame(request, number, jpeg, size, age_us=0):
    """Gives all messages of a frame."""
    messages = [head(request, number, len(jpeg), size, age_us)]
    offsets = range(0, len(jpeg), PART_BYTES)
    pieces = (jpeg[offset : offset + PART_BYTES] for offset in offsets)
    messages += [part(request, number, *each) for each in zip(offsets, pieces, strict=True)]
    return messages


def no_frame(request, instance, reason=0):
    """Says that there is none."""
    return NO_FRAME.pack(1, 4, reason, 0, 0, request.id, instance, 0)


def directory(request, host, instance, cameras):
    """Says what a host shares."""
    said = {"host": host, "instance": f"{instance:016x}", "up_ms": 10**6, "cameras": cameras}
    return bytes([1, DIRECTORY, 0, 0]) + request.id + json.dumps(said).encode()


def presence(request, host, instance, revision=1):
    """Says that a host is there."""
    return (
        bytes([1, PRESENCE, 0, 0])
        + request.id
        + struct.pack(">QQ", instance, revision)
        + host.encode()
    )
