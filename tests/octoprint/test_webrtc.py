"""OctoPrint shows the camera by WebRTC: its own page asks, straight and through haproxy."""

import json
from urllib.parse import urlsplit

import pytest
from conftest import Route
from programs import FilmedCamera, show_tab

from harness.http import get
from harness.programs import private_directory, programs
from harness.square import wait_moves


class WebRtcRoute(Route):
    """A way to OctoPrint, and the Stream URL of docs/video.md."""

    def configure(self, **settings):
        """Has OctoPrint use it; its STUN server is none that there is, as docs/video.md has it."""
        webcam = urlsplit(self.webcam)
        url = f"webrtc://{webcam.netloc}{webcam.path}/webrtc"
        settings = {"streamWebrtcIceServers": ["stun:none.invalid"], **settings}
        self.octoprint.configure_webcam(url, self.snapshot, **settings)

    def ways(self):
        """Gives by which ways the camera is watched as H.264."""
        status = get(self.webcam, f"{urlsplit(self.webcam).path}/status")
        return [session["way"] for session in json.loads(status.body)["video"]["sessions"]]


@pytest.fixture(scope="module")
def route(route_name, octoprint):
    """One of the routes, to a camera that comes as H.264."""
    if not octoprint.program.running():  # killed by who came before
        octoprint.run()
    with private_directory() as directory, programs(directory) as start:
        camera = FilmedCamera(start, directory, octoprint.url)
        yield WebRtcRoute.to(route_name, start, octoprint, camera)


def test_the_control_tab_shows_h264_until_the_page_is_closed(page, route):
    show_tab(page, "control")
    wait_moves(page.locator("#webcam_webrtc"))
    assert page.locator("#webcam_image").is_hidden()
    assert route.ways() == ["webrtc"]
    # It ends no session, as docs/video.md says: not when it unloads what else it would show.
    show_tab(page, "temp")
    page.wait_for_function("$('#webcam_image').attr('src')?.startsWith('data:')")
    assert route.ways() == ["webrtc"]
    show_tab(page, "control")
    wait_moves(page.locator("#webcam_webrtc"))
    page.goto("about:blank")
    route.camera.wait_state("asleep")
