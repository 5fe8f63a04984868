"""Scenes with known truth, made of real pictures: light, weather, shaking cameras, people.

A scene gives pictures and, for each, what is true of it: nothing moves but light and weather
(False), somebody is in it (True), or it is not judged (None). The first six seconds are for
learning and are not judged. What is drawn by lot is drawn from the scene's own seed, so that a
scene is the same each time.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import plates
from plates import HEIGHT, WIDTH

FPS = 10
LEARNING = 60  # frames
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
KINDS = {}
# Normal samples, of which noise takes a run from anywhere: drawing new ones costs ten times more.
GRAIN = np.random.default_rng(5).standard_normal(WIDTH * HEIGHT * 3 * 2, np.float32)


def kind(function):
    """Makes a function a kind of scene, under its name."""
    KINDS[function.__name__] = function
    return function


@dataclass
class Stage:
    """What a scene is made with."""

    view: np.ndarray  # the empty place, float
    rng: np.random.Generator
    people: list  # cut-outs
    cars: list  # cut-outs
    frames: int
    is_other: bool  # the other make of a disturbance: those that nobody tuned on
    seed: int = 0

    def noisy(self, picture, shot=0.6, read=3.0):
        """Adds a sensor's noise."""
        start = int(self.rng.integers(0, GRAIN.size - picture.size))
        grain = GRAIN[start : start + picture.size].reshape(picture.shape)
        clipped = np.clip(picture, 0, 255)
        noise = grain * np.sqrt(shot * clipped * 0.25 + read * read)
        return np.clip(clipped + noise, 0, 255).astype(np.uint8)

    def between(self, low, high):
        """Draws a number."""
        return float(self.rng.uniform(low, high))


@kind
def quiet(s):
    for _ in range(s.frames):
        yield s.noisy(s.view), False


@kind
def night(s):
    dark = s.view * s.between(0.15, 0.3)
    for _ in range(s.frames):
        yield s.noisy(dark, 1.2, s.between(8, 9)), False


@kind
def hunting(s):
    """Automatic exposure swings."""
    share, period = s.between(0.15, 0.3), s.between(18, 35)
    for k in range(s.frames):
        yield s.noisy(s.view * (1 + share * np.sin(k / period * 2 * np.pi))), False


def _lamp(s, k, on, off):
    if not on <= k < off:
        return s.view
    if not s.is_other:
        return s.view * 0.35
    # The lamp that stays on is in one place, and what is dark glows a little.
    distance = np.hypot(COLUMNS - WIDTH * 0.3, ROWS - HEIGHT * 0.2) / WIDTH
    return s.view * (0.2 + 0.35 * np.exp(-((distance / 0.6) ** 2)))[..., None] + 5


@kind
def lamp(s):
    """A lamp goes out, and on again."""
    on = 70 + int(s.rng.integers(0, 10))
    off = on + 60
    for k in range(s.frames):
        yield s.noisy(_lamp(s, k, on, off)), False


@kind
def infrared(s):
    """The camera switches to infrared: grey, with other tones."""
    clipped = np.clip(s.view, 0, 255).astype(np.uint8)
    if s.is_other:
        grey = cv2.cvtColor(clipped, cv2.COLOR_BGR2HSV)[..., 2] / 255.0
        tone = 255 * grey ** s.between(0.7, 0.9)
    else:
        grey = cv2.cvtColor(clipped, cv2.COLOR_BGR2GRAY) / 255.0
        tone = 255 * grey ** s.between(0.5, 0.7)
    other = np.repeat(tone[..., None], 3, 2).astype(np.float32)
    start = 80 + int(s.rng.integers(0, 20))
    for k in range(s.frames):
        yield s.noisy(other if k >= start else s.view), False


def _edge(s):
    """Draws a line that crosses the view: how far each pixel is beyond it, in pixels."""
    angle = s.between(0, 2 * np.pi)
    along = np.cos(angle) * COLUMNS + np.sin(angle) * ROWS
    return along - along.min(), float(along.max() - along.min())


@kind
def cloud(s):
    """The soft shadow of a cloud passes."""
    beyond, length = _edge(s)
    depth, soft = s.between(0.3, 0.5), s.between(40, 80)
    step = (length + 400) / s.frames
    for k in range(s.frames):
        shade = 1 - depth / (1 + np.exp((beyond - (k * step - 200)) / soft))
        yield s.noisy(s.view * shade[..., None]), False


@kind
def headlight(s):
    """A patch of light sweeps over the ground."""
    width, height = s.between(70, 130), s.between(35, 65)
    row, step = s.between(0.5, 0.8) * HEIGHT, s.between(12, 25)
    start, gain = 65, s.between(0.6, 1.0)
    for k in range(s.frames):
        centre = -100 + (k - start) * step
        beyond = ((ROWS - row) / height) ** 2
        patch = np.exp(-(((COLUMNS - centre) / width) ** 2) - beyond)
        if s.is_other:  # two of them, and what is dark is lit too
            patch += np.exp(-(((COLUMNS - centre - 160) / width) ** 2) - beyond)
        lit = s.view * (1 + gain * patch[..., None]) + (10 * patch[..., None] if s.is_other else 0)
        yield s.noisy(lit), False


@kind
def creeping_shadow(s):
    """The hard edge of a shadow creeps over the view."""
    beyond, length = _edge(s)
    depth, step = s.between(0.3, 0.6), s.between(0.5, 4.0)
    start = s.between(-0.1, 0.3) * length
    for k in range(s.frames):
        shade = 1 - depth * np.clip(start + k * step - beyond, 0, 1)
        yield s.noisy(s.view * shade[..., None]), False


@kind
def passing_shadow(s):
    """The hard shadow of something that is not seen crosses the view: a band with two edges."""
    beyond, _ = _edge(s)
    depth, step, wide = s.between(0.3, 0.6), s.between(2.0, 6.0), s.between(60, 250)
    for k in range(s.frames):
        front = (k - LEARNING) * step
        inside = np.clip(front - beyond, 0, 1) * np.clip(beyond - front + wide, 0, 1)
        yield s.noisy(s.view * (1 - depth * inside)[..., None]), False


@kind
def striped_shadow(s):
    """The hard shadow of a fence creeps: many bands."""
    beyond, _ = _edge(s)
    depth, step, period = s.between(0.3, 0.6), s.between(0.5, 2.0), s.between(50, 120)
    for k in range(s.frames):
        place = (beyond - k * step) / period
        inside = np.clip((np.abs(place - np.floor(place) - 0.5) - 0.25) * period + 0.5, 0, 1)
        yield s.noisy(s.view * (1 - depth * inside)[..., None]), False


@kind
def flicker(s):
    """Lamps flicker: bands of brightness run through the picture, and all of it jumps a little."""
    share, period = s.between(0.04, 0.12), s.between(150, 500)
    for k in range(s.frames):
        band = 1 + share * np.sin(ROWS / period * 2 * np.pi + k * 2.1) + s.between(-0.03, 0.03)
        yield s.noisy(s.view * band[..., None]), False


@kind
def swaying_shadow(s):
    """The hard shadows of branches sway."""
    depth = s.between(0.3, 0.5)
    shapes = []
    for _ in range(int(s.rng.integers(4, 9))):
        centre = s.rng.uniform((0, HEIGHT * 0.4), (WIDTH, HEIGHT))
        corners = s.rng.uniform(-90, 90, (6, 2)) * (1.0, 0.5)
        shapes.append((centre + corners, s.between(4, 14), s.between(12, 40), s.between(0, 6)))
    for k in range(s.frames):
        shade = np.zeros((HEIGHT, WIDTH), np.float32)
        for corners, reach, period, phase in shapes:
            aside = reach * np.sin(k / period * 2 * np.pi + phase)
            moved = corners + np.array([aside, 0])
            cv2.fillPoly(shade, [np.round(moved * 16).astype(np.int32)], 1, cv2.LINE_AA, 4)
        yield s.noisy(s.view * (1 - depth * shade)[..., None]), False


def _streaks(s, picture, number):
    for _ in range(number):
        x, y = int(s.rng.integers(0, WIDTH)), int(s.rng.integers(-30, HEIGHT))
        length, brighter = int(s.rng.integers(12, 40)), int(s.rng.integers(30, 70))
        at = picture[min(max(y, 0), HEIGHT - 1), x]
        colour = tuple(float(v) for v in np.minimum(255, at + brighter))
        cv2.line(picture, (x, y), (x + _slant(s), y + length), colour, 1, cv2.LINE_AA)


def _slant(s):
    """How far a streak leans, in pixels."""
    return 9 if s.is_other else 3


@kind
def rain(s):
    """Streaks, new in each picture."""
    number = int(s.rng.integers(120, 400))
    for _ in range(s.frames):
        picture = s.view.copy()
        _streaks(s, picture, number)
        yield s.noisy(picture), False


class Flakes:
    """Snowflakes that fall, each at its own pace."""

    def __init__(self, s, number):
        self.s, self.number = s, number
        self.place = s.rng.uniform((0, 0), (WIDTH, HEIGHT), (number, 2))
        self.size = s.rng.uniform(1.0, 3.0, number)
        self.fall = s.rng.uniform(6, 30, number) * (0.6 if s.is_other else 1.0)
        self.wind = s.between(-6, 6)

    def draw(self, picture):
        """Moves them all and draws them."""
        self.place[:, 0] += self.wind + self.s.rng.normal(0, 2, self.number)
        self.place[:, 1] += self.fall
        self.place %= (WIDTH, HEIGHT)
        for (x, y), size in zip(self.place, self.size, strict=True):
            centre = int(x * 8), int(y * 8)
            cv2.circle(picture, centre, int(size * 8), (235, 235, 235), -1, cv2.LINE_AA, 3)


@kind
def snow(s):
    """Snow falls, from the beginning."""
    flakes = Flakes(s, int(s.rng.integers(100, 400)))
    for _ in range(s.frames):
        picture = s.view.copy()
        flakes.draw(picture)
        yield s.noisy(picture), False


@kind
def scattered_snow(s):
    """Snow whose flakes are elsewhere in each picture, from the moment that is judged."""
    number = int(s.rng.integers(100, 300))
    for k in range(s.frames):
        picture = s.view.copy()
        if k >= LEARNING:
            for x, y in s.rng.uniform((0, 0), (WIDTH, HEIGHT), (number, 2)):
                radius = int(s.rng.integers(8, 25))
                centre = int(x * 8), int(y * 8)
                cv2.circle(picture, centre, radius, (230, 230, 230), -1, cv2.LINE_AA, 3)
        yield s.noisy(picture), False


@kind
def shake(s):
    """The pole sways."""
    reach, turn = s.between(1.0, 2.5), s.between(0.05, 0.1) if s.is_other else 0.0
    periods = s.between(3, 6), s.between(4, 8)
    for k in range(s.frames):
        matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn * np.sin(k / 3), 1)
        matrix[:, 2] += reach * np.sin(k / periods[0]), reach * 0.7 * np.cos(k / periods[1])
        moved = cv2.warpAffine(s.view, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        yield s.noisy(moved), False


def _crossing(s, size, light=1.0, speed=(3.0, 6.0), cutouts=None):
    """Somebody crosses the view: gives a function that puts them into picture k."""
    steps = cutouts[int(s.rng.integers(0, len(cutouts)))]
    forwards = bool(s.rng.integers(0, 2))
    step, row = s.between(*speed), int(s.between(0.35, 0.8) * HEIGHT)
    begin = int(s.between(0, 0.3) * WIDTH)

    def put(picture, k):
        if k < LEARNING + 5:
            return False
        along = round(begin + (k - LEARNING - 5) * step)
        left = along if forwards else WIDTH - size[0] - along
        share = plates.placed(picture, steps[k % len(steps)], left, row, size, light)
        return True if share > 0.99 else (None if share > 0 else False)

    return put


def with_put(s, put, disturb=lambda picture, k: picture, noise=(0.6, 3.0), view=None):
    """Gives the pictures into which something is put, under a disturbance."""
    view = s.view if view is None else view
    for k in range(s.frames):
        picture = view.copy()
        truth = put(picture, k)
        yield s.noisy(disturb(picture, k), *noise), truth


@kind
def person(s):
    yield from with_put(s, _crossing(s, (30, 70), cutouts=s.people))


@kind
def person_hunting(s):
    share, period = s.between(0.15, 0.25), s.between(18, 35)

    def swing(picture, k):
        return picture * (1 + share * np.sin(k / period * 2 * np.pi))

    yield from with_put(s, _crossing(s, (32, 76), cutouts=s.people), swing)


@kind
def person_at_night(s):
    dark = 0.3
    put = _crossing(s, (40, 95), dark, cutouts=s.people)
    yield from with_put(s, put, noise=(1.2, 7.0), view=s.view * dark)


@kind
def person_in_snow(s):
    flakes = Flakes(s, 150)

    def fall(picture, k):
        flakes.draw(picture)
        return picture

    yield from with_put(s, _crossing(s, (40, 95), cutouts=s.people), fall)


@kind
def person_in_shadow(s):
    """Somebody walks while the hard edge of a shadow creeps over the view."""
    beyond, length = _edge(s)
    depth, step = s.between(0.3, 0.5), s.between(0.5, 2.0)

    def shade(picture, k):
        covered = np.clip(0.2 * length + k * step - beyond, 0, 1)
        return picture * (1 - depth * covered)[..., None]

    yield from with_put(s, _crossing(s, (40, 95), cutouts=s.people), shade)


@kind
def far_person(s):
    """One far away at dusk."""
    put = _crossing(s, (16, 36), 0.4, (2.0, 4.0), cutouts=s.people)
    yield from with_put(s, put, noise=(0.8, 4.0), view=s.view * 0.4)


@kind
def passing_car(s):
    size = (int(s.between(70, 140)), 0)
    size = (size[0], round(size[0] * 0.45))
    yield from with_put(s, _crossing(s, size, 1.0, (5.0, 15.0), s.cars))


@kind
def yard(s):
    """The real people of the yard, after six seconds without them."""
    for _ in range(LEARNING):
        yield s.noisy(s.view), False
    for picture in plates.video("vtest.avi", set(range(s.frames - LEARNING))):
        yield s.noisy(picture.astype(np.float32), 0.2, 1.5), True


@kind
def traffic(s):
    """A real motorway, where there is a film of it; first without cars."""
    for _ in range(LEARNING):
        yield s.noisy(s.view), False
    wanted = {int(k * 2.5) for k in range(s.frames - LEARNING)}  # it has 25 pictures a second
    for picture in plates.video("traffic.mp4", wanted):
        yield s.noisy(plates.fitted(picture).astype(np.float32), 0.2, 1.5), True


@kind
def tree(s):
    """A real tree in the wind; a hand comes at the end. The film is played to and fro first."""
    pictures = [plates.fitted(picture) for picture in plates.video("tree.avi")]
    waving = pictures[: plates.TREE_ALONE]
    there_and_back = waving + waving[-2:0:-1]
    for k in range(LEARNING * 2):
        yield there_and_back[k % len(there_and_back)], False
    for k, picture in enumerate(pictures):
        yield picture, False if k < plates.TREE_ALONE else (True if k >= plates.TREE_HAND else None)


def of(name, view, seed, people, frames=200, light=1.0, is_other=False):
    """Makes a scene of a kind, in a place, from a seed."""
    everybody = plates.walkers(people) if "person" in name else []
    cars = [[plates.car("wagon")]] if "car" in name else []
    picture = plates.plate(view).astype(np.float32) * light
    needs_colours = everybody or cars or name == "infrared"
    if needs_colours and picture.shape[2] == 1:  # it is drawn in grey
        picture = picture.repeat(3, 2)
    rng = np.random.default_rng(seed)
    return KINDS[name](Stage(picture, rng, everybody, cars, frames, is_other, seed))
