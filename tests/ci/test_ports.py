"""`harness.http.free_port`: suites that run beside one another are not given the same port."""

import os
import socket
import subprocess
import sys

import pytest

from harness.http import PORTS, free_port
from runner.suites import TESTS

MANY = "from harness.http import free_port\nprint(*[free_port() for _ in range(200)])"


@pytest.fixture(autouse=True)
def nothing_given_yet(tmp_path, monkeypatch):
    """Has ports counted anew."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_suites_at_the_same_time_are_given_different_ports():
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", MANY]
    suites = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    given = [int(port) for suite in suites for port in suite.communicate()[0].split()]
    assert len(set(given)) == len(given) == 800


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_somebody_has_is_not_given(host, kind):
    first = free_port(host, kind)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as other:
        other.bind((host, first + 1))
        assert free_port(host, kind) != first + 1


def test_the_kernel_gives_none_of_them():
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = map(int, file.read().split())
    assert not set(PORTS) & set(range(first, last + 1))


def test_after_the_last_comes_the_first(tmp_path):
    (tmp_path / f"eyelid-tests-port-{os.getuid()}").write_text(str(PORTS[-2]))
    given = [free_port(), free_port()]
    assert given[0] == PORTS[-1] or given[0] < PORTS[100]
    assert PORTS.start <= given[1] < PORTS[100]
