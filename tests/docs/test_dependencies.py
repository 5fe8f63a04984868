"""What docs/dependencies.md says: each crate that we name ourselves, and no other, has its reason there."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_dependency_has_its_reason():
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    ours = {path.parent.name for path in ROOT.glob("crates/*/Cargo.toml")} | {"eyelid"}
    named = {name for name in workspace["dependencies"] if name.removeprefix("eyelid-") not in ours}
    page = (ROOT / "docs" / "dependencies.md").read_text().partition("## Code that Rust")[0]
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(explained) == sorted(named)
