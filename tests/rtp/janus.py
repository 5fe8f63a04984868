"""Janus, a gateway to WebRTC, with one mountpoint."""

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
    id = 1, audio = false, video = true
    {mountpoint}
}}
"""


def pulled(url, more=""):
    """Gives a mountpoint that pulls a camera by RTSP."""
    return f'type = "rtsp", url = "{url}"\n{more}'


def taken(port):
    """Gives a mountpoint that takes what comes to a port, as packets of a codec that it knows."""
    return f'type = "rtp", videoport = {port}, videopt = 26, videocodec = "vp8"'


class Janus:
    """A running one, with this mountpoint."""

    def __init__(self, start, directory, mountpoint):
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
            values = {"directory": directory, "port": port, "mountpoint": mountpoint}
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

    def record(self, path):
        """Has it write what comes into a file, PATH.mjr, until that is stopped."""
        media = [{"mid": self._media()["mid"], "filename": str(path)}]
        self.ask("recording", action="start", media=media)

    def stop(self):
        """Has it write no more."""
        self.ask("recording", action="stop", media=[{"mid": self._media()["mid"]}])

    def age_ms(self):
        """Gives how long ago the last packet came; None before the first one."""
        return self._media().get("age_ms")

    def _media(self):
        (media,) = self.ask("info")["info"]["media"]
        return media

    def _post(self, content):
        body = json.dumps({"transaction": "test", **content}).encode()
        with urllib.request.urlopen(self._path, body, DEADLINE) as response:
            return json.load(response)


def recorded(path):
    """Gives the packets of RTP in a recording.

    Behind eight bytes of a kind each has its length; those of the first kind are about the
    recording (Janus, record.c).
    """
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        kind, length_at = data[at : at + 4], at + 8
        if kind.startswith(b"MJR"):
            assert data[at : at + 8] == b"MJR00002", data[at : at + 8]
        else:
            assert kind == b"MEET", kind
        start = length_at + 2
        length = int.from_bytes(data[length_at:start])
        if kind == b"MEET":
            found.append(data[start : start + length])
        at = start + length
    return found
