"""A stand-in for Obico's ml_api: it gets the picture at the URL that it is given, and looks."""

import json
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from scene import seen


class MlApi:
    """The container. An orange parcel is a tangle of filament to it."""

    def __init__(self):
        self.asked = []  # URL of the picture, token, what was seen there
        self.status = 200
        api = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                api.handle(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def handle(self, handler):
        """Looks once."""
        url = urlsplit(handler.path)
        assert url.path == "/p/", url.path
        (picture,) = parse_qs(url.query)["img"]
        with urllib.request.urlopen(picture, timeout=10) as response:
            found, _ = seen(response.read())
        self.asked.append((picture, handler.headers["authorization"], found))
        detections = [["failure", 0.83, [430.0, 300.0, 60.0, 40.0]]] if "parcel" in found else []
        out = json.dumps({"detections": detections}).encode()
        handler.send_response(self.status)
        handler.send_header("content-type", "application/json")
        handler.end_headers()
        handler.wfile.write(out)


@contextmanager
def serving():
    """Gives an ml_api that answers until the end."""
    api = MlApi()
    threading.Thread(target=api.server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        api.server.shutdown()
        api.server.server_close()
