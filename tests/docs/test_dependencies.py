"""docs/dependencies.md: each crate that we name ourselves, and no other, has its reason there."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("dependencies", "dev-dependencies", "build-dependencies")
OURS = {
    tomllib.loads(path.read_text())["package"]["name"]
    for path in ROOT.glob("crates/*/*/Cargo.toml")
}


def named(manifest):
    """Gives the crates of others that a Cargo.toml names, for whatever target."""
    tables = [manifest, *manifest.get("target", {}).values()]
    crates = {name for table in tables for kind in KINDS for name in table.get(kind, {})}
    return {name for name in crates if name not in OURS}


def test_each_dependency_has_its_reason():
    paths = [
        *ROOT.glob("crates/*/*/Cargo.toml"),
        *(ROOT / place / "Cargo.toml" for place in ("bench", "fuzz", "tests/rtp/retina")),
    ]
    used = set().union(*(named(tomllib.loads(path.read_text())) for path in paths))
    listed = named(tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"])
    assert listed <= used, "named for the workspace, and used by no crate of it"
    page = (ROOT / "docs" / "dependencies.md").read_text().partition("## Code that Rust")[0]
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(explained) == sorted(used)
