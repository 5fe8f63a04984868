"""Alerts as eyelid-watch writes them, and a model that answers what it is told to."""

import io
import json
import os
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from PIL import Image, ImageDraw

SIZE = (320, 180)
BEGIN = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)

# Where the picture of each alert has something: a share of its size, and the pixels of that.
THING = {"left": 0.25, "top": 0.5, "width": 0.125, "height": 0.25}
THING_PX = (80, 90, 120, 135)

# What a model, or who may write a file, could try to have on the page.
MARKUP = (
    "<img src=x onerror=\"window.hacked='reason'\"><script>window.hacked='script'</script>"
    "\"'><svg onload=window.hacked='svg'> ]]> {{root}} \u202eabc"
)


def rfc3339(moment):
    """Gives a moment as alerts have it, with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def picture():
    """Gives a JPEG with something orange at its place."""
    image = Image.new("RGB", SIZE, (60, 80, 90))
    left, top, right, bottom = THING_PX
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=(220, 120, 40))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90)
    return data.getvalue()


PICTURE = picture()


class Alerts:
    """The directories that eyelid-watch has: of alerts, of states, of rules."""

    def __init__(self, directory):
        self.alerts, self.state, self.rules = (
            directory / name for name in ("alerts", "state", "rules")
        )
        for path in (self.alerts, self.state, self.rules):
            path.mkdir()

    def tables(self):
        """Gives what the configuration says of them."""
        names = {"alerts": self.alerts, "state": self.state, "rules": self.rules}
        return "".join(f"{name} = {json.dumps(str(path))}\n" for name, path in names.items())

    def put(self, second, camera="door", rule="parcel", has_picture=True, **more):
        """Writes an alert, so many seconds after the first; gives its name."""
        at = rfc3339(BEGIN + timedelta(seconds=second))
        name = f"{at.replace('-', '').replace(':', '')}-{camera}-{rule}"
        alert = {
            "version": 1,
            "id": name,
            "camera": camera,
            "rule": rule,
            "kind": "seen",
            "at": at,
            "picture": has_picture,
        }
        if has_picture:
            self._rename(self.alerts / f"{name}.jpg", PICTURE)
        self._rename(self.alerts / f"{name}.json", json.dumps(alert | more).encode())
        return name

    def tell_state(self, camera, rules, watching=True, blind=None):
        """Writes what the rules of a camera are in, as its watcher does."""
        at = rfc3339(BEGIN)
        state = {
            "version": 1,
            "camera": camera,
            "saved": {"boot": "", "boot_ms": 1, "wall": at},
            "watching": watching,
            "blind": blind and {"cause": blind, "since": at},
            "rules": {
                name: {"state": state, "since": at, "judge": "says"}
                for name, state in rules.items()
            },
        }
        self._rename(self.state / f"{camera}.json", json.dumps(state).encode())

    def cases(self):
        """Gives the names of the alerts that users have kept as cases."""
        directory = self.alerts / "cases"
        return sorted(path.name for path in directory.iterdir()) if directory.exists() else []

    def made_rules(self, camera):
        """Gives the rules of a camera that were made on the page."""
        path = self.rules / f"{camera}.json"
        return json.loads(path.read_text())["rules"] if path.exists() else []

    @staticmethod
    def _rename(path, data):
        hidden = path.with_name(f".{path.name}.tmp")
        hidden.write_bytes(data)
        os.rename(hidden, path)


class Model(BaseHTTPRequestHandler):
    """Answers each question with "yes"."""

    def do_POST(self):
        """Says so of every rule that is asked, with markup for a reason."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = {
            "seen": "a door",
            "answers": [{"rule": "asked", "reason": MARKUP, "answer": "yes", "confidence": 0.9}],
        }
        message = {"role": "assistant", "content": json.dumps(said)}
        answer = {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}
        self.server.asked.append(asked)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""
