"""What docs/architecture.md says of the crates and of unsafe code: all of both are named.

A crate is named by its directory, `rtp`; where a library and a program have the same one, by as
much more of the path as tells them apart: `programs/rtp`.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATES = re.search(
    r"^## Crates\n(.*?)^\*\*libcamera",
    (ROOT / "docs" / "architecture.md").read_text(),
    re.MULTILINE | re.DOTALL,
)[1]


def named(name, paths):
    """Gives which of some paths a name stands for."""
    return [path for path in paths if f"/{path}".endswith(f"/{name}")]


def assert_names(names, paths):
    """Each name stands for one path, and each path has one."""
    unclear = [name for name in names if len(named(name, paths)) != 1]
    assert not unclear, "these stand for nothing, or for more than one"
    assert sorted(named(name, paths)[0] for name in names) == sorted(paths)


def test_each_crate_has_its_row():
    rows = re.findall(r"^\| `([\w/-]+)` \|", CRATES, re.MULTILINE)
    manifests = ROOT.glob("crates/*/*/Cargo.toml")
    assert_names(rows, [str(path.parent.relative_to(ROOT)) for path in manifests])


def test_each_file_with_unsafe_code_is_named():
    unsafe = re.compile(r"\bunsafe (\{|fn|impl|extern)")
    sources = ROOT.glob("crates/*/*/src/**/*.rs")
    found = [str(path.relative_to(ROOT)) for path in sources if unsafe.search(path.read_text())]
    assert_names(set(re.findall(r"`([\w/]+/src/[\w/]+\.rs)`", CRATES)), found)


def test_crates_of_the_same_name_are_told_apart():
    paths = ["crates/libraries/rtp", "crates/programs/rtp", "crates/libraries/my-rtp"]
    assert named("rtp", paths) == paths[:2]
    assert named("programs/rtp", paths) == paths[1:2]
    assert named("my-rtp", paths) == paths[2:]
