"""Namespaces of a suite's own, in which tests/run starts it."""

import os

import pytest


def require_own(kind):
    """Ends the session where a namespace (`mnt`, `net`) is everybody's: others would be harmed."""
    outer = os.environ.get("EYELID_OUTER_NAMESPACES")
    if outer is None or os.readlink(f"/proc/self/ns/{kind}") in outer.split():
        pytest.exit(f"no {kind} namespace of its own: start this suite by tests/run", returncode=2)
