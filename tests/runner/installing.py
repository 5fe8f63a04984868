"""Installs what suites need: Debian's packages, and a Python environment outside the tree.

Quick, and without a word, where all of it is there.
"""

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from runner.suites import needed

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eyelid-tests"
ENVIRONMENT = CACHE / "python"
PYTHON = ENVIRONMENT / "bin/python"
REQUIREMENTS = ["pytest==9.2.0", "pillow==13.0.0"]
APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600"]


def missing_packages(suite, variant):
    """Gives which of Debian's packages are not there."""
    wanted = {"python3-venv"}
    for each in needed(suite):
        wanted.update(each.packages)
    wanted.update(variant.packages if variant else [])
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *wanted]
    said = subprocess.run(query, capture_output=True, text=True).stdout
    there = {line.split()[0] for line in said.splitlines() if line.endswith(" installed")}
    return sorted(wanted - there)


def missing_requirements(suite):
    """Gives which of PyPI's packages are not there, in these versions."""
    wanted = [*REQUIREMENTS]
    for each in needed(suite):
        wanted += each.requirements
    libraries = ENVIRONMENT.glob("lib/python*/site-packages")
    there = {
        (found.name.lower(), found.version)
        for found in metadata.distributions(path=[str(path) for path in libraries])
    }
    return [each for each in wanted if tuple(each.lower().split("==")) not in there]


def install(suite, variant):
    """Installs what a suite needs. Two at a time wait for one another: apt does not always."""
    with _lock():
        if packages := missing_packages(suite, variant):
            quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run([*APT, "update"], check=True)
            command = [*APT, "install", "--no-install-recommends", *packages]
            subprocess.run(command, check=True, env=quiet)
        if not PYTHON.exists():
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        if requirements := missing_requirements(suite):
            pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
    scripts = [(each.directory, each.install) for each in needed(suite)]
    if variant:
        scripts.append((suite.directory, variant.install))
    for directory, command in scripts:
        if command:
            script, *arguments = command
            subprocess.run([directory / script, *arguments], check=True, env=environment())


def environment():
    """Gives the environment of what tests/run starts."""
    return os.environ | {
        "EYELID_TESTS_CACHE": str(CACHE),
        "EYELID_TESTS_PYTHON": str(PYTHON),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def _lock():
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
