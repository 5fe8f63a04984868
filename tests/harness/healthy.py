"""Proper clients, in a process of their own.

One streams all the while, and others come anew all the time.
"""

import multiprocessing
import statistics
import time
from threading import Thread

from harness.frames import check_frame
from harness.http import get
from harness.stream import Stream
from harness.waiting import wait_for


class Healthy:
    """Looks at a camera until it is left. What was not as it must be fails there."""

    def __init__(self, url):
        context = multiprocessing.get_context("fork")
        self._came = context.Value("i", 0)
        self._seen = context.Value("i", 0)
        self._stop = context.Event()
        self._report, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=self._run, args=(url, theirs), daemon=True)

    def __enter__(self):
        self._process.start()
        self.thrive(3)
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        self.seen, self.waits, wrong = (
            self._report.recv() if self._report.poll(90) else ([], [], ["no report"])
        )
        self._process.join()
        if kind:
            return
        assert not wrong, f"healthy clients suffered: {wrong}"
        # A fault makes it seconds; bench/hostile measures what it is.
        ages = [age for _, age in self.seen]
        for what, seconds in ("age of a frame", ages), ("wait for a snapshot", self.waits):
            median = statistics.median(seconds)
            assert median < 1, f"{what}: {median:.1f} s"

    def thrive(self, number):
        """Waits until that many more clients have got what they wanted.

        One of them was there before.
        """
        came, seen = self._came.value + number, self._seen.value + number
        wait_for(
            lambda: (
                (self._came.value >= came and self._seen.value >= seen)
                or not self._process.is_alive()
            ),
            lambda: (
                f"only {self._came.value} of {came} clients,"
                f" and {self._seen.value} of {seen} frames"
            ),
        )

    def _run(self, url, report):
        seen, waits, wrong = [], [], []  # seen: when a frame came, and how old it was

        def guarded(job):
            try:
                job()
            except Exception as error:
                wrong.append(repr(error))

        def watch():
            with Stream(url) as stream:
                while not self._stop.is_set():
                    part = stream.part()
                    came = time.time()
                    seen.append((came, came - float(part.headers["x-timestamp"])))
                    assert part.live(), "no signal"
                    self._seen.value += 1

        def come():
            while not self._stop.is_set():
                asked = time.time()
                answer = get(url, "/snapshot")
                waits.append(time.time() - asked)
                assert answer.status == 200, answer
                assert float(answer.headers["x-timestamp"]) >= asked, "an old frame"
                check_frame(answer.body)
                with Stream(url) as stream:
                    assert stream.part().live()
                self._came.value += 1

        threads = [Thread(target=guarded, args=(job,)) for job in (watch, come)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report.send((seen, waits, wrong))
