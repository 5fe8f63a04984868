"""The receiver of RFC 2435, by code of the tests alone: a JPEG out of the packets of one frame."""

import io
import struct

import jpegs
from PIL import Image

RESTARTS = 64  # types from here on have a restart header (3.1.7)
SAMPLING = [b"\x21", b"\x22"]  # of the first component, by the type: 4:2:2, 4:2:0 (4.1)


def frames(packets):
    """Gives the packets of each frame that is whole; what is cut off at both ends is left out."""
    packets = list(packets)
    starts = [at for at, packet in enumerate(packets) if packet.offset == 0]
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        if packets[end - 1].marker:
            yield packets[start:end]


def jpeg(packets):
    """Gives the JPEG of a frame whose packets are all there, in their order."""
    first, scan = None, b""
    for packet in packets:
        kind, quality, width, height = packet.payload[4:8]
        rest, interval = packet.payload[8:], 0
        if kind >= RESTARTS:
            interval, rest = int.from_bytes(rest[:2]), rest[4:]
        if packet.offset == 0:
            _, precision, length = struct.unpack("!BBH", rest[:4])
            assert (quality, precision, length) == (255, 0, 128), "no tables in the first packet"
            first, rest = (kind, width, height, interval, rest[4:68], rest[68:132]), rest[132:]
        assert packet.offset == len(scan), "a packet is missing"
        scan += rest
    kind, width, height, interval, luma, chroma = first
    head = b"\xff\xd8" + _segment(0xDB, b"\0" + luma) + _segment(0xDB, b"\1" + chroma)
    if interval:
        head += _segment(0xDD, interval.to_bytes(2))
    components = b"\1" + SAMPLING[kind % RESTARTS] + b"\0\2\x11\1\3\x11\1"
    head += _segment(0xC0, struct.pack("!BHHB", 8, height * 8, width * 8, 3) + components)
    head += _standard_tables() + _segment(0xDA, b"\3\1\0\2\x11\3\x11\0\x3f\0")
    return head + scan + b"\xff\xd9"


def _segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


def _standard_tables():
    """Takes the Huffman tables of ITU-T T.81, annex K.3, from libjpeg, which has no others for a
    picture that is not optimised."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    head, _ = jpegs.segments(file.getvalue())
    return b"".join(data for code, data in head if code == jpegs.DHT)
