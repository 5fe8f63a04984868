"""How much room one address may have, and what the others have of it."""

import contextlib

import pytest
from rtsp import INTERLEAVED, Client

from harness import networks

SERVER = "198.51.100.1"
ONE, OTHER, THIRD = "198.51.100.2", "198.51.100.3", "198.51.100.4"
ADDRESSES = "\n".join(
    f"ip address replace {address}/32 dev lo" for address in [SERVER, ONE, OTHER, THIRD]
)


@pytest.fixture
def program(rtp, slots):
    """One that others than programs of this machine can reach; gives it with its `elsewhere`."""

    def program(*arguments):
        networks.make(ADDRESSES)
        program = rtp(slots, "--rtsp", f"{SERVER}:0", *arguments)
        program.elsewhere = program.wait_log(rf"rtsp://{SERVER}:[1-9]\d*")[0]
        return program

    return program


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def begin(stack, url, source, most):
    """Begins sessions of an address until one is refused; gives how many it has."""
    for number in range(most):
        client = stack.enter_context(Client(url, source))
        if (status := client.set_up(INTERLEAVED).status) != 200:
            assert status == 503
            return number
    return most


def test_an_address_has_no_more_sessions_than_are_left(program, stack):
    program = program("--max-sessions", "12")
    assert begin(stack, program.elsewhere, ONE, 12) == 6
    program.wait_log(rf"client {ONE}:\d+ is not served: its address has 6 sessions, .*\(503\)")
    assert begin(stack, program.elsewhere, OTHER, 12) == 4
    assert begin(stack, program.elsewhere, THIRD, 12) == 2
    # Programs of this machine are not told apart, and there is no room for them either.
    assert begin(stack, program.url, "127.0.0.2", 12) == 0


def test_programs_of_this_machine_may_have_all(program, stack):
    assert begin(stack, program("--max-sessions", "12").url, "127.0.0.2", 20) == 12


def test_an_address_has_so_many_connections_without_a_session(program, stack):
    program = program()
    for _ in range(64):
        assert stack.enter_context(Client(program.elsewhere, ONE)).ask("OPTIONS").status == 200
    with Client(program.elsewhere, ONE) as refused:
        assert refused.response().status == 503
        refused.closed()
    program.wait_log(rf"client {ONE}:\d+ is not served: its address has 64 connections")
    with Client(program.elsewhere, OTHER) as client:
        client.play()
