"""`.ci/suites`: what it says of suites that fail, with real ones of pytest in place of ours."""

import re
import subprocess
import sys
import textwrap

import pytest

from harness.processes import alive
from harness.waiting import wait_for
from runner.suites import REPOSITORY

# In place of tests/run: runs pytest on the file of this name, as it is run for every suite.
FAKE_RUN = f"""#!/bin/sh
[ "$1" != shell ] || exec sh -c "$2"
name=$1
shift
exec {sys.executable} -m pytest -p no:cacheprovider -ra --tb=short test_$name.py "$@"
"""

# A test that fails as often as its file says.
TIMES = """
    import pathlib
    import pytest

    def fail(times, name="count"):
        count = pathlib.Path(name)
        seen = int(count.read_text()) if count.exists() else 0
        count.write_text(str(seen + 1))
        assert seen >= times, f"failed for the {seen + 1}. time"
"""


@pytest.fixture
def ci(tmp_path):
    """Gives a function that runs a script as .ci/run is one, with suites by name."""
    (tmp_path / "tests").mkdir()
    run = tmp_path / "tests" / "run"
    run.write_text(FAKE_RUN)
    run.chmod(0o755)

    def ci(script, **suites):
        for name, text in suites.items():
            text = textwrap.dedent(TIMES) + textwrap.dedent(text)
            (tmp_path / f"test_{name}.py").write_text(text)
        head = f"set -euo pipefail\n. {REPOSITORY}/.ci/suites\n"
        return subprocess.run(
            ["bash", "-c", head + script], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )

    return ci


def conclusion(done):
    """Gives what stands behind the table of seconds."""
    return done.stdout.partition("== how long it took")[2]


def took(done):
    """Gives what each step took by that table: seconds, and seconds of CPU."""
    rows = re.findall(r"^ +(\d+) s +(\d+) s of CPU  (.+)$", conclusion(done), re.MULTILINE)
    return {step: (int(seconds), int(cpu)) for seconds, cpu, step in rows}


ONE = "suite one\nconclude_suites"


def test_all_pass(ci):
    done = ci(ONE, one="def test_well(): pass")
    assert done.returncode == 0, done.stderr
    assert "one" in took(done)
    assert "FLAKY" not in done.stdout and "FAILED" not in done.stdout


def test_one_that_fails_once_is_flaky_and_says_what_it_said(ci):
    done = ci(ONE, one="def test_now_and_then(): fail(1)\ndef test_well(): pass")
    assert done.returncode == 0, done.stdout
    assert "FLAKY\ntest_now_and_then of suite one failed once, and passed alone:" in done.stdout
    assert "failed for the 1. time" in conclusion(done)
    assert "\nFAILED\n" not in done.stdout


def test_one_that_fails_twice_fails(ci):
    done = ci(ONE, one="def test_never(): fail(2)")
    assert done.returncode == 1
    assert "FAILED\ntest_never of suite one, twice\n" in conclusion(done)
    assert "FLAKY" not in done.stdout


def test_an_error_of_a_fixture_is_tried_again(ci):
    setup = """
        @pytest.fixture
        def camera():
            fail(1)

        def test_a_camera(camera): pass
    """
    done = ci(ONE, one=setup)
    assert done.returncode == 0
    assert "FLAKY\ntest_a_camera of suite one failed once" in done.stdout
    assert "failed for the 1. time" in conclusion(done)


PARAMETERS = """
    @pytest.mark.parametrize("value", ["two words", "a::b", "[x]", "test_other - no"])
    def test_each(value):
        fail({times}, "each" + str(hash(value)))

    def test_other(): pass
    def b(): pass
"""


@pytest.mark.parametrize(("times", "status"), [(1, 0), (2, 1)])
def test_parameters_are_one_test(ci, monkeypatch, times, status):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    done = ci(ONE, one=PARAMETERS.format(times=times))
    assert done.returncode == status, done.stdout
    assert done.stdout.count("== once more: ") == 1
    assert "once more: test_each of suite one" in done.stdout


@pytest.mark.parametrize(("times", "status"), [(1, 0), (2, 1)])
def test_a_class_is_not_named(ci, times, status):
    text = f"""
        class TestCamera:
            @pytest.mark.parametrize("size", ["a b"])
            def test_in_a_class(self, size): fail({times})
    """
    done = ci(ONE, one=text)
    assert done.returncode == status, done.stdout
    assert "once more: test_in_a_class of suite one" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "import no_such_module",
        "".join(f"def test_{n}(): fail(9, '{n}')\n" for n in range(4)),
        "def test_one(): fail(1)\ndef test_two(): pytest.exit('so')",
    ],
    ids=["does not load", "too many", "ended early"],
)
def test_what_names_no_test_is_not_tried_again(ci, text):
    done = ci(ONE, one=text)
    assert done.returncode == 1
    assert "once more" not in done.stdout
    assert re.search(r"FAILED\nsuite one ended with status \d\n", conclusion(done))


def test_a_suite_that_is_no_pytest_fails_at_once(ci):
    done = ci("suite shell 'echo FAILED: a unit; exit 1'\nconclude_suites")
    assert done.returncode == 1
    assert "FAILED\nsuite shell ended with status 1\n" in conclusion(done)


def test_it_goes_on_after_a_failure_and_tells_of_all(ci):
    done = ci(
        "suite one\nsuite two -k well\nconclude_suites",
        one="def test_never(): fail(2)",
        two="def test_now_and_then(): fail(2, 'two')\ndef test_well(): fail(1, 'well')",
    )
    assert done.returncode == 1
    assert "test_well of suite two failed once, and passed alone" in done.stdout
    assert "FAILED\ntest_never of suite one, twice\n" in conclusion(done)
    assert "test_now_and_then" not in conclusion(done)


def test_beside(ci):
    script = """
        beside "a job" sh -c 'echo what it said'
        beside "a bad job" sh -c 'exit 7'
        suite_beside one
        suite two
        await "a job"
        await "a bad job"
        await_suite one
        conclude_suites
    """
    done = ci(script, one="def test_now_and_then(): fail(1)", two="def test_well(): pass")
    assert done.returncode == 1
    assert "what it said" in done.stdout
    assert "FLAKY\ntest_now_and_then of suite one" in conclusion(done)
    assert conclusion(done).endswith("\nFAILED\na bad job ended with status 7\n")
    assert "a job (beside)" in took(done)


def test_a_check_that_fails_is_told_after_all_others(ci):
    script = """
        check "a check" sh -c 'echo what it said; exit 7'
        check "a good one" true
        suite one
        conclude_suites
    """
    done = ci(script, one="def test_well(): pass")
    assert done.returncode == 1
    assert "what it said" in done.stdout and "1 passed" in done.stdout
    assert conclusion(done).endswith("\nFAILED\na check ended with status 7\n")
    assert {"a check", "a good one", "one"} <= took(done).keys()


def test_what_computes_and_what_waits(ci):
    compute = "import time\nwhile time.process_time() < 0.6: pass"
    script = f"""
        task "computes" sh -c "{sys.executable} -c '{compute}'; true"
        task "waits" sleep 1.1
        conclude_suites
    """
    steps = took(ci(script))
    assert steps["computes"][1] >= 1
    assert steps["waits"][0] >= 1 and steps["waits"][1] == 0


def test_what_runs_beside_ends_with_it(ci, tmp_path):
    script = """
        beside "a job" sh -c 'echo $$ > pid; sleep 1000 & wait'
        until [ -s pid ]; do sleep 0.01; done
        task "what fails" sh -c 'exit 5'
    """
    done = ci(script)
    assert done.returncode == 5
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not alive(pid), "the end of what ran beside")


def test_one_that_takes_what_a_job_makes_begins_when_that_has_ended(ci):
    script = """
        beside_first maker sh -c 'sleep 1; touch made; exit 3'
        suite_beside_after maker one -k there
        await maker
        await_suite one
        conclude_suites
    """
    one = """
        def test_it_is_there(): assert pathlib.Path("made").exists()
        def test_other(): assert False
    """
    done = ci(script, one=one)
    assert done.stdout.rstrip().endswith("FAILED\nmaker ended with status 3"), done.stdout
    assert took(done)["one (beside)"][0] >= 1
