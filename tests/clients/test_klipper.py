"""Mainsail, Fluidd and moonraker-timelapse: what the dashboards of Klipper ask of a camera.

moonraker-timelapse is its wget with its deadline. What Mainsail and Fluidd do in a browser was
written anew from what their sources ask of a server (klipper/klipper.js); Chromium runs it, against
the server itself from a page of another origin, and through nginx as MainsailOS and FluiddPI have
it.
"""

import functools
import socket
import subprocess
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.browser import chromium
from harness.frames import check_frame
from harness.http import free_port
from harness.nginx import start_nginx
from harness.waiting import DEADLINE, wait_for

KLIPPER = Path(__file__).parent / "klipper"
PICTURES = 30
TIMELAPSE = 2.0  # seconds: what moonraker-timelapse gives wget
STREAM = "/?action=stream"
SNAPSHOT = "/?action=snapshot"

# What matters for a camera in the configuration of MainsailOS; that of FluiddPI has `proxy_pass`
# alone.
NGINX = """
gzip on;
gzip_proxied any;
gzip_types text/plain text/css text/xml text/javascript application/json application/xml;
map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
server {{
    listen 127.0.0.1:{port};
    root {root};
    location /webcam/ {{
        {streaming}
        proxy_pass {camera}/;
    }}
}}
"""
MAINSAILOS = "postpone_output 0; proxy_buffering off; proxy_ignore_headers X-Accel-Buffering;"
FLUIDDPI = ""
# What docs/video.md has people add for WebRTC; the suite `haproxy` has it as it stands there.
VIDEO = """
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
proxy_set_header X-Forwarded-Host $http_host;
"""
# A service of a dashboard: what it does, and the path of its stream URL.
MAINSAIL_STREAMER = "url => watchCameraStreamer(url, { iceServers: null })", "/webrtc"
FLUIDD_STREAMER = "url => watchCameraStreamer(url, {})", "/webrtc"
MAINSAIL_MEDIAMTX = "url => watchMediaMtx(url, true)", "/"
FLUIDD_MEDIAMTX = "url => watchMediaMtx(url, false)", "/"
FILMED = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def elsewhere():
    """Serves the page at an origin that is not the camera's; gives that."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=KLIPPER))
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.set_default_timeout(2000 * DEADLINE)
    yield page
    page.close()


@pytest.fixture
def origins(eyelid, directory, elsewhere):
    """Starts a camera that the page's origin may read; gives the origin and the camera."""

    def origins(fps=30, linger="15s"):
        config = directory / "eyelid.toml"
        udp = free_port(kind=socket.SOCK_DGRAM)
        camera = f'[cameras.default]\nsource = "test"\nfps = {fps}\nlinger = "{linger}"\n'
        video = f"[video]\nudp = {udp}\n"
        config.write_text(f'[server]\nallow-origin = "{elsewhere}"\n{video}{camera}')
        return elsewhere, eyelid("--config", config)

    return origins


@pytest.fixture
def nginx(start, directory):
    """Starts nginx before a camera, with the page; gives its address."""

    def nginx(camera, streaming):
        port = free_port()
        http = NGINX.format(port=port, root=KLIPPER, camera=camera.url, streaming=streaming)
        return start_nginx(start, directory, http, port).url

    return nginx


@pytest.fixture(params=["direct", "mainsailos", "fluiddpi"])
def dashboard(request, page, origins, nginx):
    """Opens the page on each way to a camera that nobody has looked at.

    Gives where the camera is for the page.
    """
    origin, camera = origins()
    if request.param == "direct":
        page.goto(origin)
        return camera.url
    page.goto(nginx(camera, {"mainsailos": MAINSAILOS, "fluiddpi": FLUIDDPI}[request.param]))
    return "/webcam"


def look(page):
    """Gives what the page has seen."""
    seen = page.evaluate("({ ...seen, different: seen.pictures.size, pictures: undefined })")
    assert (seen["broken"], seen["failure"]) == (0, None), seen
    return seen


def wait_shown(page, pictures=PICTURES):
    """Waits until the page has shown so many pictures; gives what it has seen."""

    def shown():
        page.wait_for_timeout(20)  # lets the page work
        return look(page)["different"] >= pictures

    wait_for(shown, lambda: f"{pictures} pictures; {look(page)}")
    return look(page)


# Mainsail


def part(jpeg, header="Content-Length"):
    """Gives a part with a frame, up to its last byte."""
    length = f"{header}: {len(jpeg)}\r\n" if header else ""
    return f"--b\r\nContent-Type: image/jpeg\r\n{length}\r\n{jpeg}"


def test_the_reader_in_the_page_is_as_strict_as_mainsails(page, elsewhere):
    page.goto(elsewhere)
    cut = functools.partial(page.evaluate, "cutChunks")
    one, two = "\xff\xd8one\xff\xd9", "\xff\xd8two!\xff\xd9"
    thumbnail = "\xff\xd8a\xff\xd8b\xff\xd9\xff\xd9"
    assert cut([part(one) + "\r\n" + part(two, "content-length") + "\r"]) == [one, two]
    assert cut([part(one), "\r\n" + part(two)]) == [one], (
        "shown with the first byte behind it, and not before"
    )
    assert cut([part(one, None) + "\r\n"]) == ["RangeError"], "a part without its length"
    assert cut([part(one)[:-6], part(one)[-6:] + "\r\n"]) == [], "FF and D8 in two chunks"
    assert cut([part(thumbnail) + "\r\n"]) not in ([], [thumbnail]), "a thumbnail spoils the frame"


def test_mainsail_shows_the_stream(page, dashboard):
    page.evaluate("url => void watchStream(url)", dashboard + STREAM)
    wait_shown(page)


def test_mainsail_shows_each_frame_before_the_next_is_there(page, origins):
    origin, camera = origins(fps=0.25)
    page.goto(origin)
    page.evaluate("url => void watchStream(url)", camera.url + STREAM)
    ages = sorted(wait_shown(page, 3)["ages"])
    assert ages[1] < 2, f"frames are 4 s apart, and were shown {ages} s after their capture"


def test_mainsail_is_not_let_in_from_an_origin_that_is_not_allowed(page, elsewhere, camera):
    page.goto(elsewhere)
    page.evaluate("watchStream", camera.url + STREAM)
    assert page.evaluate("seen.failure").startswith("TypeError")
    assert page.evaluate("seen.shown") == 0


def test_the_camera_stays_awake_while_mainsail_opens_its_stream_anew(page, origins):
    origin, camera = origins()
    page.goto(origin)
    page.evaluate("url => void watchStream(url)", camera.url + STREAM)
    wait_shown(page, 3)
    awake = camera.slot.state()
    for _ in range(5):
        before = look(page)["different"]
        page.evaluate("reopen", camera.url + STREAM)
        wait_shown(page, before + 3)
    assert (awake["state"], camera.slot.state()) == ("awake", awake)


def test_mainsails_adaptive_mode_shows_a_newer_picture_each_time(page, dashboard):
    settings = {"parameter": "bypassCache", "fps": 15, "retryMs": 1000}
    page.evaluate(
        "([url, settings]) => watchSnapshots(url, settings)", [dashboard + SNAPSHOT, settings]
    )
    seen = wait_shown(page)
    assert seen["different"] == seen["shown"], "a picture twice"


# Fluidd


def test_fluidds_adaptive_mode_never_meets_an_error(page, dashboard):
    settings = {"parameter": "cacheBust", "fps": 10}
    page.evaluate(
        "([url, settings]) => watchSnapshots(url, settings)", [dashboard + SNAPSHOT, settings]
    )
    seen = wait_shown(page)
    assert seen["different"] == seen["shown"], "a picture twice"


def test_fluidd_shows_the_stream(page, dashboard):
    page.evaluate("watchImage", dashboard + STREAM)
    wait_shown(page)


# WebRTC


@pytest.mark.parametrize("way", ["direct", "mainsailos", "fluiddpi"])
def test_dashboards_show_the_camera_by_webrtc(page, origins, nginx, way):
    origin, camera = origins(linger="500ms")
    if way == "direct":
        page.goto(origin)
        address = camera.url
    else:
        configured = {"mainsailos": MAINSAILOS, "fluiddpi": FLUIDDPI}[way]
        page.goto(nginx(camera, configured + VIDEO))
        address = "/webcam"
    for service in MAINSAIL_STREAMER, FLUIDD_STREAMER, MAINSAIL_MEDIAMTX, FLUIDD_MEDIAMTX:
        watch, path = service
        page.evaluate(f"url => ({watch})(url).catch(fail)", address + path)
        before = page.evaluate(FILMED)
        wait_filmed(page, before + PICTURES)
        assert page.evaluate("document.querySelector('video').videoWidth") == 640
        asked = page.evaluate("watched.asked")
        print(way, service, asked)
        if service in (MAINSAIL_MEDIAMTX, FLUIDD_MEDIAMTX):
            assert asked[:2] == ["OPTIONS 204", "POST 201"] and "PATCH 204" in asked, asked
        else:
            assert len(asked) > 2 and set(asked) == {"POST 200"}, asked
        page.evaluate("stopWatching()")
        camera.slot.wait_state("asleep")


def wait_filmed(page, count):
    """Waits until the page has decoded so many pictures."""

    def filmed():
        page.wait_for_timeout(20)
        failure = page.evaluate("watched.failure")
        assert failure is None, failure
        return page.evaluate(FILMED) >= count

    wait_for(filmed, lambda: f"{count} pictures; {page.evaluate('watched')}")


# moonraker-timelapse


@pytest.mark.parametrize("size", ["", "&size=full"])
@pytest.mark.parametrize("way", ["direct", "mainsailos"])
@pytest.mark.parametrize("state", ["asleep", "cold"])
def test_moonraker_timelapse_gets_its_frame_in_time(request, directory, nginx, state, way, size):
    camera = request.getfixturevalue(state)
    address = camera.url if way == "direct" else nginx(camera, MAINSAILOS) + "/webcam"
    frame = directory / "frame000001.jpg"

    for _ in range(3):
        camera.rest()
        frame.unlink(missing_ok=True)
        asked = time.time()
        wget = ["wget", address + SNAPSHOT + size, "-O", frame]
        subprocess.run(wget, check=True, timeout=TIMELAPSE)
        print(f"taken within {1000 * (time.time() - asked):.0f} ms")
        check_frame(frame.read_bytes())
