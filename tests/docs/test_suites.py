"""What CONTRIBUTING.md says of the suites is what tests/run says."""

from runner import suites

PAGE = (suites.REPOSITORY / "CONTRIBUTING.md").read_text()


def test_the_list_of_suites_is_that_of_tests_run():
    listed = [line.strip() for line in PAGE.splitlines() if line.startswith("    tests/run ")]
    assert listed == suites.table([suites.load(name) for name in suites.names()])


def test_each_directory_with_tests_is_a_suite():
    tests = {path.parent.name for path in suites.TESTS.glob("*/test_*.py")}
    assert tests <= set(suites.names())
