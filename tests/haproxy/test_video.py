"""H.264 through haproxy and nginx: what is asked goes through them, WebRTC's pictures beside them.

The configurations are those of docs/reverse-proxy.md and docs/video.md.
"""

import re
import socket
from pathlib import Path

import pytest
from conftest import CAMERA
from test_examples import PEM, example, server_section
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from harness.http import free_port, get
from harness.slot import Slot
from harness.waiting import DEADLINE
from harness.whep import JsonViewer, Viewer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "video.md").read_text()
# What a browser says of itself on a page of the proxy's.
BROWSER = {"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.fixture
def filmed(start, directory):
    """`eyelid` with a camera that comes as H.264, too; gives its slot."""
    config, slots = directory / "eyelid.toml", directory / "slots"
    udp = free_port(kind=socket.SOCK_DGRAM)
    camera = '[cameras.default]\nsource = "test"\nfps = 15\nlinger = "500ms"\n'
    config.write_text(f"[video]\nudp = {udp}\n{camera}")
    program = start("eyelid", "--config", config, "--slots", slots, "--listen", CAMERA)
    program.wait_out("http://")
    return Slot(slots, program)


def assert_plays(url, slot):
    """By WHEP, by camera-streamer's JSON and by MSE, and each ends."""
    with Viewer(url, "/webcam/whep", **BROWSER) as viewer:
        viewer.wait_frames(5)
        assert viewer.resource.startswith("/webcam/whep/")
        candidate = b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
        there = {**BROWSER, **FRAGMENT, "If-Match": viewer.tag}
        assert get(url, viewer.resource, "PATCH", candidate, **there).status == 204
        assert get(url, viewer.resource, "DELETE", **BROWSER).status == 200
        assert get(url, viewer.resource, "DELETE", **BROWSER).status == 404
    with JsonViewer(url, "/webcam/webrtc", **BROWSER) as viewer:
        viewer.wait_frames(5)
    with watch_mse(url) as mse:
        received = [mse.recv(DEADLINE) for _ in range(10)]
        assert sum(isinstance(message, bytes) for message in received) > 5
    slot.wait_state("asleep")


def watch_mse(url):
    """Opens the WebSocket, as a page of the proxy's does."""
    options = {"origin": BROWSER["Origin"], "max_size": None, "open_timeout": DEADLINE}
    return connect(f"{url.replace('http', 'ws')}/webcam/mse", **options)


def test_through_haproxy(filmed, haproxy, directory, pem):
    path = directory / "haproxy.cfg"
    path.write_text(example("haproxy").replace(PEM, str(pem)))
    assert_plays(haproxy(path).url, filmed)


def test_through_haproxy_as_octopi_and_octoprint_have_it(filmed, configuration, haproxy):
    assert_plays(haproxy(configuration).url, filmed)


def lines(name):
    """Gives an example of docs/video.md."""
    found = re.search(rf"<!-- run: {name} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"docs/video.md has no example {name!r}"
    return found[1].splitlines()


def test_through_nginx(filmed, nginx, pem):
    section = server_section(pem)
    assert section[-1].strip() == "}", "the end of its location"
    section[-1:-1] = lines("nginx")
    assert_plays(nginx(*section, http="\n".join(lines("nginx http"))).url, filmed)


def test_nginx_as_it_comes_makes_the_page_another_servers(filmed, nginx, pem):
    url = nginx(*server_section(pem)).url
    request = {"Content-Type": "application/json", **BROWSER}
    refused = get(url, "/webcam/webrtc", "POST", b'{"type":"request"}', **request)
    assert refused.status == 403 and b"http://127.0.0.1" in refused.body, refused
    with pytest.raises(InvalidStatus), watch_mse(url):
        pass
