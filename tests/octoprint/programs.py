"""OctoPrint, its printer, haproxy and a camera: what a user has, on ports of its own.

The printer is OctoPrint's virtual one. OctoPrint asks nothing of the internet: what would is
switched off, or told that there is none.
"""

import base64
import http.client
import json
import os
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from harness.cameras import ONE, ONE_AND_ONE_OFF
from harness.http import free_port, get, wait_listening
from harness.slot import Slot
from harness.waiting import DEADLINE, wait_for

OCTOPRINT = Path(os.environ["EYELID_TESTS_CACHE"]) / "octoprint/bin/octoprint"
USER = "eyelid"
STOP = 10  # seconds: OctoPrint ignores SIGTERM while a request of its own hangs
API_KEY = "f" * 32

# Longer than any test: a dwell of a second, again and again.
PRINT = "G4 S1\n" * 120
PLUGINS_OFF = [
    "achievements",
    "announcements",
    "corewizard",
    "discovery",
    "errortracking",
    "file_check",
    "firmware_check",
    "health_check",
    "pi_support",
    "pluginmanager",
    "softwareupdate",
    "tracking",
]


class Camera:
    """`eyelid-capture` and `eyelid-server`.

    A camera that falls asleep soon, and another one that is off.
    """

    def __init__(self, start, directory, *options):
        config, slots = directory / "eyelid.toml", directory / "slots"
        config.write_text(ONE_AND_ONE_OFF)
        self._start_capture = lambda: start("eyelid-capture", "--config", config, "--slot", slots)
        self.plug_in()
        self.slot = Slot(slots, self.capture)
        server = start(
            "eyelid-server",
            "--config",
            config,
            "--slots",
            slots,
            "--listen",
            "127.0.0.1:0",
            *options,
        )
        self.url = server.wait_log(r"listening on (http://127\.0\.0\.1:\d+)")[1]

    def plug_in(self):
        """Starts what makes frames, at first and again."""
        self.capture = self._start_capture()


class FilmedCamera:
    """`eyelid` with a camera that comes as H.264, too, and that pages of this origin may read."""

    def __init__(self, start, directory, origin):
        config, slots = directory / "eyelid.toml", directory / "slots"
        udp = free_port(kind=socket.SOCK_DGRAM)
        server = f'[server]\nallow-origin = "{origin}"\n[video]\nudp = {udp}\n'
        config.write_text(server + ONE)
        listen = ["--listen", "127.0.0.1:0"]
        program = start("eyelid", "--config", config, "--slots", slots, *listen)
        self.url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        self.slot = Slot(slots, program)
        assert get(self.url, "/snapshot").status == 200


def start_haproxy(start, octoprint, camera):
    """Starts haproxy before both; gives its URL."""
    port = free_port()
    ports = {
        "FRONTEND_PORT": port,
        "OCTOPRINT_PORT": octoprint.port,
        "WEBCAM_PORT": urlsplit(camera.url).port,
    }
    environment = os.environ | {name: str(value) for name, value in ports.items()}
    start(
        "/usr/sbin/haproxy", "-db", "-f", Path(__file__).with_name("haproxy.cfg"), env=environment
    )
    url = f"http://127.0.0.1:{port}"
    wait_listening(url)
    return url


class OctoPrint:
    """A running OctoPrint with its virtual printer."""

    def __init__(self, start, base, more=None, programs=None):
        """`more` is in its configuration, `programs` are before others on its path."""
        self._start = start
        path = os.environ["PATH"]
        self._environment = os.environ | {"PATH": f"{programs}:{path}" if programs else path}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._films = base / "timelapse"
        base.mkdir()
        (base / "config.yaml").write_text(
            json.dumps(configuration() | (more or {}))
        )  # JSON is YAML, too
        (base / "uploads").mkdir()
        (base / "uploads/print.gcode").write_text(PRINT)
        command = [OCTOPRINT, "--basedir", base]
        subprocess.run(
            [*command, "user", "add", USER, "--password", USER, "--admin"],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=2 * DEADLINE,
        )
        self._serve = [
            *command,
            "serve",
            "--iknowwhatimdoing",
            "--host",
            "127.0.0.1",
            "--port",
            self.port,
        ]
        self.run()

    def run(self):
        """Starts it, at first and again, and waits until it is up."""
        self.program = self._start(*self._serve, env=self._environment)
        wait_for(
            lambda: self._ready(),
            lambda: f"OctoPrint is up; its log:\n{self.program.out()}",
            2 * DEADLINE,
        )

    def _ready(self):
        assert self.program.running(), f"OctoPrint ended:\n{self.program.out()}{self.program.log()}"
        try:
            status, answer = self.ask("GET", "/api/connection")
            return status == 200 and answer["current"]["state"] == "Operational"
        except (OSError, http.client.HTTPException, ValueError):
            return False  # a page of "still starting" answers meanwhile

    def ask(self, method, path, content=None):
        """Asks its API; gives status and answer."""
        headers = {"X-Api-Key": API_KEY, "Content-Type": "application/json"}
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        ) as connection:
            connection.request(method, path, content and json.dumps(content), headers)
            response = connection.getresponse()
            body = response.read()
            return response.status, json.loads(body) if body else None

    def order(self, path, content):
        """Posts to its API what must succeed; gives the answer."""
        status, answer = self.ask("POST", path, content)
        assert 200 <= status < 300, f"{path} {content}: {status} {answer}"
        return answer

    def configure_webcam(self, stream, snapshot, **settings):
        """Saves the dialog "Classic Webcam"."""
        webcam = {
            "stream": stream,
            "streamTimeout": 1,
            "snapshot": snapshot,
            "snapshotAuth": "none",
            "cacheBuster": False,
            **settings,
        }
        self.order("/api/settings", {"plugins": {"classicwebcam": webcam}})

    def test_snapshot(self, url, **settings):
        """Presses the dialog's button "Test" beside the snapshot URL.

        Gives the answer and the picture's bytes.
        """
        answer = self.order(
            "/api/util/test",
            {
                "command": "url",
                "url": url,
                "method": "GET",
                "response": "bytes",
                "timeout": 5,
                "content_type_whitelist": ["image/*"],
                "content_type_guess": True,
                **settings,
            },
        )
        return answer, base64.b64decode(answer.get("response", {}).get("content", ""))

    def snapshot(self):
        """Has it take a picture, as it does for a time-lapse; gives its answer."""
        return get(self.url, "/downloads/camera/current", **{"X-Api-Key": API_KEY})

    def choose_timelapse(self, mode, **settings):
        """Saves the tab "Timelapse"; gives the mode that OctoPrint then is in."""
        return self.order("/api/timelapse", {"type": mode, **settings})["config"]["type"]

    def timelapse(self):
        """Gives the mode of the time-lapse."""
        return self.ask("GET", "/api/timelapse")[1]["config"]["type"]

    @contextmanager
    def printing(self, interval):
        """Prints, with a time-lapse of a picture each so many seconds."""
        for left in self._pictures():  # by a test that failed
            left.unlink()
        self.choose_timelapse("timed", interval=interval, renderAfterPrint="never")
        self.print()
        try:
            yield
        finally:
            self.order("/api/job", {"command": "cancel"})
            wait_for(lambda: self.state() == "Operational", "the end of the print")

    def pictures(self, count):
        """Gives the first pictures, as soon as there are that many and one more.

        The one more may be written yet.
        """
        return wait_for(lambda: len(found := self._pictures()) > count and found, "the pictures")[
            :count
        ]

    def film(self, prefix):
        """Has it make a film of the pictures whose names start so; gives the film's path.

        The pictures are removed.
        """
        self.order(f"/api/timelapse/unrendered/{prefix}", {"command": "render"})
        pictures = self._films / "tmp"
        return wait_for(
            lambda: not any(pictures.glob("*.jpg")) and list(self._films.glob(f"{prefix}*.mp4")),
            "the film",
        )[0]

    def _pictures(self):
        try:
            return sorted(
                (self._films / "tmp").glob("*.jpg"), key=lambda path: path.stat().st_mtime_ns
            )
        except FileNotFoundError:  # removed meanwhile
            return []

    def print(self):
        """Begins a print."""
        self.order("/api/files/local/print.gcode", {"command": "select", "print": True})

    def state(self):
        """Gives what the printer does."""
        return self.ask("GET", "/api/connection")[1]["current"]["state"]


@contextmanager
def running_octoprint(start, base, more=None, programs=None):
    """Runs OctoPrint; it stops, or is killed."""
    octoprint = OctoPrint(start, base, more, programs)
    try:
        yield octoprint
    finally:
        octoprint.program.end(STOP)


def log_in(page, address):
    """Opens OctoPrint in a browser's page and logs in."""
    page.goto(address)
    page.fill("#login-user", USER)
    page.fill("#login-password", USER)
    page.click("#login-button")
    wait_started(page)


def wait_started(page):
    """Waits until the page has started.

    A tab that is chosen before that is not told that it is shown.
    """
    page.wait_for_function("window.OctoPrint?.coreui?.startedUp === true")


def configuration():
    """Gives what a user who has done the wizard has in config.yaml."""
    return {
        "api": {"key": API_KEY},
        "plugins": {"_disabled": PLUGINS_OFF, "virtual_printer": {"enabled": True}},
        "serial": {"port": "VIRTUAL", "autoconnect": True},
        "server": {
            "firstRun": False,
            "onlineCheck": {"enabled": True, "host": "127.0.0.1", "port": 1},  # nobody is there
            "pluginBlacklist": {"enabled": False},
        },
        "webcam": {"ffmpeg": "/usr/bin/ffmpeg"},
    }


def show_tab(page, name):
    """Shows one of OctoPrint's tabs.

    Nothing is loaded for it, though the driver would wait for that.
    """
    page.click(f"#{name}_link a", no_wait_after=True)
