"""What has moved on is gone from the picture, as a browser's second decoder shows it.

The test picture's square has a dark border, which over the blue bar is as bright as the bar: only
colour tells them apart, and an encoder that goes by brightness leaves pieces of it there. The exact
test is the encoder's own (`left_behind.rs`); this one is of the whole way, by WebRTC.
"""

from harness import elsewhere, whep
from harness.waiting import wait_for

WIDTH, HEIGHT = 640, 480
SIDE = HEIGHT // 6  # of the square
BLUE = WIDTH * 6 // 7  # the bar's left edge; its right one is the picture's
RAMP = HEIGHT * 2 // 3 * 7 // 8  # under the bars
ROW = HEIGHT // 3  # through the middle of the square
WHITE = 205  # the square's inside has 222, the brightest bar 180
OFF = 20  # of a sample of colour: quantisation has 6 at most here, the border left behind 80
PASSES = 4  # of the square over the bar
FPS = 28.6  # a part of a frame more in each round: the square passes by other places each time


class Looking(whep.Viewer):
    """Looks at the blue bar whenever the square is not over it."""

    def __init__(self, url):
        self.looked = 0
        self.stale = []  # pictures with pieces left behind: their number, and how many samples
        self.passes = 0
        self.is_over = True
        super().__init__(url)

    async def _play(self, track):
        while True:
            self._look(await track.recv())
            self.frames += 1

    def _look(self, frame):
        luma, blue, _ = frame.planes
        row = bytes(luma)[ROW * luma.line_size :][:WIDTH]
        was_over, self.is_over = self.is_over, max(row[BLUE - SIDE - 8 :]) > WHITE
        self.passes += self.is_over and not was_over
        if self.is_over or not self.passes:
            return
        self.looked += 1
        samples = bytes(blue)
        rows = [samples[y * blue.line_size :][: WIDTH // 2] for y in range(4, RAMP // 2 - 4)]
        bar = b"".join(row[BLUE // 2 + 4 : -4] for row in rows)
        usual = sorted(bar)[len(bar) // 2]
        if off := sum(abs(sample - usual) > OFF for sample in bar):
            self.stale.append((self.frames, off))


def test_nothing_stays_where_the_square_has_been(camera, video):
    door = camera(size=(WIDTH, HEIGHT), fps=FPS)
    shown = video(listen="0.0.0.0:0")
    with Looking(f"http://{elsewhere.HERE}:{shown.port}") as viewer:
        wait_for(lambda: viewer.failed or viewer.passes >= PASSES, f"{PASSES} passes of the square")
        assert not viewer.failed, viewer.failed
        assert viewer.looked > 50, viewer.looked
        assert not viewer.stale, f"{len(viewer.stale)} of {viewer.looked}: {viewer.stale[:10]}"
    door.wait_state("asleep")
