"""Programs are killed, stopped and starved at random moments while fifty clients look: nothing may
tear, hang or leak.

A minute of it runs with the other suites, twenty on demand (EYELID_CHAOS_MINUTES). The seed is in
the output; the moments at which a kernel runs whom are not in it, so that a seed gives the same
faults but not the same run.
"""

import itertools
import os
import random
import statistics
import threading
import time

from faults import harm
from sites import family
from viewers import HUNG_S, RECOVERED_S, VIEWERS, SnapshotPoller, StatusPoller, StreamViewer

from harness.frames import Pictures
from harness.slot import left_behind
from harness.waiting import wait_for

RESTS = 10  # in a short run; in a long one all clients rest every 30 s
REST_EVERY_S = 30.0
CALM_EVERY = 4  # rounds; then nothing is done for long enough to see what hangs
CALM_AT_MOST_S = 20.0
MOST_FAULTS_AT_ONCE = 3


def torment(site, seed, end):
    """Harms a site again and again, and sees it recover each time.

    Now and then all clients rest.
    """
    randomness = random.Random(seed)
    rest_every_s = min(REST_EVERY_S, (end - time.monotonic()) / RESTS)
    rest_at = time.monotonic() + rest_every_s
    for count in itertools.count(1):
        if time.monotonic() > end or site.failures:
            return
        site.calm_since = None
        harm_some(site, randomness)
        recover(site)
        if count % CALM_EVERY:
            time.sleep(randomness.uniform(0.0, 1.5))
        else:
            be_calm(site)
        for viewer in site.clients:
            if viewer.hangs():
                site.fails(f"{type(viewer).__name__} hangs")
        if time.monotonic() > rest_at:
            rest(site)
            rest_at = time.monotonic() + rest_every_s


def be_calm(site):
    """Does nothing until the machine has had time for long enough, or seems never to have it."""
    end = time.monotonic() + CALM_AT_MOST_S
    while site.calm_for() < HUNG_S + 1.0 and time.monotonic() < end:
        time.sleep(0.1)


def harm_some(site, randomness):
    """Does up to three things to a site, that may overlap."""

    def one(seed):
        alone = random.Random(seed)
        time.sleep(alone.uniform(0.0, 1.0))
        try:
            harm(site, alone)
        except Exception as error:
            site.fails(repr(error))

    threads = [
        threading.Thread(target=one, args=[randomness.random()])
        for _ in range(randomness.randint(1, MOST_FAULTS_AT_ONCE))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def recover(site):
    """Notes how long it takes until each stream shows a frame of the time after the fault.

    That is one captured after the programs were back.
    """
    site.ensure_running()
    site.calm_since, back_wall = time.monotonic(), time.time()
    streams = [viewer for viewer in site.clients if isinstance(viewer, StreamViewer)]

    def behind():
        return sum(viewer.shown <= back_wall for viewer in streams)

    wait_for(
        lambda: not behind(),
        lambda: f"live streams: {behind()} of {len(streams)} still show the past",
    )
    site.returns_s.append(site.calm_for())


def rest(site):
    """All clients rest; what the programs have now is compared with what they had at the start."""
    site.looking.clear()
    wait_for(lambda: all(viewer.resting or viewer.hangs() for viewer in site.clients), "rest")
    hang = [type(viewer).__name__ for viewer in site.clients if not viewer.resting]
    assert not hang, f"these hang: {hang}"
    site.slot.wait_state("asleep")
    site.rests.append(at_rest(site))
    site.looking.set()


def at_rest(site):
    """Gives what the programs have once they rest, and sees that it is no more than at first."""
    first = site.rests[0] if site.rests else None
    counted = ("descriptors", "threads", "watches")

    def rested():
        now = site.usage()
        if first is None:
            return now
        less = all(
            getattr(now[name], what) <= getattr(first[name], what)
            for name in first
            for what in counted
        )
        return now if less else None

    def leaked():
        return f"as much as at first ({first}) and not {site.usage()}"

    now = wait_for(rested, leaked)
    assert not left_behind(site.slot.path)
    return now


def test_nothing_tears_hangs_or_leaks(both):
    minutes = float(os.environ.get("EYELID_CHAOS_MINUTES", "1"))
    seed = int(os.environ.get("EYELID_CHAOS_SEED", random.randrange(2**32)))
    print(f"EYELID_CHAOS_SEED={seed}")
    pictures = Pictures()
    for site in both:
        site.clients = [viewer(site, pictures) for viewer in VIEWERS]
        for viewer in site.clients:
            viewer.start()
        site.looking.set()
        recover(site)
        rest(site)
    end = time.monotonic() + 60 * minutes

    def guarded(site):
        try:
            torment(site, f"{seed} {type(site).__name__}", end)
            if not site.failures:
                rest(site)
        except AssertionError as error:
            site.fails(str(error))

    threads = [threading.Thread(target=guarded, args=[site]) for site in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(both)
    for site in both:
        for viewer in site.clients:
            viewer.closing = True
        site.looking.clear()
    for site in both:
        if not in_calm(site):
            site.fails("no snapshot in calm was looked at")
        for viewer in site.clients:
            if not (viewer.frames or isinstance(viewer, StatusPoller)):
                site.fails(f"{type(viewer).__name__} saw nothing")
    assert not (failures := [failure for site in both for failure in site.failures]), "\n".join(
        failures
    )
    assert sorted(family()) == sorted(pid for site in both for pid in site.pids().values()), (
        "processes are left behind"
    )
    slow = [seconds for site in both for seconds in site.returns_s if seconds > RECOVERED_S]
    assert not slow, f"streams must be live within {RECOVERED_S} s of the programs' return: {slow}"
    for site in both:
        assert_flat(site)


def assert_flat(site):
    """Memory at rest is what it was.

    Of a program that was killed, so is that of the one in its place.
    """
    quarter = len(site.rests) // 4
    assert quarter, f"only {len(site.rests)} rests"
    for name in site.rests[0]:
        early, late = (
            statistics.median(rest[name].rss_kib for rest in rests)
            for rests in (site.rests[quarter : 2 * quarter], site.rests[-quarter:])
        )
        assert late <= 1.1 * early + 512, f"{name} grows: {early} KiB, later {late}"


def in_calm(site):
    """Gives how many snapshots were taken when there was no excuse for having none."""
    return sum(viewer.in_calm for viewer in site.clients if isinstance(viewer, SnapshotPoller))


def report(both):
    """Prints what happened."""
    for site in both:
        returns_ms = sorted(1000 * seconds for seconds in site.returns_s)
        frames = sum(viewer.frames for viewer in site.clients)
        print(
            f"{type(site).__name__}: {len(returns_ms)} recoveries,"
            f" after p50 {statistics.median(returns_ms):.0f} ms, "
            f"at most {returns_ms[-1]:.0f} ms; {frames} frames; {in_calm(site)} snapshots in calm; "
            f"{len(site.rests)} rests; last {site.rests[-1]}"
        )
