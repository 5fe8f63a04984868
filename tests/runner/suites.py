"""The suites: each a directory with tests and a `suite.toml` that says what they need."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent


class Unknown(Exception):
    """There is no suite of this name."""


@dataclass(frozen=True)
class Variant:
    """A suite with arguments that make it another one: libcamera --sanitized."""

    arguments: list[str]  # the suite's first ones
    about: str
    seconds: int
    packages: list[str] = field(default_factory=list)  # beside the suite's
    install: list[str] = field(default_factory=list)  # beside the suite's


@dataclass(frozen=True)
class Suite:
    """What `suite.toml` says. A file that says anything else is refused."""

    name: str
    about: str  # one line, for lists
    seconds: int  # that it took on two cores, all being installed and built
    packages: list[str] = field(default_factory=list)  # Debian's
    requirements: list[str] = field(default_factory=list)  # PyPI's, each NAME==VERSION
    after: list[str] = field(default_factory=list)  # suites whose needs are this one's, too
    root: str = ""  # why it needs root; empty: it does not
    namespaces: list[str] = field(default_factory=list)  # of its own: mount, net, pid
    quiet: bool = False  # measures times or load, and so runs alone in .ci/run
    programs: bool = True  # tests the workspace's programs, those of any directory
    install: list[str] = field(default_factory=list)  # a script of the suite: what lists cannot
    build: str = ""  # a script of the suite that builds something else than the programs
    run: str = ""  # a script of the suite instead of pytest
    variants: list[Variant] = field(default_factory=list)

    @property
    def directory(self):
        """Where its files are."""
        return TESTS / self.name

    def variant(self, arguments):
        """Gives the variant that arguments ask for; None if it is the suite as it comes."""
        for variant in self.variants:
            if arguments[: len(variant.arguments)] == variant.arguments:
                return variant
        return None


def load(name):
    """Reads a suite's file."""
    path = TESTS / name / "suite.toml"
    if not name or "/" in name or not path.exists():
        raise Unknown(name)
    values = tomllib.loads(path.read_text())
    variants = [Variant(**variant) for variant in values.pop("variants", [])]
    return Suite(name=name, variants=variants, **values)


def names():
    """Gives the names of all suites."""
    return sorted(path.parent.name for path in TESTS.glob("*/suite.toml"))


def needed(suite):
    """Gives a suite and all whose needs are its own."""
    found = []
    for name in suite.after:
        found += [each for each in needed(load(name)) if each not in found]
    return [*found, suite]


def rows(suites):
    """Gives for each suite and variant what people type, its seconds, and what it is about."""
    for suite in suites:
        root = " (root)" if suite.root else ""
        yield f"tests/run {suite.name}", suite.seconds, suite.about + root
        for variant in suite.variants:
            command = " ".join(["tests/run", suite.name, *variant.arguments])
            yield command, variant.seconds, variant.about + root


def table(suites):
    """Gives the lines of the list of suites."""
    width = max(len(command) for command, _, _ in rows(suites))
    return [f"{command:{width}} {seconds:5} s  {about}" for command, seconds, about in rows(suites)]
