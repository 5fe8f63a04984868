"""`.ci/run`: which suites it runs, and what runs beside them."""

import re
import shlex

from runner import suites


def steps():
    """Gives the words of each step of .ci/run, loops unrolled."""
    loop = []
    script = (suites.REPOSITORY / ".ci/run").read_text().replace("\\\n", " ")
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["for"]:
            loop = [word.strip(";") for word in words[3:-1]]
        elif words[:1] == ["done"]:
            loop = []
        elif words[:1] == ["suite_beside_after"]:
            yield ["suite_beside", words[2]]
        elif words[:1] == ["beside_first"]:
            yield ["beside", words[1]]
        elif words and re.fullmatch("(suite|beside|await)(_beside|_suite)?", words[0]):
            yield from ([words[0], name] for name in loop or [words[1]])


def test_each_suite_runs_once():
    ran = [name for step, name in steps() if step.startswith("suite")]
    assert sorted(ran) == suites.names()


def test_all_that_runs_beside_is_awaited():
    begun = [name for step, name in steps() if step in ("beside", "suite_beside")]
    awaited = [name for step, name in steps() if step in ("await", "await_suite")]
    assert sorted(begun) == sorted(awaited)


def test_what_measures_runs_alone():
    beside = set()
    for step, name in steps():
        if step in ("beside", "suite_beside"):
            beside.add(name)
        elif step in ("await", "await_suite"):
            beside.remove(name)
        elif suites.load(name).quiet:
            assert not beside, f"{name} beside {beside}"
