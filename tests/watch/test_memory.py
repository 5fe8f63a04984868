"""How much memory a watcher takes of a camera of 1280x720, until each of its rules has told."""

from pathlib import Path

import pytest
from test_watching import alerts, capture, configure, watch

from harness.processes import peak_kib
from harness.waiting import wait_for

NETWORK = Path(__file__).resolve().parents[2] / "target" / "detector" / "detector.onnx"

# MB, of 1,000,000 bytes. Some 8 are the program's file and the system's library, which watchers of
# several cameras share; without optimisation, in a debug build, the file is larger than all of
# this.
MOST_WITHOUT_DETECTOR = 12
MOST_OF_WHAT_WAS_BEFORE = 1
MOST_WITH_DETECTOR = 80


def most_mb(program):
    """Gives the most memory that a program has had."""
    return peak_kib(program.pid) * 1024 / 1e6


def watched(start, directory, rules, watch_table=""):
    """Has the test picture watched, which moves, until each rule has told; gives the watcher."""
    config = configure(directory, rules=rules)
    config.write_text(config.read_text().replace("[watch]", f"[watch]\n{watch_table}"))
    capture(start, directory, config)
    program = watch(start, config)
    names = {
        line.split(".rules.")[1].rstrip("]") for line in rules.splitlines() if ".rules." in line
    }
    wait_for(
        lambda: {alert["rule"] for alert in alerts(directory)} >= names,
        lambda: f"alerts of {names}:\n{program.log()}",
        deadline=90,
    )
    return program


@pytest.mark.parametrize("keeps_cases", [False, True])
def test_a_watcher_without_detector_is_small(start, directory, keeps_cases):
    rules = "[cameras.door.watch.rules.anything]\nmotion = true\n"
    program = watched(start, directory, rules, f"ask-on-page = {str(keeps_cases).lower()}")
    kept = list(directory.glob("alerts/*.earlier"))
    assert bool(kept) == keeps_cases
    print(f"{most_mb(program):.1f} MB")
    most = MOST_WITHOUT_DETECTOR + keeps_cases * MOST_OF_WHAT_WAS_BEFORE
    assert most_mb(program) <= most


def test_a_watcher_with_detector_is_bounded(start, directory):
    if not NETWORK.exists():
        pytest.skip("there is no network")
    rules = (
        "[cameras.door.watch.rules.anything]\nmotion = true\n"
        '[cameras.door.watch.rules.thing]\nsees = ["person", "car", "box", "bottle", "table"]\n'
        "confidence = 0.01\n"
    )
    program = watched(start, directory, rules, f'detector = "{NETWORK}"')
    print(f"{most_mb(program):.1f} MB")
    assert most_mb(program) <= MOST_WITH_DETECTOR
