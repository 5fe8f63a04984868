"""`eyelid-watch` for the camera `door`, and visitors there."""

import json
import signal
import time

from harness.idle_class import wait_watched
from harness.programs import binary
from harness.waiting import wait_for

RULE = """[cameras.door.watch.rules.visitor]
motion = true
cool-down = "3s"
an-hour = 1000
notify = ["{ways}"]
"""


class Watch:
    """`eyelid-watch` for the camera `door`, that may be killed and started again."""

    def __init__(self, start, directory, ways, alerts=None, wrap=()):
        self._start, self.directory, self._wrap = start, directory, wrap
        self.alerts = alerts or directory / "alerts"
        self.state = directory / "state"
        self.config = directory / "eyelid.toml"
        self.configure(ways)
        self.program = None

    def configure(self, ways, rule=RULE):
        """Writes the configuration."""
        lines = [f'[watch]\nalerts = "{self.alerts}"\nstate = "{self.state}"\n']
        for name, options in ways.items():
            lines.append(f"[watch.notify.{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        lines.append(rule.format(ways='", "'.join(ways)))
        self.config.write_text("\n".join(lines))

    def run(self):
        """Starts it, and waits until it watches."""
        slots = self.directory / "slots"
        command = [*self._wrap, binary("eyelid-watch"), "--slots", slots, "--config", self.config]
        self.program = self._start(*command, "--name", "door")
        wait_watched(self.program)

    def kill(self):
        """Kills it as the kernel does for want of memory."""
        self.program.stop(signal.SIGKILL)

    def made(self):
        """Gives the alerts that lie there."""
        names = sorted(self.alerts.glob("*.json")) if self.alerts.exists() else []
        return [json.loads(name.read_text()) for name in names]

    def outbox(self):
        """Gives what is still to be told."""
        return list((self.state / "door.outbox").glob("*.json"))

    def standing(self):
        """Says whether the visitor is known to be there."""
        path = self.state / "door.json"
        rules = json.loads(path.read_text())["rules"] if path.exists() else {}
        return rules.get("visitor", {}).get("state") == "standing"


def visit(street, watch, during=None):
    """A visitor comes, is there until that is known, and goes; longer than the cool-down."""
    street.visitor = True
    if during:
        during()
    wait_for(watch.standing, lambda: f"a visitor is seen:\n{watch.program.log()}")
    street.visitor = False
    wait_for(lambda: not watch.standing(), "the visitor is gone")
    time.sleep(3.5)  # the cool-down itself is what is wanted


def settle():
    """Waits until the empty street is learned: there is no sign of that but time."""
    time.sleep(4)
