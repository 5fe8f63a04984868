"""What docs/architecture.md says of the crates and of unsafe code: all of both are named."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATES = re.search(
    r"^## Crates\n(.*?)^\*\*libcamera",
    (ROOT / "docs" / "architecture.md").read_text(),
    re.MULTILINE | re.DOTALL,
)[1]


def test_each_crate_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \|", CRATES, re.MULTILINE)
    assert sorted(rows) == sorted(path.parent.name for path in ROOT.glob("crates/*/*/Cargo.toml"))


def test_each_file_with_unsafe_code_is_named():
    unsafe = re.compile(r"\bunsafe (\{|fn|impl|extern)")
    sources = [
        path for path in ROOT.glob("crates/*/*/src/**/*.rs") if unsafe.search(path.read_text())
    ]
    found = {"/".join(path.relative_to(ROOT / "crates").parts[1:]) for path in sources}
    assert set(re.findall(r"`(\w+/src/[\w/]+\.rs)`", CRATES)) == found
