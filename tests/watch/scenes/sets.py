"""Which scenes are there to tune on, and which to judge on: no place, person or seed is in both.

`UNSEEN` was made when `HELD_OUT` had been looked at three times, and looked at once.
"""

import plain
import plates
import scenes

# Of these there is one each.
REAL = {"yard": "yard", "tree": "tree", "traffic": "road"}
TUNED = ("yard", 1), ("building.jpg", 2), ("home.jpg", 3)
HELD_OUT = ("leuvenA.jpg", 101), ("motorcycle_left.png", 102), ("road", 103)
UNSEEN = ("scenetext03.jpg", 301), ("stuff.jpg", 302), ("asphalt", 303)
# Where things of one colour cross, which have nothing but their outline.
TUNED_GROUNDS = tuple(
    (ground, 10 + 4 * number + 17 * again)
    for number, ground in enumerate(("flat", "gradient", "paved", "plaster"))
    for again in range(2)
)
UNSEEN_GROUNDS = tuple(
    (ground, 310 + 3 * number + 17 * again)
    for number, ground in enumerate(("bricks", "boards", "asphalt"))
    for again in range(2)
)


def kinds():
    """The kinds that are made in any place."""
    return [name for name in scenes.KINDS if name not in REAL]


def tuned(name, frames=200):
    """The scenes of a kind that the rule was tuned on, with their names."""
    for place, seed in TUNED_GROUNDS if name in plain.KINDS else TUNED:
        yield f"{name}-{seed}", scenes.of(name, place, seed, plates.EARLY, frames)


def held_out(name, frames=160):
    """The scenes of a kind that it was not: other places, people, seeds and other makes."""
    for place, seed in () if name in plain.KINDS else HELD_OUT:
        if place == "road" and not plates.has_road():
            continue
        pictures = scenes.of(name, place, seed, plates.LATE, frames, is_other=True)
        yield f"{name}-{seed}", pictures


def unseen(name, frames=160):
    """Scenes of a kind in still other places, with other people and seeds."""
    for place, seed in UNSEEN_GROUNDS if name in plain.KINDS else UNSEEN:
        pictures = scenes.of(name, place, seed, plates.MIDDLE, frames, is_other=True)
        yield f"{name}-{seed}", pictures


def real(name):
    """A real film."""
    seed = {"yard": 1, "tree": 101, "traffic": 101}[name]
    place = {"yard": "yard", "tree": "leuvenA.jpg", "traffic": "road"}[name]
    yield f"{name}-{seed}", scenes.of(name, place, seed, plates.EARLY, 200)
