"""A camera that pushes steadily and one who looks at it, in a process of their own.

What is done to the receiver meanwhile must cost them nothing.
"""

import multiprocessing
import statistics

from cameras import Pushing
from viewing import Viewer
from wire import WebSocket

from harness.waiting import wait_for

FPS = 20


class Steady:
    """Pushes and looks until it is left. What was not as it must be fails there."""

    # Which part of the pictures must be shown. All are; nine of ten on a machine that has five
    # times as much to do as it has processors.
    least_shown = 0.8

    def __init__(self, receiver, server, name="default"):
        context = multiprocessing.get_context("fork")
        self._seen = context.Value("i", 0)
        self._stop = context.Event()
        self._report, theirs = context.Pipe(duplex=False)
        arguments = (receiver.url, server, name, theirs)
        self._process = context.Process(target=self._run, args=arguments, daemon=True)

    def __enter__(self):
        self._process.start()
        self.thrive(5)
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        sent, longest_s, wrong, seen = (
            self._report.recv() if self._report.poll(60) else (0, 0, "no report", [])
        )
        self._process.join()
        if kind:
            return
        assert not wrong, wrong
        assert longest_s < 1, f"a picture took {longest_s:.1f} s to send"
        print(f"{len(seen)} of {sent} pictures were shown")
        assert len(seen) > self.least_shown * sent, f"{len(seen)} of {sent} pictures were shown"
        age_ms = statistics.median(each.age_ms for each in seen)
        assert age_ms < 100, f"they were {age_ms:.0f} ms old"

    def thrive(self, number):
        """Waits until so many more pictures were shown."""
        wanted = self._seen.value + number
        wait_for(
            lambda: self._seen.value >= wanted or not self._process.is_alive(),
            lambda: f"{number} pictures; {wanted - self._seen.value} are missing",
        )

    def _run(self, url, server, name, report):
        camera = WebSocket(url, f"/{name}")
        with (
            Viewer(server, f"/{name}/stream") as viewer,
            Pushing(camera.send_jpeg, FPS) as pushing,
        ):
            first = viewer.wait(1)[0]
            while not self._stop.wait(0.05) and not pushing.error:
                self._seen.value = len(viewer.seen)
            # Those that were sent before anybody looked count for nothing.
            sent = pushing.sent - first.number
        wrong = repr(pushing.error) if pushing.error else ""
        if not camera.silent():
            wrong = f"heard {camera.receive()}"
        report.send((sent, pushing.longest_send_s, wrong, viewer.seen))
