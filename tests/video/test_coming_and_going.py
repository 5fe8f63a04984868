"""Viewers come and go by all ways, and the camera falls asleep between them: nothing may grow.

Half a minute of it runs with the other tests; EYELID_SOAK_MINUTES=60 has them come and go for an
hour (docs/reliability.md has one), EYELID_SOAK_CSV keeps what was used meanwhile.
"""

import os
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin

import pytest

from harness import elsewhere, whep
from harness.samples import Samples, rise
from harness.waiting import wait_for

AT_ONCE = 9
SAMPLE_EVERY_S = 10.0  # or oftener, to have forty in all
LONG_MINUTES = 20  # from then on rates can be told, and what ends by itself after 15 s comes, too
AGAIN_S = 12  # a page that sees nothing by then tries again; a busy machine may take so long
SDP = {"Content_Type": "application/sdp"}


class Round:
    """Viewers that come until a moment, each by its way, and go."""

    def __init__(self, shown, url, end, dice):
        self.shown, self.url, self.end = shown, url, end
        self.dice = dice
        self.sessions = Counter()
        self.failures = []

    def run(self, way):
        """Comes and goes by one way, again and again; keeps what goes wrong."""
        try:
            while True:
                way(self)
                self.sessions[way.__name__] += 1
                if time.monotonic() >= self.end:
                    return
        except Exception as error:
            self.failures.append(f"{way.__name__}: {error!r}")
            print(self.failures[-1], flush=True)

    def stay(self):
        """Watches for some time."""
        time.sleep(self.dice.uniform(0, 0.5))


def webrtc(round_):
    """Watches by WebRTC, and says that it goes, or does not."""
    given_up = time.monotonic() + 3 * AGAIN_S
    while True:
        with whep.Viewer(round_.url) as viewer:
            end = time.monotonic() + AGAIN_S
            while not viewer.frames and not viewer.failed and time.monotonic() < end:
                time.sleep(0.02)
            if viewer.frames:
                round_.stay()
                if round_.dice.random() < 0.5:
                    assert round_.shown.ask(viewer.resource, "DELETE").status in (200, 204)
                return
            assert time.monotonic() < given_up, viewer.failed or "no picture"
            round_.sessions["webrtc again"] += 1


def nobody(round_):
    """Asks for a session, and asks for its end before anything has come."""
    answer = round_.shown.ask("/door/whep", "POST", whep.offer(), **SDP)
    assert answer.status == 201, answer
    resource = urljoin("/door/whep", answer.headers["location"])
    assert round_.shown.ask(resource, "DELETE").status in (200, 204)
    time.sleep(0.2)  # else it opens them faster than it may


def refused(round_):
    """Offers what there is not."""
    answer = round_.shown.ask("/door/whep", "POST", whep.offer(96, "VP8", ""), **SDP)
    assert answer.status == 406, answer
    time.sleep(0.2)


def mse(round_):
    """Watches by a WebSocket, and closes it, or is gone without a word."""
    with round_.shown.mse() as viewer:
        viewer.fragment()
        round_.stay()
        if round_.dice.random() < 0.3:
            viewer.socket.socket.shutdown(socket.SHUT_RDWR)
            viewer.socket.socket.close()
    time.sleep(0.1)


def raw_tap(round_):
    """Reads a camera's tap."""
    with round_.shown.tap() as tap:
        tap.read(1000)
        round_.stay()


def timed_tap(round_):
    """Reads the tap at which a camera is named, and asks for a keyframe."""
    with round_.shown.timed() as tap:
        tap.picture()
        tap.ask_key()
        tap.picture()
        round_.stay()


def vanishes(round_):
    """Asks for a session, and never comes."""
    assert round_.shown.ask("/door/whep", "POST", whep.offer(), **SDP).status == 201
    time.sleep(max(0, round_.end - time.monotonic()))


SHORT = [webrtc, webrtc, webrtc, mse, mse, raw_tap, timed_tap, nobody, refused]


@pytest.fixture(scope="session")
def minutes():
    """For how long they come and go."""
    return float(os.environ.get("EYELID_SOAK_MINUTES", "0.5"))


def test_nothing_grows(camera, video, directory, minutes):
    seed = int(os.environ.get("EYELID_SOAK_SEED", random.randrange(2**32)))
    path = Path(os.environ.get("EYELID_SOAK_CSV", directory / "viewers.csv"))
    dice = random.Random(seed)
    door = camera(size=(320, 240))
    # Else a second encoder's thread now and then gets a heap of its own, of megabytes that stay;
    # and malloc keeps what an encoder gave back, up to twice its largest buffer, for the next one.
    one_heap = os.environ | {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}
    shown = video(listen="0.0.0.0:0", env=one_heap)
    url = f"http://{elsewhere.HERE}:{shown.port}"  # aiortc has no candidates of loopback
    sessions, failures, sleeps = Counter(), [], 0
    samples = None
    began = time.monotonic()
    seconds = 60 * minutes
    next_sample = 0
    while time.monotonic() < began + seconds or len(samples.rows) < 8:
        round_ = Round(shown, url, time.monotonic() + dice.uniform(0.5, 2), dice)
        ways = [*SHORT, vanishes] if minutes >= LONG_MINUTES else SHORT
        threads = [
            threading.Thread(target=round_.run, args=[way]) for way in dice.choices(ways, k=AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sessions += round_.sessions
        failures += round_.failures
        door.wait_state("asleep")
        sleeps += 1
        # What is open with nobody there is known when all ways were gone once.
        samples = samples or Samples(path, {"video": shown.pid, "capture": door.program.pid})
        if time.monotonic() >= next_sample:
            samples.take(sessions=sessions.total(), sleeps=sleeps, failures=len(failures))
            next_sample = time.monotonic() + min(SAMPLE_EVERY_S, seconds / 40)

    wait_for(lambda: not shown.status()["sessions"], "nobody there")
    before, after = samples.quarter(2), samples.quarter(4)
    held, grown = samples.growth(memory_factor=1.05, memory_kib=512)
    report = [f"{minutes:g} minutes, seed {seed}: {dict(sessions)}, {sleeps} sleeps", *held]
    wrong = [*failures, *grown]
    for program in ("video", "capture"):
        used = [
            1e3 * rise(rows, f"{program}_cpu_s") / max(1, rise(rows, "sessions"))
            for rows in (before, after)
        ]
        report.append(f"{program}_cpu_ms for each session: {used[0]:.1f} then {used[1]:.1f}")
    print("\n".join(report))
    assert not wrong, "\n".join(wrong)
    assert all(sessions[way.__name__] for way in SHORT), sessions
