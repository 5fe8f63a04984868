"""Prints tables of all scenes: false and found pictures, beside others. `bench/scenes` calls it."""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import plain
import plates
import scenes
import sets
from scoring import Recording, Score

from harness.programs import binary

SETS = {"tuned": sets.tuned, "held-out": sets.held_out, "unseen": sets.unseen}
FILMS = {"tuned": ["yard"], "held-out": ["tree", "traffic"], "unseen": []}


def measure(job):
    """Makes the scenes of a kind, and gives the scores."""
    which, name, program = job
    cv2.setNumThreads(1)
    make = sets.real if name in sets.REAL else SETS[which]
    scores = {}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        for scene, pictures in make(name):
            recording = Recording(Path(directory) / scene, pictures)
            found = {"ours": recording.ours(program), "ours at 2/s": recording.ours(program, 2)}
            found["unit's looks"], found["unit's time"] = recording.unit(program)
            for way, score in (found | recording.others()).items():
                scores[way] = scores.get(way, Score()) + score
    return scores


def cell(score):
    """Shows a score: false, and found where there is somebody."""
    false = f"{100 * score.false_share:.1f}" if score.quiet else "-"
    return false + (f" / {100 * score.found_share:.1f}" if score.busy else "")


def main():
    """Prints the table of one set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("kinds", nargs="*", help="some kinds only")
    arguments = parser.parse_args()
    films = [name for name in FILMS[arguments.set] if name != "traffic" or plates.has_road()]
    # Plain things are in two of the sets.
    left_out = plain.KINDS if arguments.set == "held-out" else ()
    kinds = [name for name in sets.kinds() if name not in left_out]
    wanted = arguments.kinds or [*kinds, *films]
    unknown = set(wanted) - set(scenes.KINDS)
    if unknown:
        sys.exit(f"no kind {', '.join(sorted(unknown))}; there are {', '.join(scenes.KINDS)}")
    jobs = [(arguments.set, name, binary("eyelid-watch")) for name in wanted]
    ways = ["ours", "ours at 2/s", "unit's looks", "unit's time", "MOG2", "reference"]
    print("| scene |", " | ".join(ways), "|")
    print("| --- |", " | ".join("---" for _ in ways), "|")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, scores in zip(wanted, pool.map(measure, jobs), strict=True):
            print(f"| {name.replace('_', ' ')} |", end="")
            print("".join(f" {cell(scores[way])} |" for way in ways), flush=True)


if __name__ == "__main__":
    main()
