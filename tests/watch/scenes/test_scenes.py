"""Motion, in scenes that the rule was not tuned on: others' places, people and disturbances.

These are some of the scenes of `bench/scenes held-out`, and shorter.
"""

import pytest
import scenes
import sets
from scoring import Recording

from harness.programs import binary

FRAMES = 110
PLACE, SEED = sets.HELD_OUT[0]
# The share of false pictures that is let pass, in percent.
LIGHT = {"hunting": 2, "lamp": 2, "infrared": 2, "headlight": 2, "shake": 2}
WEATHER = {"creeping_shadow": 5, "snow": 5}


def recorded(directory, name, frames=FRAMES):
    pictures = scenes.of(name, PLACE, SEED, sets.plates.LATE, frames, is_other=True)
    return Recording(directory / name, pictures)


@pytest.mark.parametrize(("name", "most"), (LIGHT | WEATHER).items())
def test_light_and_weather_are_no_motion(directory, name, most):
    score = recorded(directory, name).ours(binary("eyelid-watch"))
    assert score.quiet == FRAMES - scenes.LEARNING
    assert 100 * score.false_share <= most


@pytest.mark.parametrize(("name", "least"), {"person": 95, "far_person": 50}.items())
def test_people_are_found(directory, name, least):
    recording = recorded(directory, name)
    score = recording.ours(binary("eyelid-watch"))
    assert score.busy > 30
    assert 100 * score.found_share >= least
    # Somebody else sees at least that there is something to see.
    assert set(recording.others()) == {"MOG2", "reference"}


def test_people_are_found_at_two_pictures_a_second(directory):
    score = recorded(directory, "person", 160).ours(binary("eyelid-watch"), 2)
    assert score.busy > 10
    assert 100 * score.found_share >= 90
