"""A camera behind haproxy and nginx: pictures, HTTPS, compression, and ages on a slow link."""

import functools
import http.server
import ssl
import statistics
import threading
import time
import urllib.request
from contextlib import closing

import pytest
from low_latency import low_latency
from proxied import ProxiedStream

from harness.frames import check_frame
from harness.http import get

STREAM = "/webcam/?action=stream"
SNAPSHOT = "/webcam/?action=snapshot"
NGINX = ["listen 80;", "location /webcam/ { proxy_pass http://127.0.0.1:8080/; }"]
NGINX_BUFFERING = [
    "listen 80;",
    "location /webcam/ {",
    "proxy_ignore_headers X-Accel-Buffering; proxy_pass http://127.0.0.1:8080/; }",
]
NGINX_UNBUFFERED = [
    "listen 80 sndbuf=16k;",
    "location /webcam/ { proxy_buffering off; proxy_pass http://127.0.0.1:8080/; }",
]


def assert_shows_the_camera(url):
    """A snapshot that nobody has compressed, and some frames of a stream."""
    snapshot = get(url, SNAPSHOT, **{"Accept-Encoding": "gzip"})
    assert (snapshot.status, snapshot.headers["content-type"]) == (200, "image/jpeg")
    assert "content-encoding" not in snapshot.headers
    assert int(snapshot.headers["content-length"]) == len(snapshot.body)
    assert check_frame(snapshot.body).size == (640, 480)
    with ProxiedStream(url, STREAM) as stream:
        for _ in range(10):
            part = stream.part()
            assert part.live()
            check_frame(part.jpeg)


@pytest.fixture
def octoprint():
    """Stands for OctoPrint: answers with a picture, and says which scheme it was told of."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"\xff\xd8\xff\xe0" + bytes(5000)
            self.send_response(200)
            self.send_header(
                "Content-Type", "image/jpeg" if self.path.endswith(".jpg") else "text/html"
            )
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Was-Told", self.headers.get("X-Scheme", ""))
            self.end_headers()
            self.wfile.write(body)

        protocol_version = "HTTP/1.1"  # haproxy compresses no answers of 1.0
        log_message = functools.partial(lambda *_: None)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_haproxy_shows_the_camera(configuration, camera, haproxy):
    assert_shows_the_camera(haproxy(configuration).url)


def test_haproxy_shows_the_camera_after_the_script(tuned, camera, haproxy):
    assert_shows_the_camera(haproxy(tuned).url)


@pytest.mark.parametrize("configuration", ["octopi"], indirect=True)
def test_only_pictures_of_others_were_compressed(configuration, tuned, octoprint, haproxy):
    gzip = {"Accept-Encoding": "gzip"}
    before = haproxy(configuration)
    assert get(before.url, "/picture.jpg", **gzip).headers.get("content-encoding") == "gzip"
    before.stop()
    after = haproxy(tuned)
    assert "content-encoding" not in get(after.url, "/picture.jpg", **gzip).headers
    assert get(after.url, "/", **gzip).headers.get("content-encoding") == "gzip"


def test_haproxy_speaks_https_if_asked(configuration, pem, camera, octoprint, haproxy):
    configuration.write_bytes(low_latency("--https", pem, configuration))
    haproxy(configuration)
    context = ssl.create_default_context(cafile=pem)
    context.set_alpn_protocols(["h2", "http/1.1"])

    def open_https(path):
        handler = urllib.request.HTTPSHandler(context=context)
        return closing(
            urllib.request.build_opener(handler).open("https://localhost" + path, timeout=40)
        )

    with open_https(SNAPSHOT) as answer:
        assert check_frame(answer.read()).size == (640, 480)
    with open_https("/") as answer:
        assert answer.headers["X-Was-Told"] == "https"


@pytest.mark.parametrize("server", [NGINX, NGINX_UNBUFFERED], ids=["plain", "unbuffered"])
def test_nginx_shows_the_camera(server, camera, nginx):
    assert_shows_the_camera(nginx(*server).url)


def age_at_one_a_second(url):
    """Gives the median age of frames, one a second, for a viewer with a fast link."""
    with ProxiedStream(url, STREAM + "&fps=1") as stream:
        captured = (float(stream.part().headers["x-timestamp"]) for _ in range(7))
        return statistics.median(time.time() - moment for moment in captured)


def test_nginx_passes_frames_on_at_once(camera, nginx):
    assert age_at_one_a_second(nginx(*NGINX).url) < 0.8


def test_nginx_would_wait_for_the_next_frame_without_our_header(camera, nginx):
    assert age_at_one_a_second(nginx(*NGINX_BUFFERING).url) > 0.8
