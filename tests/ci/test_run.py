"""tests/run: what it says, and what it refuses before anything is built."""

import os
import runpy
import subprocess

import pytest

from runner import building, installing, suites

NOBODY = 65534


def run(*arguments, **options):
    """Runs tests/run; gives its status and what it said."""
    command = [suites.TESTS / "run", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    return done.returncode, done.stdout + done.stderr


def as_nobody():
    """Options with which a program is not root's, whoever we are."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def test_alone_it_lists_the_suites():
    status, said = run()
    assert status == 0
    assert said.splitlines() == suites.table([suites.load(name) for name in suites.names()])


def test_a_suite_that_is_none_is_refused_with_those_that_are():
    status, said = run("sokcets")
    assert status == 2
    assert said == f'tests/run: no suite "sokcets"; there are: {", ".join(suites.names())}\n'


def test_root_is_asked_for_first():
    status, said = run("slot", **as_nobody())
    assert status == 2
    assert said == "tests/run: slot must be run by root: it mounts small file systems\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["sockets", "--bin"], "--bin: which directory? (--bin DIR)"),
        (
            ["sockets", "--bin", "/dev"],
            "no eyelid, eyelid-capture, eyelid-receive, eyelid-relay, eyelid-rtp, eyelid-server, "
            "eyelid-video, eyelid-watch in "
            '"/dev"',
        ),
        (["ci", "--bin", "/dev"], "ci takes no --bin: tests/run and .ci/suites themselves"),
        (["all", "-k", "this"], "all takes --bin DIR only, not '-k this'"),
    ],
    ids=" ".join,
)
def test_what_cannot_work_is_refused(arguments, reason):
    assert run(*arguments) == (2, f"tests/run: {reason}\n")


def test_without_cargo_it_wants_programs():
    status, said = run(
        "docs", env={"PATH": "/nonexistent:/usr/bin:/bin", "HOME": os.environ["HOME"]}
    )
    assert status == 2
    assert "no cargo to build with (--bin DIR takes programs that are built)" in said


@pytest.mark.parametrize(("statuses", "status"), [([0, 0], 0), ([0, 1], 1), ([None, 0], 1)])
def test_all_goes_on_and_says_what_failed(monkeypatch, capsys, statuses, status):
    run_all = runpy.run_path(str(suites.TESTS / "run"))["run_all"]
    refused = run_all.__globals__["Refused"]
    ran = []

    def fake(suite, directory, arguments):
        ran.append((suite.name, directory))
        if statuses[len(ran) - 1] is None:
            raise refused("no root")
        return statuses[len(ran) - 1]

    monkeypatch.setitem(run_all.__globals__, "run", fake)
    two = [suites.Suite("one", "it", 1), suites.Suite("two", "it", 1, programs=False)]
    assert run_all(two, "there", []) == status
    assert ran == [("one", "there"), ("two", None)], "each runs, with programs if it takes some"
    said = capsys.readouterr().out
    assert ("FAILED with status 1" in said) == (1 in statuses)
    assert ("NOT RUN: no root" in said) == (None in statuses)


def tree(tmp_path):
    """Makes a repository and programs of it; gives both."""
    source = tmp_path / "crates/programs/server/src/main.rs"
    for path in source, tmp_path / "Cargo.toml", tmp_path / "Cargo.lock":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1000, 1000))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in building.PROGRAMS:
        (programs / name).touch()
        os.utime(programs / name, (2000, 2000))
    return source, programs


def test_programs_that_are_newer_than_their_sources_are_well(tmp_path):
    _, programs = tree(tmp_path)
    assert building.newer_source(programs, tmp_path) is None


@pytest.mark.parametrize("changed", ["crates/programs/server/src/main.rs", "Cargo.lock"])
def test_a_source_that_is_newer_than_a_program_is_found(tmp_path, changed):
    _, programs = tree(tmp_path)
    os.utime(programs / "eyelid-server", (3000, 3000))
    os.utime(tmp_path / changed, (2500, 2500))
    assert building.newer_source(programs, tmp_path) == tmp_path / changed


def test_tests_make_no_programs(tmp_path):
    source, programs = tree(tmp_path)
    test = source.parents[1] / "tests/http.rs"
    test.parent.mkdir()
    test.touch()
    assert building.newer_source(programs, tmp_path) is None


@pytest.mark.parametrize("name", suites.names())
def test_each_suites_file_says_what_can_be(name):
    suite = suites.load(name)
    for command in [*suite.install[:1], suite.build, suite.run]:
        assert not command or os.access(suite.directory / command, os.X_OK)
    assert {each.name for each in suites.needed(suite)} >= {name, *suite.after}
    assert all("==" in each for each in suite.requirements), "a version is missing"
    assert set(suite.namespaces) <= {"mount", "net", "pid"}
    assert suite.root or not suite.namespaces


def test_a_key_that_is_none_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(suites, "TESTS", tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/suite.toml").write_text('about = "one"\nseconds = 1\npakages = []\n')
    with pytest.raises(TypeError, match="pakages"):
        suites.load("one")


def test_a_suites_own_script_installs_what_lists_cannot(monkeypatch, tmp_path):
    monkeypatch.setattr(suites, "TESTS", tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/suite.toml").write_text(
        'about = "one"\nseconds = 1\ninstall = ["script", "a"]\n'
        '[[variants]]\narguments = ["--two"]\nabout = "two"\nseconds = 2\n'
        'install = ["script", "b"]\n'
    )
    script = tmp_path / "one/script"
    script.write_text('#!/bin/sh\necho "$1 $EYELID_TESTS_CACHE" >> "$(dirname "$0")/done"\n')
    script.chmod(0o755)
    one = suites.load("one")
    installing.install(one, one.variant(["--two", "-k", "all"]))
    assert (tmp_path / "one/done").read_text() == f"a {installing.CACHE}\nb {installing.CACHE}\n"
