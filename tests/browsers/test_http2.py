"""Behind a proxy that speaks HTTP/2 a browser has room for more streams than five."""

import pytest
from looking import streams, wait_drawn, wait_page, watched_page

from harness.certificates import self_signed
from harness.http import free_port
from harness.nginx import start_nginx

NAMES = ["default", *(f"camera{number}" for number in range(2, 9))]


@pytest.fixture
def nginx(start, directory):
    """Starts nginx with HTTPS before a camera; gives its address."""
    key, certificate = self_signed(directory)

    def nginx(camera, protocol):
        port = free_port()
        http = (
            f"client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n"
            f"fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;\n"
            f"scgi_temp_path {directory}/scgi;\n"
            f"server {{ listen 127.0.0.1:{port} {protocol};\n"
            f"ssl_certificate {certificate}; ssl_certificate_key {key};\n"
            f"location / {{ proxy_pass {camera.url}; proxy_buffering off; }} }}"
        )
        start_nginx(start, directory, http, port)
        return f"https://127.0.0.1:{port}/"

    return nginx


@pytest.mark.parametrize(("protocol", "most"), [("ssl http2", 8), ("ssl", 4)])
def test_as_many_streams_as_the_connection_has_room_for(browser, rooms, nginx, protocol, most):
    camera = rooms(dict.fromkeys(NAMES, "320x180"))
    context = browser.browser.new_context(ignore_https_errors=True)
    page = watched_page(context)
    page.goto(nginx(camera, protocol), wait_until="commit")
    wait_drawn(page, *NAMES, times=1)

    def count():
        return len(set(streams(camera, "camera")))

    wait_page(page, lambda: count() == most, lambda: f"{most} streams, not {count()}")
    context.close()
