"""Destinations that are not there, are there again, or are elsewhere; and others that must not
notice."""

import subprocess
import time
from itertools import pairwise

import cable
import pytest
from cable import THERE
from sink import Sink, udp

from harness import networks
from harness.feed import picture


@pytest.fixture
def push(start):
    """Starts eyelid-rtp for destinations alone."""

    def push(slots, *arguments):
        return start("eyelid-rtp", "--slots", slots, "--stats-interval", "1s", *arguments)

    return push


@pytest.fixture
def hosts(directory):
    """Says which addresses a name has: `hosts(name, *addresses)`."""
    file = directory / "hosts"
    file.touch()
    subprocess.run(["mount", "--bind", file, "/etc/hosts"], check=True)

    def hosts(name, *addresses):
        file.write_text("".join(f"{address} {name}\n" for address in addresses))

    yield hosts
    subprocess.run(["umount", "/etc/hosts"], check=True)


def test_a_name_leads_to_whoever_takes_packets(push, slots, hosts):
    program = push(slots, "--to", "recorder.test:5000", "--always")
    program.wait_log('cannot find "recorder.test"')
    # Nobody is at the first.
    hosts("recorder.test", "127.0.0.2", "127.0.0.3")
    with Sink(udp("127.0.0.3")) as sink:
        sink.wait()
        program.wait_log(r"sending to 127\.0\.0\.3:5000 from port \d+")
    # The receiver moves, and its name with it.
    hosts("recorder.test", "127.0.0.4")
    with Sink(udp("127.0.0.4")) as sink:
        sink.wait()
    log = program.log()
    assert log.count("cannot find") == 1
    assert log.count("sending to 127.0.0.3:5000") == log.count("sending to 127.0.0.4:5000") == 1


def test_a_receiver_that_restarts_is_back_in_a_second(push, slots, receiver_computer):
    program = push(slots, "--to", f"{THERE}:5000", "--always")
    waits = []
    for pause in [0, 0.2, 1.0]:
        with Sink(cable.udp()) as sink:
            began = time.monotonic()
            sink.wait()
            waits.append(time.monotonic() - began)
            sink.wait(100)
        time.sleep(pause)
    # A probe each 1.1 s, two that are not refused within 0.25 s each, and a frame.
    assert max(waits[1:]) < 3, waits
    assert "Connection refused" not in program.log(), "a restart is no news"


def test_hosts_that_tell_of_few_refusals_are_understood(push, slots, receiver_computer):
    to = [f"--to={THERE}:{port}" for port in [5000, 5002]]
    program = push(slots, *to, "--always")
    for port in [5000, 5002]:
        program.wait_log(rf"{port}: Connection refused")
    began = len(program.log())
    # A host has saved up six refusals; without a pause for each they are used up by now.
    time.sleep(5)
    assert program.log()[began:] == "", "frames, or a receiver, where there is none"
    with Sink(cable.udp(5002)) as sink:
        sink.wait()


def check_undisturbed(sink):
    """Fails where a packet is missing, or nothing came for a while."""
    sink.check_frames()
    longest = max(after - before for before, after in pairwise(sink.times))
    assert longest < 1, longest


def test_what_happens_to_others_is_their_own(push, feed, directory, hosts, receiver_computer):
    door = picture(directory / "door.jpg")
    of_door = feed("slots/door", door)
    feed("slots/bed", picture(directory / "bed.jpg", (320, 240)))
    there = Sink(cable.udp())
    with Sink(udp("127.0.0.1", 5002)) as healthy:
        names = {
            f"{THERE}:5000": "door",
            "127.0.0.1:5002": "bed",
            "127.0.0.1:5004": "door",
            "late.test:5006": "bed",
        }
        arguments = [f"--to={to}" for to in names] + [f"--name={name}" for name in names.values()]
        program = push(directory / "slots", *arguments, "--always")
        healthy.wait()
        there.wait()
        program.wait_log(r"127\.0\.0\.1:5004: Connection refused")
        program.wait_log("cannot find")
        # The computer starts anew: nobody says anything.
        networks.make("ip -n receiver link set theirs down")
        time.sleep(1)
        networks.make("ip -n receiver link set theirs up")
        there.wait()
        # Its network goes, and comes back as another.
        networks.make("ip link delete ours")
        program.wait_log(rf"{THERE}:5000: cannot send")
        networks.make(cable.LAY)
        there.wait()
        hosts("late.test", "127.0.0.5")
        with Sink(udp("127.0.0.5", 5006)) as late:
            late.wait()
        # The camera of the others fails.
        of_door.stop()
        program.wait_log('camera "door": no frame to send')
        healthy.wait(100)
        check_undisturbed(healthy)
    there.close()
    log = program.log()
    for once in ["cannot find", "5004: Connection refused", "5000: cannot send"]:
        assert log.count(once) == 1, log
