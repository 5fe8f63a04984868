"""A player in a process of its own, which notices when it misses anything."""

import itertools
import multiprocessing
import socket

import packets
from rtsp import Client, Ports

from harness.waiting import wait_for

SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BUFFER = 8 << 20  # bytes: many frames, should this process have to wait for its turn


class Viewer:
    """Plays a camera until it is left, by TCP or, if told to, by UDP.

    Fails there if a packet was missing, or nothing came for a while, or less than this share of the
    frames that a camera makes at this rate: all do not come where others keep the machine busy.
    """

    def __init__(self, url, path="/", fps=10, share=0.8, udp=False):
        context = multiprocessing.get_context("fork")
        self._seen = context.Value("i", 0)
        self._stop = context.Event()
        self._report, theirs = context.Pipe(duplex=False)
        play = self._by_udp if udp else self._by_tcp
        self._process = context.Process(
            target=self._run, args=(play, url, path, theirs), daemon=True
        )
        self._fps, self._share = fps, share

    def __enter__(self):
        self._process.start()
        self.see(5)
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        times, wrong = self._report.recv() if self._report.poll(40) else ([], "no report")
        self._process.join()
        if kind:
            return
        assert not wrong, f"the viewer suffered: {wrong}"
        pauses = [packets.distance_90k(*pair) / 90_000 for pair in itertools.pairwise(times)]
        assert max(pauses) < 5, f"nothing came for {max(pauses):.1f} s"
        expected = sum(pauses) * self._fps
        assert len(pauses) > self._share * expected, f"{len(pauses)} of {expected:.0f} frames"

    def see(self, number):
        """Waits until so many more frames have come."""
        seen = self._seen.value + number
        wait_for(
            lambda: self._seen.value >= seen or not self._process.is_alive(),
            lambda: f"only {self._seen.value} of {seen} frames came",
        )

    def _run(self, play, url, path, report):
        try:
            report.send((play(url, path), None))
        except Exception as error:
            report.send(([], repr(error)))

    def _by_tcp(self, url, path):
        with Client(url) as client:
            client.play(path)
            return self._watch(lambda: client.rtp_packets(1)[0])

    def _by_udp(self, url, path):
        with Client(url) as client, Ports() as ports:
            ports.rtp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
            ports.play(client, path)
            return self._watch(lambda: ports.packets(1)[0])

    def _watch(self, take):
        times, before = [], None
        while not self._stop.is_set():
            packet = take()
            if before:
                packets.check_frames([before, packet])
            before = packet
            if packet.marker:
                times.append(packet.timestamp)
                self._seen.value += 1
        return times
