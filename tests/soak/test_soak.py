"""The camera falls asleep and wakes again and again while clients come and go: nothing may grow.

A minute of it runs with the other suites, hours of it on demand: see `run`. docs/reliability.md has
two hours.
"""

import os
import random
import threading
import time
from pathlib import Path

import pytest
import visitors

from harness.frames import Pictures, check_frame
from harness.metronome import Metronome
from harness.processes import program_named
from harness.samples import Samples, rise
from harness.slot import Slot, left_behind
from harness.stream import Stream

CLIENTS = 20
SAMPLE_EVERY_S = 10.0  # or oftener, to have forty in all
LONG_MINUTES = 20  # from then on rates can be told
WAKES_A_MINUTE = 8.4  # makes more than a thousand in two hours
AT_ONCE_S = 0.5  # what a view may take after the idle pause; 9 to 40 ms are seen
CONFIGURATION = """
[server]
idle-exit = "24h"

[cameras.default]
source = "test"
size = "640x480"
fps = 15
linger = "300ms"
"""


class Soak:
    """The run: rounds in which clients look, and rests in which the camera sleeps."""

    def __init__(self, camera, csv_path, seed, sample_every_s):
        self._camera = camera
        self._sample_every_s = sample_every_s
        self._random = random.Random(seed)
        self._pictures = Pictures()
        self._metronome = Metronome()
        with Stream(camera.url) as stream:
            assert stream.part().live()
        camera.slot.wait_state("asleep")
        pids = {name: program_named(camera.pid, f"eyelid-{name}") for name in ("server", "capture")}
        self.samples = Samples(csv_path, {"eyelid": camera.pid, **pids})
        self.wakes = self.frames = self.cards = 0
        self.awake_s = 0.0
        self.failures = []

    def go_on_until(self, end):
        """Lets clients come and go until a time."""
        next_sample = time.monotonic()
        while time.monotonic() < end:
            self._round()
            if time.monotonic() >= next_sample:
                self.sample()
                next_sample = time.monotonic() + self._sample_every_s
            time.sleep(self._random.uniform(0.0, 0.4))

    def sample(self):
        """Adds a row to the samples."""
        assert self._camera.running(), self._camera.log()
        self.samples.take(
            wakes=self.wakes,
            frames=self.frames,
            awake_s=round(self.awake_s, 1),
            failures=len(self.failures),
        )

    def _round(self):
        start = time.monotonic()
        looking = visitors.Round(
            self._camera, self._pictures, start + self._random.uniform(0.5, 3.0)
        )
        kinds = [visitors.watch, *self._random.choices(visitors.ALL, k=CLIENTS - 1)]
        threads = []
        for kind in kinds:
            delay = self._random.choice([0.0, self._random.uniform(0.0, 1.0)])
            threads.append(threading.Timer(delay, looking.run, [kind]))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self._camera.slot.wait_state("asleep")
        self.awake_s += time.monotonic() - start
        self.wakes += 1
        self.frames += looking.frames
        self.cards += looking.cards
        self.failures += looking.failures

    def rest(self, seconds):
        """Nobody looks for a while; then a view must come at once. Gives how long it took."""
        self.sample()
        time.sleep(seconds)
        self.sample()
        asked, took = self._view()
        while took > AT_ONCE_S and self._metronome.late_at > asked:
            asked, took = self._view()  # this machine had no time for it
        return took

    def _view(self):
        """Asks for a frame while the camera sleeps; gives when, and how long it took."""
        asked, wall = time.monotonic(), time.time()
        with Stream(self._camera.url) as stream:
            part = stream.part()
            took = time.monotonic() - asked
        assert part.live() and float(part.headers["x-timestamp"]) > wall
        check_frame(part.jpeg)
        self.wakes += 1
        self._camera.slot.wait_state("asleep")
        return asked, took


@pytest.fixture(scope="session")
def minutes():
    """How long to soak."""
    return float(os.environ.get("EYELID_SOAK_MINUTES", "1"))


def test_nothing_grows(start, directory, minutes):
    path = Path(os.environ.get("EYELID_SOAK_CSV", directory / "soak.csv"))
    seed = int(os.environ.get("EYELID_SOAK_SEED", random.randrange(2**32)))
    configuration = directory / "eyelid.toml"
    configuration.write_text(CONFIGURATION)
    camera = start(
        "eyelid",
        "--config",
        configuration,
        "--listen",
        "127.0.0.1:0",
        "--slots",
        directory / "slots",
    )
    camera.url = camera.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    camera.slot = Slot(directory / "slots", camera)
    seconds = 60 * minutes
    soak = Soak(camera, path, seed, min(SAMPLE_EVERY_S, seconds / 40))
    began = time.monotonic()
    # The pause lies in the third quarter; the second is compared with the last.
    soak.go_on_until(began + seconds / 2)
    first_view_s = soak.rest(seconds / 6)
    soak.go_on_until(began + seconds)
    soak.sample()

    before, after = soak.samples.quarter(2), soak.samples.quarter(4)
    held, grown = soak.samples.growth(memory_factor=1.03, memory_kib=128)
    report = [
        f"{minutes:g} minutes, seed {seed}:"
        f" {soak.wakes} wakes, {soak.frames} frames, {soak.cards} cards, "
        f"first view {1000 * first_view_s:.0f} ms after {seconds / 6:.0f} s of rest",
        *held,
    ]
    wrong = [*soak.failures, *grown]
    for program in ("eyelid", "server", "capture"):
        # It takes many rounds until those of one quarter are like those of another.
        if minutes < LONG_MINUTES:
            continue
        # For each frame and not for each second: a busy machine makes fewer frames.
        was, now = (
            1e6 * rise(rows, f"{program}_cpu_s") / rise(rows, "frames") for rows in (before, after)
        )
        report.append(f"{program}_cpu_us for each frame of a client: {was:.1f} then {now:.1f}")
        if now > 1.15 * was + 1:
            wrong.append(
                f"{program} uses more CPU: {was:.1f} then {now:.1f} us for each frame of a client"
            )
    print("\n".join(report))
    assert not wrong, "\n".join(wrong)
    assert first_view_s < AT_ONCE_S
    if minutes >= LONG_MINUTES:
        assert soak.wakes > WAKES_A_MINUTE * minutes, "the camera must often fall asleep"
    logged = camera.log().count(" awake")
    assert logged >= soak.wakes, f"{soak.wakes} wakes, of which the log has {logged}"
    assert not left_behind(camera.slot.path)
