"""`.ci/columns`: which lines are to be wrapped."""

import runpy

import pytest

from runner.suites import REPOSITORY

too_wide = runpy.run_path(str(REPOSITORY / ".ci/columns"))["too_wide"]


@pytest.mark.parametrize(
    ("line", "wide"),
    [
        ("// " + 97 * "x", False),
        ("// " + 98 * "x", True),
        ("    /// " + 98 * "x", True),
        ("# " + 99 * "x", True),
        ("// see https://example.org/" + 98 * "x", False),
        ('    "' + 98 * "x" + '"', False),
        ('// "it\'s" ' + 98 * "x", True),
        ("    0xff" + 98 * "x", True),
        ("äöü" * 33, False),
    ],
)
def test_what_is_too_wide(line, wide):
    assert too_wide(line, is_python=False) == wide


@pytest.mark.parametrize(
    ("line", "wide"),
    [
        ('    "' + 94 * "x" + '"', False),
        ('    "' + 95 * "x" + '"', True),
        ("# see https://example.org/" + 98 * "x", False),
        ("# https://example.org/" + 98 * "x" + " says so", True),
    ],
)
def test_python_has_ruffs_rule(line, wide):
    assert too_wide(line, is_python=True) == wide
