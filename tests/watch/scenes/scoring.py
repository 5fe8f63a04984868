"""Runs `eyelid-watch replay` and others over scenes, and counts false and missed pictures."""

import json
import os
import subprocess
from dataclasses import dataclass

import cv2
import scenes
from others import OTHERS

CONFIGURATION = """[cameras.scene]
source = "test"
[cameras.scene.watch.rules.motion]
motion = true
"""


@dataclass(frozen=True)
class Score:
    """How many pictures were judged, and how many rightly."""

    quiet: int = 0  # in which nothing moved
    false: int = 0  # of these, taken for motion
    busy: int = 0  # in which something moved
    found: int = 0  # of these, found

    @staticmethod
    def of(truth, moving):
        """Compares what was said with what is true, picture by picture."""
        judged = list(zip(truth, moving, strict=True))
        quiet = [says for is_true, says in judged if is_true is False]
        busy = [says for is_true, says in judged if is_true]
        return Score(len(quiet), sum(quiet), len(busy), sum(busy))

    def __add__(self, other):
        return Score(
            self.quiet + other.quiet,
            self.false + other.false,
            self.busy + other.busy,
            self.found + other.found,
        )

    @property
    def wrong(self):
        """The share of pictures that were judged wrongly."""
        return (self.false + self.busy - self.found) / max(1, self.quiet + self.busy)

    @property
    def false_share(self):
        """Of the pictures in which nothing moved, those taken for motion."""
        return self.false / max(1, self.quiet)

    @property
    def found_share(self):
        """Of the pictures in which something moved, those found."""
        return self.found / max(1, self.busy)


class Recording:
    """A scene as JPEGs in a directory."""

    def __init__(self, directory, pictures):
        self.directory = directory
        self.truth = []
        directory.mkdir(parents=True)
        for number, (picture, truth) in enumerate(pictures):
            _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
            self._path(number).write_bytes(jpeg)
            # The first seconds are for learning.
            self.truth.append(None if number < scenes.LEARNING else truth)

    def _path(self, number):
        return self.directory / f"{number:04d}.jpg"

    def _every(self, step):
        """Gives a directory with each picture of so many."""
        if step == 1:
            return self.directory
        directory = self.directory / f"every-{step}"
        directory.mkdir(exist_ok=True)
        for number in range(0, len(self.truth), step):
            link = directory / self._path(number).name
            if not link.exists():
                os.link(self._path(number), link)
        return directory

    def ours(self, program, fps=scenes.FPS):
        """Gives the score of `eyelid-watch`, which sees so many pictures a second."""
        step = scenes.FPS // fps
        command = [*self._replay(program, fps), self._every(step)]
        moving = [look["moving"] for look in _looks(command)]
        return Score.of(self.truth[::step], moving)

    def unit(self, program):
        """Gives the scores of `eyelid-watch` as its unit runs, which looks more often at movement.

        That of its looks, and that of the time, in which a look counts until the next.
        """
        command = [*self._replay(program, scenes.FPS), "--paced", self.directory]
        looks = {round(look["look_s"] * scenes.FPS): look["moving"] for look in _looks(command)}
        known = [looks[max(look for look in looks if look <= n)] for n in range(len(self.truth))]
        return Score.of([self.truth[n] for n in looks], looks.values()), Score.of(self.truth, known)

    def _replay(self, program, fps):
        configuration = self.directory / "eyelid.toml"
        configuration.write_text(CONFIGURATION)
        command = [program, "replay", "--config", configuration, "--name", "scene"]
        return [*command, "--fps", str(fps), "--every-look"]

    def others(self):
        """Gives the score of each other, with the setting that is best for this scene."""
        numbers = range(len(self.truth))
        cells = [cv2.imread(str(self._path(n)), cv2.IMREAD_REDUCED_GRAYSCALE_8) for n in numbers]
        scores = {}
        for name, settings in OTHERS.items():
            made = [setting() for setting in settings]
            tried = [Score.of(self.truth, [bool(m.moves(c)) for c in cells]) for m in made]
            scores[name] = min(tried, key=lambda score: score.wrong)
        return scores


def _looks(command):
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in map(json.loads, output.splitlines()) if "look_s" in line]
