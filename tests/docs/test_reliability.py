"""What docs/reliability.md says: each test that is to show a promise is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text().partition("## ")[2]


def test_each_promise_names_a_test_that_is_there():
    named = re.findall(r"`(crates/\w+/)?(\w+)::(\w+)`", PAGE)
    assert len(named) > 40
    for crate, place, name in named:
        paths = (ROOT / (crate or "tests") / place).rglob("*.rs" if crate else "test_*.py")
        start = "fn " if crate else "def test_"
        assert any(f"{start}{name}" in path.read_text() for path in paths), (
            f"{crate}{place}::{name}"
        )
