"""Home Assistant and two camera servers: what a user has, on ports of its own.

Home Assistant loads what it always loads and the two cameras, nothing that looks about in the
network. It installs nothing, and its wizard is done but for the user: the other steps would set up
what asks the internet.
"""

import http.client
import json
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from harness.cameras import ONE_AND_ONE_OFF
from harness.http import free_port, get, wait_listening
from harness.slot import Slot
from harness.stream import Stream
from harness.waiting import DEADLINE, wait_for

HASS = Path(os.environ["EYELID_TESTS_CACHE"]) / "homeassistant/bin/hass"
USER = "eyelid"
HERE = "http://127.0.0.1"

PASSWORD = "picture"
# The password, as htpasswd -B writes it.
USERS = "anna:$2b$04$7pi8H0xWtQ5hfAI8USmHBO81jQrCqIFW6gDDDlcHe7ZUlOX28m9fK\n"

DASHBOARD_CAMERA = "porch"
CARD = "hui-picture-entity-card"  # the element of it
DASHBOARD = {
    "views": [
        {
            "title": title,
            "cards": [
                {
                    "type": "picture-entity",
                    "entity": f"camera.{DASHBOARD_CAMERA}",
                    "camera_view": view,
                }
            ],
        }
        for title, view in [("Live", "live"), ("Stills", "auto")]
    ],
}
STILLS = "/lovelace/1"  # the second view

ONBOARDING = {
    "version": 4,
    "minor_version": 1,
    "key": "onboarding",
    "data": {"done": ["core_config", "analytics", "integration"]},
}


class Server:
    """`eyelid-server` on a port that stays the same."""

    def __init__(self, start, *arguments):
        self._start = start
        self._arguments = arguments
        self.url = f"{HERE}:{free_port()}"
        self.program = None

    def run(self):
        """Starts it, and waits until it listens."""
        address = self.url.removeprefix("http://")
        self.program = self._start("eyelid-server", *self._arguments, "--listen", address)
        wait_listening(self.url)


@dataclass
class Camera:
    """`eyelid-capture` and two servers, the second with a password."""

    slot: Slot
    open: Server
    closed: Server


def start_camera(start, directory):
    """Starts a camera that falls asleep soon, and another one that is off."""
    config, users, slots = directory / "eyelid.toml", directory / "users", directory / "slots"
    config.write_text(ONE_AND_ONE_OFF)
    users.write_text(USERS)
    capture = start("eyelid-capture", "--config", config, "--slot", slots)
    common = ["--config", config, "--slots", slots]
    camera = Camera(
        Slot(slots, capture), Server(start, *common), Server(start, *common, "--auth-file", users)
    )
    camera.open.run()
    camera.closed.run()
    return camera


@dataclass
class Entity:
    """A camera of Home Assistant's."""

    home: "HomeAssistant"
    name: str

    def picture(self):
        """Fetches the still picture; gives the answer."""
        return self.home.get(f"/api/camera_proxy/{self.name}")

    def stream(self):
        """Opens the live picture."""
        return Stream(self.home.url, self.stream_path(), version="1.0")

    def stream_path(self):
        """Gives the path of the live picture, with the token that the page has for it."""
        token = json.loads(self.home.get(f"/api/states/{self.name}").body)["attributes"][
            "access_token"
        ]
        return f"/api/camera_proxy_stream/{self.name}?token={token}"


class HomeAssistant:
    """A running Home Assistant with one user."""

    def __init__(self, start, directory):
        port = free_port()
        self.url = f"{HERE}:{port}"
        self.directory = directory
        self._token = None
        storage = directory / ".storage"
        storage.mkdir(parents=True)
        (directory / "www").mkdir()  # here it may write pictures
        (directory / "configuration.yaml").write_text(
            json.dumps(configuration(port))
        )  # JSON is YAML, too
        (directory / "ui-lovelace.yaml").write_text(json.dumps(DASHBOARD))
        (storage / "onboarding").write_text(json.dumps(ONBOARDING))
        self.program = start(HASS, "--config", directory, "--skip-pip")
        wait_for(
            self._ready,
            lambda: f"Home Assistant is up; its log:\n{self.program.log()}",
            3 * DEADLINE,
        )
        self._log_in()

    def _ready(self):
        log = self.program.log()
        assert self.program.running() and "Setup failed" not in log, (
            f"Home Assistant does not start:\n{log}"
        )
        try:
            return get(self.url, "/api/onboarding").status == 200
        except OSError:
            return False

    def _log_in(self):
        """Does the wizard's first step, which makes the owner and logs in."""
        owner = {
            "name": USER,
            "username": USER,
            "password": USER,
            "client_id": self.url,
            "language": "en",
        }
        code = self.order("/api/onboarding/users", owner)["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": self.url}
        self._token = self._post(
            "/auth/token", urlencode(form), "application/x-www-form-urlencoded"
        )["access_token"]
        wait_for(
            lambda: json.loads(self.get("/api/config").body)["state"] == "RUNNING",
            "the end of the start",
        )

    def get(self, path):
        """Asks its API; gives the answer."""
        return get(self.url, path, Authorization=f"Bearer {self._token}")

    def order(self, path, content):
        """Posts to its API what must succeed; gives the answer."""
        return self._post(path, json.dumps(content), "application/json")

    def _post(self, path, body, kind):
        return self._send("POST", path, body, {"Content-Type": kind})

    def _send(self, method, path, body=None, headers=None):
        headers = (headers or {}) | (
            {"Authorization": f"Bearer {self._token}"} if self._token else {}
        )
        with closing(
            http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=DEADLINE)
        ) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        assert 200 <= response.status < 300, f"{path} {body}: {response.status} {answer}"
        return json.loads(answer)

    def fill_in(self, integration, *forms):
        """Adds an integration as *Add integration* does; gives the answer to the last form."""
        flows = "/api/config/config_entries/flow"
        answer = self.order(flows, {"handler": integration, "show_advanced_options": False})
        for form in forms:
            assert answer["type"] == "form" and not answer["errors"], answer
            answer = self.order(f"{flows}/{answer['flow_id']}", form)
        return answer

    def remove(self, answer):
        """Removes an integration that a form has added."""
        entry = answer["result"]["entry_id"]
        self._send("DELETE", f"/api/config/config_entries/entry/{entry}")

    def state(self, entity):
        """Gives what an entity is in; None if there is none."""
        answer = self.get(f"/api/states/{entity}")
        return json.loads(answer.body)["state"] if answer.status == 200 else None

    def attributes(self, entity):
        """Gives the attributes of an entity."""
        return json.loads(self.get(f"/api/states/{entity}").body)["attributes"]

    def device(self, entity):
        """Gives the name of the device that an entity is of."""
        template = f"{{{{ device_attr('{entity}', 'name') | to_json }}}}"
        return self.order("/api/template", {"template": template})

    def add_mjpeg(self, name, stream, still=None, user=None, password=None):
        """Fills in the form of *MJPEG IP Camera*; gives the answer."""
        fields = {
            "mjpeg_url": stream,
            "still_image_url": still,
            "username": user,
            "password": password,
        }
        return self.fill_in(
            "mjpeg", {"name": name} | {key: value for key, value in fields.items() if value}
        )

    def entity(self, answer):
        """Gives the camera that a form has made; another may have its title."""
        assert answer["type"] == "create_entry", answer
        entry = answer["result"]["entry_id"]
        # A template's text; quoted, it is the JSON that all other answers are.
        own = f"state in states.camera if config_entry_id(state.entity_id) == '{entry}'"
        asked = {"template": f'"{{% for {own} %}}{{{{ state.entity_id }}}}{{% endfor %}}"'}
        name = wait_for(
            lambda: self.order("/api/template", asked),
            lambda: f"{answer['title']} in Home Assistant",
        )
        return Entity(self, name)


def log_in(page, home):
    """Opens the dashboard in a browser's page and logs in."""
    page.goto(home.url)
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(USER)
    page.keyboard.press("Enter")
    page.wait_for_selector(CARD)


def configuration(port):
    """Gives the configuration of somebody who has no `default_config`."""
    return {
        "homeassistant": {
            "name": "Home",
            "time_zone": "UTC",
            "latitude": 50,
            "longitude": 10,
            "elevation": 0,
            "unit_system": "metric",
            "currency": "EUR",
            "country": "DE",
        },
        "http": {"server_host": "127.0.0.1", "server_port": port},
        "lovelace": {"mode": "yaml"},
        "stream": {},
    }
