"""The examples of docs/reverse-proxy.md for haproxy and nginx, as they stand there."""

import base64
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from low_latency import call
from test_proxies import SNAPSHOT, assert_shows_the_camera

from harness.frames import check_frame

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reverse-proxy.md").read_text()
PEM = "/etc/ssl/camera.pem"
PASSWORDS = "/etc/nginx/camera.htpasswd"


def example(name):
    """Gives an example of the page."""
    found = re.search(rf"<!-- run: {name} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"docs/reverse-proxy.md has no example {name!r}"
    return found[1]


@pytest.fixture
def hash_of_secret():
    """A password's hash, as the page says to make it."""
    done = subprocess.run(
        ["openssl", "passwd", "-6", "secret"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def https_snapshot(pem, password=None):
    """Takes a snapshot at port 443; gives the status."""
    request = urllib.request.Request("https://localhost" + SNAPSHOT)
    if password:
        request.add_header(
            "Authorization", "Basic " + base64.b64encode(f"ada:{password}".encode()).decode()
        )
    try:
        with urllib.request.urlopen(
            request, timeout=40, context=ssl.create_default_context(cafile=pem)
        ) as answer:
            check_frame(answer.read())
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_haproxy(camera, haproxy, directory, pem):
    path = directory / "haproxy.cfg"
    path.write_text(example("haproxy").replace(PEM, str(pem)))
    url = haproxy(path).url
    assert_shows_the_camera(url)
    assert https_snapshot(pem) == 200
    done = call("--in-place", path)
    assert done.returncode == 0
    effective = [line for line in path.read_text().splitlines() if "added by" in line]
    assert all("maxrewrite" in line or "tunnel" in line for line in effective), (
        "the script knows better"
    )


def test_haproxy_with_a_password(camera, haproxy, directory, pem, hash_of_secret):
    path = directory / "haproxy.cfg"
    head, _, _ = example("haproxy").partition("\nbackend camera")
    text = head + "\n" + example("haproxy password").replace("HASH", hash_of_secret)
    path.write_text(text.replace(PEM, str(pem)))
    haproxy(path)
    assert [https_snapshot(pem, password) for password in (None, "guess", "secret")] == [
        401,
        401,
        200,
    ]


def test_nginx(camera, nginx, pem):
    url = nginx(*server_section(pem)).url
    assert_shows_the_camera(url)
    assert https_snapshot(pem) == 200


def test_nginx_with_a_password(camera, nginx, directory, pem, hash_of_secret):
    passwords = directory / "htpasswd"
    passwords.write_text(f"ada:{hash_of_secret}\n")
    lines = server_section(pem)
    lines[-1:-1] = example("nginx password").replace(PASSWORDS, str(passwords)).splitlines()
    nginx(*lines)
    assert [https_snapshot(pem, password) for password in (None, "guess", "secret")] == [
        401,
        401,
        200,
    ]


def server_section(pem):
    """Gives the lines within the example's `server` section."""
    lines = example("nginx").replace(PEM, str(pem)).splitlines()
    assert (lines[0], lines[-1]) == ("server {", "}")
    return lines[1:-1]
