"""A camera that looks at a street, and a program that watches it."""

import json
import time

from scene import draw, seen
from street import walking

from harness.feed import Feed
from harness.idle_class import wait_watched
from harness.waiting import DEADLINE, wait_for


class Street:
    """The camera `door`: what it sees changes when it is told to."""

    def __init__(self, directory):
        self.slots = directory / "slots"
        picture = directory / "empty.jpg"
        picture.write_bytes(draw())
        self.feed = Feed(self.slots / "door", picture, fps=10)

    def show(self, **scene):
        """Shows another scene from the next frame on."""
        self.feed.jpeg = draw(**scene)

    def bring_until(self, condition, what):
        """Has somebody come, leave a parcel and go, again and again until a condition holds: until
        it is known what the view looks like, what moves there is not told.
        """
        end = time.monotonic() + 2 * DEADLINE
        while not condition():
            assert time.monotonic() < end, f"never: {what}"
            self.show()
            hold(4, condition)
            self._walk(range(40, 500, 20), draw())
            self._walk(range(500, 40, -20), draw(parcel=True))
            self.show(parcel=True)
            hold(15, condition)

    def _walk(self, places, scene):
        for left in places:
            self.feed.jpeg = walking(scene, left)
            hold(0.12, lambda: False)


def hold(seconds, condition):
    """Waits so long, or until a condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.02)


class Watcher:
    """`eyelid-watch --name door` with a configuration."""

    def __init__(self, start, street, path, alerts):
        self.alerts_directory, self.config = alerts, path
        self.program = start(
            "eyelid-watch", "--slots", street.slots, "--config", path, "--name", "door"
        )
        wait_watched(self.program)

    def alerts(self, **fields):
        """Gives the alerts that have such fields, the oldest first."""
        files = sorted(self.alerts_directory.glob("*.json"))
        alerts = [json.loads(path.read_text()) for path in files]
        return [alert for alert in alerts if fields.items() <= alert.items()]

    def wait_alert(self, deadline=DEADLINE, **fields):
        """Waits for an alert with such fields."""
        return wait_for(
            lambda: self.alerts(**fields),
            lambda: f"an alert {fields}; {self.alerts()}\n{self.program.log()}",
            deadline,
        )[0]

    def seen_in(self, alert):
        """Says what is to be seen in an alert's picture."""
        return seen((self.alerts_directory / f"{alert['id']}.jpg").read_bytes())[0]
