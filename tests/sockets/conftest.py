"""Addresses to listen on."""

import pytest

from harness.http import free_port


@pytest.fixture
def addresses(directory):
    """A TCP address of each family and a Unix socket, as systemd writes them and as clients do."""
    four, six = free_port(), free_port("::1")
    return {
        "tcp": (f"127.0.0.1:{four}", f"http://127.0.0.1:{four}"),
        "tcp6": (f"[::1]:{six}", f"http://[::1]:{six}"),
        "unix": (f"{directory}/socket", f"unix:{directory}/socket"),
    }
