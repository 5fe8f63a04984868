"""A camera that gives no frame before the test says so, and a server that sends nothing else.

What waits for more than a frame's own bytes shows the last frame but one, and nobody notices while
a camera moves. Here nothing follows, and it shows.
"""

from PIL import Image

COLOURS = ["red", "blue", "lime"]


class SilentCamera:
    """`eyelid-server` for which no frame is too old, and a slot that is the test's.

    So there are no "no signal" cards.
    """

    def __init__(self, start, directory):
        self._slot = directory / "silent"
        self._slot.mkdir()
        for_ever = ["--timeout", "1day", "--max-age", "1day"]
        server = start("eyelid-server", "--slots", self._slot, "--listen", "127.0.0.1:0", *for_ever)
        self.url = server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]

    def frames(self):
        """Publishes different frames, the next when it is asked for; gives each and its colour."""
        for colour in COLOURS:
            frame = Image.new("RGB", (320, 240), colour)
            hidden = self._slot / ".current.jpg.tmp"
            frame.save(hidden, "JPEG")
            hidden.rename(self._slot / "current.jpg")
            yield frame, colour

    @staticmethod
    def page(url):
        """Gives a page that shows the stream at a URL in a bare `<img>`."""
        return f'<img src="{url}" style="display: block" width=320 height=240>'
