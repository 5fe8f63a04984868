"""What docs/reliability.md says: each test that is to show a promise is there, by its name."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text().partition("## ")[2]
PYTHON = r"^def test_(\w+)\("
RUST = r"#\[(?:tokio::)?test[^\n]*\n\s*(?:#\[[^\n]*\n\s*)*(?:async )?fn (\w+)\("


def names_of(crate, place):
    """Gives the names of a suite's tests, or of a crate's."""
    files, pattern = ("*.rs", RUST) if crate else ("test_*.py", PYTHON)
    paths = (ROOT / (crate or "tests") / place).rglob(files)
    return {name for path in paths for name in re.findall(pattern, path.read_text(), re.M)}


def test_each_promise_names_a_test_that_is_there():
    named = re.findall(r"`(crates/\w+/)?(\w+)::(\w+)`", PAGE)
    assert len(named) > 60
    lacking = [
        f"{crate}{place}::{name}"
        for crate, place, name in named
        if name not in names_of(crate, place)
    ]
    assert lacking == []
