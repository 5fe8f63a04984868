"""Scenes of things of one colour, or of stripes, before grounds without much texture: all drawn.

A wall, a floor or a sheet of snow has no texture of its own, and then a shadow and a thing look
alike. The grounds are places as the photographs are: any kind of scene can be made on them.
"""

import cv2
import numpy as np
import scenes
from plates import HEIGHT, WIDTH

SPEEDS = (2, 4, 8)  # pixels a picture
KINDS = ("bright_thing", "dark_thing", "mid_thing", "striped_thing")


class Thing:
    """A rectangle or an ellipse that comes in, or is there at once, crosses, and may stand."""

    def __init__(self, s, level, number):
        # Sizes and speeds by turns, so that a few seeds have all of them.
        self.speed = SPEEDS[number % 3]
        small = s.between(0, 1) if number % 2 else s.between(0, 0.3)
        self.size = 30 + round(90 * small), 70 + round(180 * small)
        self.level = level
        self.is_round = number % 4 == 3
        self.is_sudden = number % 5 == 0
        self.stands = (95, 135) if number % 3 == 1 else (0, 0)
        self.row = int(s.between(0.1, 0.9) * (HEIGHT - self.size[1]))
        self.forwards = bool(s.rng.integers(0, 2))
        self.start = s.between(0.05, 0.3) * WIDTH if self.is_sudden else 5 - self.size[0]
        if self.speed == 2 and not self.is_sudden:
            self.start = -self.size[0] * 0.5

    def put(self, picture, k):
        """Draws it into picture k; says what is true of it."""
        if k < scenes.LEARNING + 5:
            return False
        begin, end = self.stands
        stood = max(0, min(k, end) - begin) if end else 0
        left = self.start + (k - scenes.LEARNING - 5 - stood) * self.speed
        width, height = self.size
        left = round(left if self.forwards else WIDTH - width - left)
        corner = (left, self.row), (left + width - 1, self.row + height - 1)
        if left >= WIDTH or left + width <= 0:
            return False
        thing = picture.copy()
        self.draw(thing, *corner)
        if self.is_round:
            mask = np.zeros((HEIGHT, WIDTH), np.float32)
            middle = left + width // 2, self.row + height // 2
            cv2.ellipse(mask, middle, (width // 2, height // 2), 0, 0, 360, 1, -1, cv2.LINE_AA)
            picture[:] = picture * (1 - mask[..., None]) + thing * mask[..., None]
        else:
            picture[:] = thing
        # Who stands does not move; who comes in is not judged before all of them is seen.
        is_whole = left >= 0 and left + width <= WIDTH
        return True if is_whole and not (begin < k <= end + 1) else None

    def draw(self, picture, corner, opposite):
        """Draws all of it."""
        cv2.rectangle(picture, corner, opposite, (self.level,) * 3, -1)


class Striped(Thing):
    """One in stripes, darker and lighter than its level."""

    def draw(self, picture, corner, opposite):
        """Draws it, stripe by stripe."""
        for row in range(corner[1], opposite[1], 16):
            other = 30 if (row - corner[1]) % 32 else -25
            below = opposite[0], min(row + 15, opposite[1])
            grey = (self.level + other,) * 3
            cv2.rectangle(picture, (corner[0], row), below, grey, -1)


def _walks(s, make, level):
    thing = make(s, level, s.seed)
    # Drawn pictures often have no noise at all.
    noise = (0.0, 0.0) if s.seed % 7 == 0 else (0.6, 3.0)
    yield from scenes.with_put(s, thing.put, noise=noise)


def _level(s):
    return float(s.view.mean())


@scenes.kind
def bright_thing(s):
    yield from _walks(s, Thing, s.between(max(205, _level(s) + 40), 250))


@scenes.kind
def dark_thing(s):
    yield from _walks(s, Thing, s.between(15, min(70, 0.6 * _level(s))))


@scenes.kind
def mid_thing(s):
    """One that is only 20 levels brighter or darker than most of the ground."""
    darker, brighter = np.percentile(s.view, (5, 95))
    yield from _walks(s, Thing, float(brighter + 20 if s.rng.integers(0, 2) else darker - 20))


@scenes.kind
def striped_thing(s):
    yield from _walks(s, Striped, s.between(40, 70))
