"""Obico's ml_api as a judge: the container gets the picture itself."""

import http.server
import subprocess
import threading

import pytest
from ml_api import serving
from scene import draw

from harness.programs import binary


@pytest.fixture
def api():
    """An ml_api."""
    with serving() as api:
        yield api


@pytest.fixture
def snapshot():
    """Gives where a container gets a picture, which `show` changes."""
    shown = [draw()]

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            assert self.path == "/printer/snapshot?size=half"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(shown[0])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/printer/snapshot?size=half"
    yield url, lambda **scene: shown.__setitem__(0, draw(**scene))
    server.shutdown()
    server.server_close()


def ask(directory, api, picture, key=""):
    """Runs `eyelid-watch try` for a rule by Obico."""
    path = directory / "eyelid.toml"
    rule = f'[cameras.printer.watch.rules.loose]\nobico = "{api.url}"\npicture = "{picture}"\n'
    path.write_text(rule + key)
    (directory / "now.jpg").write_bytes(draw())
    command = [binary("eyelid-watch"), "try", "--config", path, "--name", "printer"]
    command += ["--rule", "loose", directory / "now.jpg"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_container_looks_at_the_picture_it_gets_itself(directory, api, snapshot):
    """By the URL of the configuration, queries and all; with its token."""
    url, show = snapshot
    done = ask(directory, api, url)
    assert done.returncode == 0, done.stderr
    assert "found: nothing" in done.stdout
    show(parcel=True)
    (directory / "token").write_text("secret\n")
    done = ask(directory, api, url, f'key-file = "{directory / "token"}"\n')
    assert "found: failure (0.83) around 430, 300" in done.stdout
    assert api.asked == [(url, None, set()), (url, "Bearer secret", {"parcel"})]


def test_a_container_that_is_not_well_is_told(directory, api, snapshot):
    """By its host alone."""
    url, _ = snapshot
    api.status = 500
    done = ask(directory, api, url)
    assert done.returncode == 1 and "500 Internal Server Error" in done.stderr
    api.server.server_close()
    api.url = "http://127.0.0.1:1"
    done = ask(directory, api, url)
    assert done.returncode == 1 and "cannot be reached" in done.stderr
    assert "snapshot" not in done.stderr
