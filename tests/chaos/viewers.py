"""Clients that go on whatever happens, and tell what should not have happened to them."""

import http.client
import threading
import time

from harness.http import get
from harness.stream import BrokeOff, Stream

RECOVERED_S = 2.0  # within this of the end of a fault all is well again
# A client of a server that nobody harms has its answer within this, or something hangs: the server
# itself waits 1 s for a frame.
HUNG_S = RECOVERED_S + 1.0
RETRY_S = 0.1


class Viewer(threading.Thread):
    """One client. Subclasses say how it looks."""

    def __init__(self, site, pictures):
        super().__init__(daemon=True)
        self.site = site
        self.pictures = pictures
        self.closing = False
        self.resting = False
        self.frames = 0
        self.progress = time.monotonic()

    def run(self):
        while not self.closing:
            looking = self.site.looking.wait(0.1)
            self.progress = time.monotonic()
            self.resting = not looking
            if not self.resting:
                try:
                    self.look()
                except Exception as error:
                    self.fails(repr(error))
                    time.sleep(RETRY_S)

    def look(self):
        """Looks, until there is a reason not to."""
        raise NotImplementedError

    def fails(self, what):
        """Keeps a failure."""
        self.site.fails(f"{type(self).__name__}: {what}")

    def saw(self, jpeg):
        """Checks and counts a frame."""
        self.pictures.check(jpeg)
        self.frames += 1

    def hangs(self):
        """Says whether it has waited for too long, and not because its server is being harmed."""
        waits = time.monotonic() - self.progress
        return not self.resting and min(waits, self.site.calm_for()) > HUNG_S


class StreamViewer(Viewer):
    """Watches a stream and opens it again when it ends."""

    shown = 0.0  # the capture of the newest frame that it has, seconds since 1970

    def look(self):
        server, calm = self.site.lives(), self.site.calm_for()
        watching = False
        try:
            with Stream(self.site.address) as stream:
                assert stream.status == 200, stream.status
                watching = True
                while self.site.looking.is_set():
                    part = stream.part()
                    self.progress = time.monotonic()
                    self.pictures.check(part.jpeg)
                    if part.live():
                        self.frames += 1
                        self.shown = float(part.headers["x-timestamp"])
        except (BrokeOff, OSError) as error:
            # A launcher that was killed leaves nobody to connect to for a while.
            if server is not None and server == self.site.lives() and (watching or calm):
                self.fails(f"the stream of a living server ended: {error!r}")
            time.sleep(RETRY_S)


class Poller(Viewer):
    """Sends one request after the other."""

    def look(self):
        server, asked, calm_s = self.site.lives(), time.time(), self.site.calm_for()
        try:
            self.ask(asked, calm_s)
        except (OSError, http.client.HTTPException) as error:
            if calm_s and server == self.site.lives():
                self.fails(f"a living server hung up: {error!r}")
        if self.hangs():
            self.fails(f"an answer after {time.monotonic() - self.progress:.1f} s")
        time.sleep(RETRY_S)

    def ask(self, asked, calm_s):
        """Sends a request at a moment (seconds since 1970).

        Nothing was done to the site for a while before.
        """
        raise NotImplementedError


class SnapshotPoller(Poller):
    """Takes snapshots."""

    in_calm = 0  # those for which there was no excuse

    def ask(self, asked, calm_s):
        answer = get(self.site.address, "/snapshot")
        calm = min(calm_s, self.site.calm_for()) >= RECOVERED_S
        self.in_calm += calm
        if answer.status == 200:
            self.saw(answer.body)
            assert float(answer.headers["x-timestamp"]) >= asked, (
                "a snapshot from before its request"
            )
        else:
            assert answer.status == 503, answer.status
            assert not calm, f"no snapshot in calm: {answer.body!r}"


class StatusPoller(Poller):
    """Asks how things are."""

    def ask(self, asked, calm_s):
        for path in ("/status", "/metrics", "/"):
            assert get(self.site.address, path).status == 200, path


class SlotPoller(Poller):
    """Reads the slot, without the server."""

    def ask(self, asked, calm_s):
        if seen := self.site.slot.look():
            self.saw(seen[1])


VIEWERS = 15 * [StreamViewer] + 5 * [SnapshotPoller] + 3 * [StatusPoller] + 2 * [SlotPoller]
