"""Prints how old frames are for healthy clients, alone and under attack, and fails if an attack
makes them much older.

Strangers have computers of their own. So the server has a core for itself here, where there are
two; on the others the camera and the healthy clients run whenever they want to, the attackers when
nobody else does. bench/hostile runs it.
"""

import os
import resource
import statistics
import sys
import time
from contextlib import ExitStack, redirect_stdout

import network

from harness.cameras import start_camera
from harness.crowd import CONNECTIONS, Crowd
from harness.healthy import Healthy
from harness.http import get
from harness.programs import private_directory, programs
from harness.servers import Server

CORES = sorted(os.sched_getaffinity(0))
OLDER = 1.2  # so many times as old an attack may make the median frame
ASK = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


def nothing(server, until):
    """Nobody else."""
    time.sleep(until - time.monotonic())


def floods(server, until):
    """Connections without a request, as many as come."""
    while time.monotonic() < until:
        with Crowd(server.port) as crowd:
            crowd.come(10_000)


def idle(server, until):
    """10,000 connections without a request at once."""
    with Crowd(server.port) as crowd:
        crowd.come(10_000)
        while time.monotonic() < until:
            crowd.come(min(500, 10_000 - len(crowd)))
            time.sleep(0.5)


def slow_headers(server, until):
    """500 requests that add a byte each second."""
    with Crowd(server.port) as crowd:
        while time.monotonic() < until:
            crowd.come(500 - len(crowd), b"GET / HTTP/1.1\r\nX: ")
            crowd.say(b"x")
            time.sleep(1)


def slow_readers(server, until):
    """300 streams that take nothing."""
    with Crowd(server.port, receive_buffer=2048) as crowd:
        crowd.come(300, ASK % b"stream")
        time.sleep(until - time.monotonic())


def streams(server, until):
    """900 streams that take nothing, of the 1,000 that there may be."""
    with Crowd(server.port, receive_buffer=2048) as crowd:
        crowd.come(900, ASK % b"stream")
        time.sleep(until - time.monotonic())


def nonsense(server, until):
    """What is no HTTP, as fast as it goes."""
    while time.monotonic() < until:
        with Crowd(server.port) as crowd:
            crowd.come(1_000, b"\x16\x03\x01 nonsense\r\n\r\n")


ATTACKS = {
    "nobody else": nothing,
    "10,000 connections without a request": idle,
    "the same, again and again": floods,
    "500 slow headers": slow_headers,
    "300 streams that take nothing": slow_readers,
    "900 streams that take nothing": streams,
    "nonsense, again and again": nonsense,
}


def measure(name, attack, seconds):
    """Prints a line of the table, and gives the age of the median frame in milliseconds."""
    first, *others = CORES
    os.sched_setaffinity(0, others or CORES)
    with private_directory() as directory, programs(directory) as start, ExitStack() as stack:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        slot = start_camera(start, directory / "slots")
        slot.frame()
        server = Server(start("eyelid-server", "--slots", slot.path, "--listen", "0.0.0.0:0"), slot)
        os.sched_setaffinity(server.program.pid, [first])
        os.sched_setscheduler(server.program.pid, os.SCHED_OTHER, os.sched_param(0))
        get(server.url, "/snapshot")
        healthy = stack.enter_context(Healthy(server.url))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        used, began = server.processor_time(), time.monotonic()
        attack(server, began + seconds)
        used = (server.processor_time() - used) / (time.monotonic() - began)
        stack.close()
        memory = server.most_memory() / (1 << 20)
    ages, waits = ([1000 * value for value in values] for values in (healthy.ages, healthy.waits))
    numbers = [spread(ages), spread(waits), f"{memory:.0f} MiB", f"{100 * used:.0f} %"]
    sys.stderr.write(f"| {name} | {' | '.join(numbers)} |\n")
    return statistics.median(ages)


def spread(values):
    """Gives median and 95th percentile."""
    return f"{statistics.median(values):.1f} / {statistics.quantiles(values, n=20)[-1]:.1f}"


def main():
    """Prints the table, and fails if an attack makes frames much older."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS, CONNECTIONS))
    network.make()
    sys.stderr.write(
        "| attack | age p50 / p95 ms | snapshot p50 / p95 ms | most memory | processor |\n"
    )
    sys.stderr.write("| --- | --- | --- | --- | --- |\n")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the programs' logs
        alone, *attacked = [measure(name, attack, seconds) for name, attack in ATTACKS.items()]
    if max(attacked) > OLDER * alone:
        sys.exit(
            f"bench/hostile: an attack makes frames {max(attacked) / alone:.2f} times as old,"
            f" not {OLDER} at most"
        )


if __name__ == "__main__":
    main()
