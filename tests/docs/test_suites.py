"""What CONTRIBUTING.md and tests/FLAKY.md say of the suites."""

import re

from runner import suites

PAGE = (suites.REPOSITORY / "CONTRIBUTING.md").read_text()


def test_the_list_of_suites_is_that_of_tests_run():
    listed = [line.strip() for line in PAGE.splitlines() if line.startswith("    tests/run ")]
    assert listed == suites.table([suites.load(name) for name in suites.names()])


def test_each_directory_with_tests_is_a_suite():
    tests = {path.parent.name for path in suites.TESTS.glob("*/test_*.py")}
    assert tests <= set(suites.names())


def test_no_test_was_flaky_twice():
    page = (suites.TESTS / "FLAKY.md").read_text()
    tests = re.findall(r"^\| \d{4}-\d\d-\d\d \| (.+?) \|", page, re.MULTILINE)
    assert len(tests) == len(set(tests)), "mend the one that stands there twice first"
