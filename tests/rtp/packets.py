"""Packets of RTP and RTCP, read as RFC 3550 and RFC 2435 have them, by code of the tests alone."""

import struct
from dataclasses import dataclass
from itertools import pairwise

NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203
PAYLOAD_FEEDBACK = 206
IDR, FRAGMENT = 5, 28
GOODBYE = bytes([0x81, BYE])  # how one of one source begins (RFC 3550, section 6.6)


@dataclass(frozen=True)
class Packet:
    """A packet of RTP/JPEG."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    offset: int
    payload: bytes


def packet(data):
    """Reads one."""
    first, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
    assert first == 0x80, f"version, padding, extension or sources: {first:#x}"
    offset = int.from_bytes(data[13:16])
    return Packet(bool(second & 0x80), second & 0x7F, sequence, timestamp, ssrc, offset, data[12:])


def check_frames(packets):
    """Fails where packets do not follow each other, or frames are not whole; gives the frames'
    timestamps.

    The last frame may not have ended.
    """
    for before, after in pairwise(packets):
        assert after.sequence == (before.sequence + 1) % 65536, "a packet is missing"
        assert after.ssrc == before.ssrc
        assert (after.offset == 0) == before.marker, "a frame without end"
        assert (after.timestamp == before.timestamp) == (not before.marker)
    return [packet.timestamp for packet in packets if packet.offset == 0]


def distance_90k(before, after):
    """Gives how far a clock's time is behind another, negative if before it."""
    return (after - before + 2**31) % 2**32 - 2**31


def reports(compound):
    """Gives the reports of a compound packet: (type, bytes) each."""
    found = []
    while compound:
        length = 4 * (int.from_bytes(compound[2:4]) + 1)
        assert compound[0] >> 6 == 2 and length <= len(compound), compound
        found.append((compound[1], compound[:length]))
        compound = compound[length:]
    return found


@dataclass(frozen=True)
class SenderReport:
    """What a sender says of its clock and of what it has sent."""

    ssrc: int
    seconds: float  # since 1970
    timestamp: int
    packets: int
    octets: int


def sender_report(data):
    """Reads one."""
    ssrc, seconds, fraction, timestamp, packets, octets = struct.unpack("!IIIIII", data[4:28])
    since_1970 = seconds - NTP_EPOCH + fraction / 2**32
    return SenderReport(ssrc, since_1970, timestamp, packets, octets)


def receiver_report(sender, lost=0, fraction=0, ssrc=0x5EE, sequence=0):
    """Gives a receiver's report about a sender; `fraction` is of 256, and `sequence` the number of
    the last packet that it has had.
    """
    block = struct.pack("!IB", sender, fraction) + lost.to_bytes(3)
    block += struct.pack("!IIII", sequence, 0, 0, 0)
    report = struct.pack("!BBHI", 0x81, RECEIVER_REPORT, 7, ssrc) + block
    name = b"\x01\x04test\0\0"
    return report + struct.pack("!BBHI", 0x81, SOURCE_DESCRIPTION, 1 + len(name) // 4, ssrc) + name


def picture_loss(sender, ssrc=0x5EE):
    """Gives what says that a receiver lacks a sender's picture (PLI, RFC 4585, section 6.3.1)."""
    return struct.pack("!BBHII", 0x81, PAYLOAD_FEEDBACK, 2, ssrc, sender)


def is_keyframe(payload):
    """Says whether a packet of H.264 is of a keyframe's picture (RFC 6184, sections 5.6 to 5.8)."""
    kind = payload[0] & 31
    if kind == FRAGMENT:
        kind = payload[1] & 31
    return kind == IDR


def goodbye(ssrc):
    """Gives what says that a sender or receiver leaves."""
    return GOODBYE + struct.pack("!HI", 1, ssrc)


def is_goodbye(compound, ssrc):
    """Says whether a compound packet has a farewell of this one."""
    return goodbye(ssrc) in [report for _, report in reports(compound)]
