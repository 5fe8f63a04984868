"""Which scenes are there to tune on, and which to judge on: no place, person or seed is in both."""

import plates
import scenes

# Of these there is one each.
REAL = {"yard": "yard", "tree": "tree", "traffic": "road"}
TUNED = ("yard", 1), ("building.jpg", 2), ("home.jpg", 3)
HELD_OUT = ("leuvenA.jpg", 101), ("motorcycle_left.png", 102), ("road", 103)


def kinds():
    """The kinds that are made in any place."""
    return [name for name in scenes.KINDS if name not in REAL]


def tuned(name, frames=200):
    """The scenes of a kind that the rule was tuned on, with their names."""
    for place, seed in TUNED:
        yield f"{name}-{seed}", scenes.of(name, place, seed, plates.EARLY, frames)


def held_out(name, frames=160):
    """The scenes of a kind that it was not: other places, people, seeds and other makes."""
    for place, seed in HELD_OUT:
        if place == "road" and not plates.has_road():
            continue
        pictures = scenes.of(name, place, seed, plates.LATE, frames, is_other=True)
        yield f"{name}-{seed}", pictures


def real(name):
    """A real film."""
    seed = {"yard": 1, "tree": 101, "traffic": 101}[name]
    place = {"yard": "yard", "tree": "leuvenA.jpg", "traffic": "road"}[name]
    yield f"{name}-{seed}", scenes.of(name, place, seed, plates.EARLY, 200)
