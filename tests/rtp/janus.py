"""Janus, a gateway to WebRTC, with one mountpoint that pulls a camera by RTSP."""

import json
import urllib.request
from pathlib import Path

from harness.http import free_port, wait_listening
from harness.waiting import DEADLINE

GENERAL = """
general: {{
    configs_folder = "{directory}"
    plugins_folder = "{directory}/plugins"
    transports_folder = "{directory}/transports"
}}
"""
HTTP = """
general: {{ http = true, port = {port}, ip = "127.0.0.1", json = "plain", base_path = "/janus" }}
admin: {{ admin_http = false }}
"""
MOUNTPOINT = """
door: {{
    type = "rtsp", id = 1, audio = false, video = true, url = "{url}"
    {more}
}}
"""


class Janus:
    """A running one; `more` are further lines of its mountpoint."""

    def __init__(self, start, directory, url, more=""):
        directory = directory / "janus"
        for kind, name in [("plugins", "streaming"), ("transports", "http")]:
            (directory / kind).mkdir(parents=True)
            (library,) = Path("/usr/lib").glob(f"*/janus/{kind}/libjanus_{name}.so")
            (directory / kind / library.name).symlink_to(library)
        port = free_port()
        for name, text in [
            ("janus.jcfg", GENERAL),
            ("janus.transport.http.jcfg", HTTP),
            ("janus.plugin.streaming.jcfg", MOUNTPOINT),
        ]:
            values = {"directory": directory, "port": port, "url": url, "more": more}
            (directory / name).write_text(text.format(**values))
        self.program = start("janus", "-C", directory / "janus.jcfg", "-F", directory)
        self._path = f"http://127.0.0.1:{port}/janus"
        wait_listening(self._path)
        for order in [{"janus": "create"}, {"janus": "attach", "plugin": "janus.plugin.streaming"}]:
            self._path += f"/{self._post(order)['data']['id']}"

    def ask(self, request, **more):
        """Asks the mountpoint; gives what it says."""
        answer = self._post({"janus": "message", "body": {"request": request, "id": 1, **more}})
        said = answer["plugindata"]["data"]
        assert "error" not in said, said
        return said

    def age_ms(self):
        """Gives how long ago the last packet came; None before the first one."""
        (media,) = self.ask("info")["info"]["media"]
        return media.get("age_ms")

    def _post(self, content):
        body = json.dumps({"transaction": "test", **content}).encode()
        with urllib.request.urlopen(self._path, body, DEADLINE) as response:
            return json.load(response)
