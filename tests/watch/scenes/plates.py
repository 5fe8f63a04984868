"""Real pictures that scenes are made of: empty views, people and cars cut out of them."""

import os
from functools import cache
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 768, 576
MEDIA = Path(os.environ["EYELID_TESTS_CACHE"]) / "scenes"
# Where the people come from who walk in other scenes: those to tune on are not those to judge on.
EARLY, MIDDLE, LATE = range(330), range(335, 425), range(430, 795)


def video(name, wanted=None):
    """Gives the pictures of a video, in the size of all scenes."""
    capture = cv2.VideoCapture(str(MEDIA / name))
    number = 0
    while True:
        found, picture = capture.read()
        if not found:
            break
        if wanted is None or number in wanted:
            yield picture
        number += 1


def has_road():
    """Whether there is a film of a road: DVR-Scan's traffic_camera.mp4, which no package has."""
    return (MEDIA / "traffic.mp4").exists()


def fitted(picture):
    """Gives a picture in the size of all scenes."""
    if picture.shape[:2] == (HEIGHT, WIDTH):
        return picture
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


@cache
def yard():
    """The yard of vtest.avi with nobody in it: the median of pictures far apart."""
    pictures = list(video("vtest.avi", set(range(0, 795, 10))))
    return np.median(np.stack(pictures), 0).astype(np.uint8)


@cache
def plate(name):
    """An empty view: a photograph, or a place of which there is a video."""
    if name == "yard":
        return yard()
    if name in GROUNDS:
        return ground(name)
    if name == "road":
        pictures = list(video("traffic.mp4", set(range(0, 570, 8))))
        return fitted(np.median(np.stack(pictures), 0).astype(np.uint8))
    picture = cv2.imread(str(MEDIA / name))
    if picture is None:
        raise FileNotFoundError(f"{MEDIA / name} (tests/watch/media fetches it)")
    return fitted(picture)


# Drawn places with little texture or none: a wall, one in the evening sun, a pavement, plaster; and
# those that nobody tuned on: bricks, boards, asphalt.
GROUNDS = ("flat", "gradient", "paved", "plaster", "bricks", "boards", "asphalt")


def ground(name):
    """Draws an empty place, in grey: the same each time."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    grey = np.full((HEIGHT, WIDTH), 128, np.float32)
    if name == "gradient":
        grey = 90 + 40 * columns / WIDTH + 50 * rows / HEIGHT
    elif name == "paved":
        grey[:] = 150
        grey[np.arange(HEIGHT) % 48 < 3, :] = 115
        grey[:, np.arange(WIDTH) % 64 < 3] = 115
    elif name == "plaster":
        grain = np.random.default_rng(7).standard_normal((HEIGHT // 4, WIDTH // 4))
        grey = 120 + 12 * cv2.resize(grain.astype(np.float32), (WIDTH, HEIGHT))
    elif name == "bricks":
        row = (rows // 32).astype(int)
        column = ((columns + 40 * (row % 2)) // 80).astype(int)
        grey = 105 + 3.0 * ((row * 7 + column * 5) % 6)
        grey[(rows % 32 < 4) | ((columns + 40 * (row % 2)) % 80 < 4)] = 145
    elif name == "boards":
        grey = 135 + 4.0 * ((columns // 96).astype(int) * 3 % 5) + 3 * np.sin(rows / 40)
        grey[columns % 96 < 3] = 85
    elif name == "asphalt":
        grain = np.random.default_rng(8).standard_normal((HEIGHT // 2, WIDTH // 2))
        grey = 95 + 10 * cv2.resize(grain.astype(np.float32), (WIDTH, HEIGHT))
        grey += 15 * np.exp(-(((rows - 380) / 90) ** 2))
    return np.clip(grey, 0, 255).astype(np.uint8)[..., None]


def _cut(picture, box):
    """Cuts somebody out of the yard: the pixels, and which of them are theirs."""
    x, y, width, height = box
    view = slice(y, y + height), slice(x, x + width)
    difference = np.abs(picture[view].astype(int) - yard()[view]).max(-1)
    mask = cv2.morphologyEx((difference > 18).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
    return picture[view].copy(), mask


def _upright(picture):
    """Gives the boxes of those who stand or walk alone in the yard."""
    difference = np.abs(picture.astype(int) - yard()).max(-1)
    mask = cv2.morphologyEx((difference > 25).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7)))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    for x, y, width, height, area in stats[1:]:
        inside = x > 4 and y > 4 and x + width < WIDTH - 4 and y + height < HEIGHT - 4
        if inside and 60 <= height <= 130 and 0.25 < width / height < 0.6 and area > 900:
            yield int(x), int(y), int(width), int(height)


@cache
def walkers(wanted):
    """People of the yard, each as the cut-outs of ten pictures in a row."""
    pictures = list(video("vtest.avi", set(wanted)))
    people = []
    for start in range(0, len(pictures) - 10, 10):
        for box in _upright(pictures[start]):
            steps = [_cut(pictures[start], box)]
            last = box
            for picture in pictures[start + 1 : start + 10]:
                apart = {b: abs(b[0] - last[0]) + abs(b[1] - last[1]) for b in _upright(picture)}
                near = [box for box, pixels in apart.items() if pixels < 25]
                if not near:
                    break
                last = near[0]
                steps.append(_cut(picture, last))
            if len(steps) == 10:
                people.append(steps)
    return people


# Pictures of tree.avi: so many at first without a hand, and from that one on with it.
TREE_ALONE, TREE_HAND = 53, 56

# The outlines of cars in photographs.
CARS = {
    "wagon": (
        "scenetext01.jpg",
        "398,490 400,470 445,432 470,415 560,412 615,425 680,452 "
        "688,470 690,520 655,560 600,540 480,545 430,540 400,520",
    ),
}


@cache
def car(name):
    """A car cut out of a photograph."""
    source, outline = CARS[name]
    corners = np.array([corner.split(",") for corner in outline.split()], np.int32)
    picture = cv2.imread(str(MEDIA / source))
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [corners], 1)
    x, y, width, height = cv2.boundingRect(corners)
    view = slice(y, y + height), slice(x, x + width)
    return picture[view].copy(), mask[view]


def placed(picture, cutout, left, top, size, light=1.0):
    """Puts a cut-out into a picture, its left top corner anywhere; gives the share that is seen."""
    width, height = size
    pixels = cv2.resize(cutout[0], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = cv2.resize(cutout[1].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(WIDTH, left + width), min(HEIGHT, top + height)
    if x0 >= x1 or y0 >= y1:
        return 0.0
    part = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    share = alpha[part][..., None]
    view = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = view * (1 - share) + pixels[part] * light * share
    return (x1 - x0) * (y1 - y0) / (width * height)
