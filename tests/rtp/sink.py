"""Receivers that keep what comes, and when."""

import socket
import struct
import threading
import time

import packets

from harness.waiting import wait_for

IP_RECVTTL = 12  # linux/in.h; socket has it from Python 3.14 on
JPEG = 26


def udp(address, port=5000):
    """Gives a socket of this address and port, IPv4 or IPv6."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((address, port))
    return sock


def join(group, interface, port):
    """Gives a socket that has joined a group by this interface, IPv4 or IPv6."""
    v6 = ":" in group
    family = socket.AF_INET6 if v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    sock.bind(("", port))
    index = socket.if_nametoindex(interface)
    if v6:
        member = socket.inet_pton(family, group) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    else:
        member = socket.inet_aton(group) + bytes(4) + struct.pack("@i", index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    return sock


class Sink(threading.Thread):
    """Takes what comes to a socket until it is closed; that of pictures is in `packets`."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.socket = sock
        self.datagrams = []  # as they came
        self.times = []  # when, of each
        self.packets = []  # of pictures
        self.marks = []  # what stands in the headers around it: {name: value}, of each
        self.senders = []
        self.stopped = False
        sock.settimeout(0.1)
        v6 = sock.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
        mark, hops = (
            (socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT)
            if v6
            else (socket.IP_RECVTOS, IP_RECVTTL)
        )
        sock.setsockopt(level, mark, 1)
        sock.setsockopt(level, hops, 1)
        self._names = (
            {socket.IPV6_TCLASS: "tos", socket.IPV6_HOPLIMIT: "ttl"}
            if v6
            else {socket.IP_TOS: "tos", socket.IP_TTL: "ttl"}
        )
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self):
        """Takes what comes."""
        while not self.stopped:
            try:
                data, ancillary, _, sender = self.socket.recvmsg(65536, 256)
            except TimeoutError:
                continue
            marks = {
                self._names[kind]: int.from_bytes(value, "little") for _, kind, value in ancillary
            }
            self.senders.append(sender)
            self.marks.append(marks)
            self.times.append(time.monotonic())
            if data[1] & 0x7F == JPEG:
                self.packets.append(packets.packet(data))
            self.datagrams.append(data)

    def close(self):
        """Takes nothing more, and gives the port up."""
        self.stopped = True
        self.join()
        self.socket.close()

    def wait(self, count=1):
        """Waits until so many packets of pictures have come after those that have."""
        before = len(self.packets)
        wait_for(lambda: len(self.packets) >= before + count, f"{count} packets")

    def check_frames(self):
        """Fails where a packet is missing; gives the frames' timestamps."""
        return packets.check_frames(list(self.packets))

    def size(self):
        """Gives the size of the picture that came last."""
        payload = self.packets[-1].payload
        return payload[6] * 8, payload[7] * 8
