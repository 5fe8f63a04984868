"""A server that behaves as it is told: what others do badly."""

import hashlib
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOGIN = ("viewer", "pass:word")
REALM = "camera"
NONCES = ("0a", "0b")


class Stranger:
    """Serves pictures, one way for each path; what it was asked is in `asked`."""

    def __init__(self, jpeg, tls=None):
        self.jpeg = jpeg
        self.asked = []
        self.open = 0
        self.ahead_s = 0
        self.takes_queries = True
        self.nonce = NONCES[0]
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                stranger.asked.append((self.path, dict(self.headers)))
                stranger.open += 1
                with suppress(OSError):
                    getattr(stranger, self.path.split("?")[0].strip("/").replace("-", "_"))(self)
                stranger.open -= 1

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        scheme = "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        """Takes nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request, status, headers=(), body=b""):
        """Sends an answer that is whole."""
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def begin(self, request, *headers):
        """Sends the head of a stream."""
        request.close_connection = True
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        for name, value in headers:
            request.send_header(name, value)
        request.end_headers()

    def part(self, request):
        """Sends one part of a stream, told by a clock that is wrong by `ahead_s`."""
        moment = f"X-Timestamp: {time.time() + self.ahead_s:.6f}\r\n".encode()
        request.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\n" + moment + b"\r\n" + self.jpeg)

    def stream(self, request):
        """Is as it should be, to who asks as it is to be asked."""
        if "?" in request.path and not self.takes_queries:
            return self.answer(request, 404)
        self.begin(request)
        while True:
            self.part(request)
            time.sleep(0.02)

    def board(self, request):
        """Is an ESP32 with Espressif's CameraWebServer, byte for byte: a chunk for each boundary,
        head and picture, by a clock that began when the board did.
        """
        boundary = b"123456789000000000000987654321"
        request.close_connection = True

        def chunk(data):
            request.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")

        request.wfile.write(
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: multipart/x-mixed-replace;boundary=" + boundary + b"\r\n"
            b"Transfer-Encoding: chunked\r\n"
            b"Access-Control-Allow-Origin: *\r\nX-Framerate: 60\r\n\r\n"
        )
        start = time.monotonic() - 12
        while True:
            seconds = time.monotonic() - start
            whole = int(seconds)
            chunk(b"\r\n--" + boundary + b"\r\n")
            chunk(
                b"Content-Type: image/jpeg\r\nContent-Length: %u\r\nX-Timestamp: %d.%06d\r\n\r\n"
                % (len(self.jpeg), whole, int((seconds - whole) * 1e6))
            )
            chunk(self.jpeg)
            time.sleep(0.04)

    def snapshot(self, request):
        """Is one picture."""
        self.answer(request, 200, [("Content-Type", "image/jpeg")], self.jpeg)

    def no_head(self, request):
        """Never ends its head."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            request.wfile.write(b"X-More: of this\r\n")
            time.sleep(0.1)

    def large_head(self, request):
        """Has a head that fills memories."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            request.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")

    def endless(self, request):
        """Has a part that never ends."""
        self.begin(request)
        request.wfile.write(self.jpeg[:-2])
        while True:
            request.wfile.write(b"\x55" * 65536)

    def text(self, request):
        """Sends lines for ever."""
        self.begin(request)
        while True:
            request.wfile.write(b"X-Timestamp: 1.5\r\n" * 100)

    def breaks_off(self, request):
        """Closes within a frame, after one that is whole."""
        self.begin(request)
        self.part(request)
        request.wfile.write(self.jpeg[: len(self.jpeg) // 2])

    def loop(self, request):
        """Leads back to itself."""
        self.answer(request, 302, [("Location", "/loop?again")])

    def busy(self, request):
        """Has no time."""
        self.answer(request, 503, [("Retry-After", "30")], b"too many clients\nmore\n")

    def digest(self, request):
        """Asks who is there; its nonces are soon too old."""
        authorization = request.headers.get("Authorization", "")
        fields = dict(
            field.strip().split("=", 1)
            for field in authorization.removeprefix("Digest ").split(",")
            if "=" in field
        )
        fields = {name: value.strip('"') for name, value in fields.items()}

        def digest(text):
            return hashlib.sha256(text.encode()).hexdigest()

        secret = digest(":".join((LOGIN[0], REALM, LOGIN[1])))
        wanted = [secret, *(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))]
        wanted.append(digest(f"GET:{request.path}"))
        is_right = fields.get("response") == digest(":".join(wanted))
        if is_right and fields["nonce"] == self.nonce:
            return self.snapshot(request)
        stale = "true" if is_right else "false"
        challenge = f'Digest realm="{REALM}", nonce="{self.nonce}", qop="auth,auth-int"'
        challenge += f', algorithm=SHA-256, stale={stale}, Basic realm="{REALM}"'
        self.answer(request, 401, [("WWW-Authenticate", challenge)], b"who is there?")
        return None
