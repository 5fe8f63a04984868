"""usage: table.py [SECONDS]

Prints how old frames are for healthy clients, alone and under each attack, as a Markdown table.
bench/hostile runs it.
"""

import resource
import statistics
import sys
import time
from contextlib import redirect_stdout

from attacks import ATTACKS, Windows, healthy_clients, start_server

from harness.crowd import CONNECTIONS
from harness.networks import make
from harness.programs import private_directory, programs

HEADINGS = ["attack", "age p50 / p95 ms", "snapshot p50 / p95 ms", "most memory", "processor"]


def row(name, attack, seconds):
    """Gives the fields of a line, measured on a server of its own."""
    with private_directory() as directory, programs(directory) as start:
        server, windows = start_server(start, directory / "slots"), Windows()
        with healthy_clients(server) as healthy:
            used, began = server.processor_time(), time.monotonic()
            with windows.of(name):
                attack(server, began + seconds)
            used = (server.processor_time() - used) / (time.monotonic() - began)
        windows.take(healthy)
        memory = server.most_memory() / (1 << 20)
    spreads = [spread(windows.ages(name)), spread(healthy.waits)]
    return [name, *spreads, f"{memory:.0f} MiB", f"{100 * used:.0f} %"]


def spread(seconds):
    """Gives median and 95th percentile in milliseconds."""
    median, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return f"{1000 * median:.1f} / {1000 * p95:.1f}"


def nothing(server, until):
    """Nobody else."""
    time.sleep(until - time.monotonic())


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS, CONNECTIONS))
    make("ip link set lo up")
    lines = [HEADINGS, ["---"] * len(HEADINGS)]
    for name, attack in {"nobody else": nothing, **ATTACKS}.items():
        with redirect_stdout(None):  # the programs' logs
            lines.append(row(name, attack, seconds))
    for fields in lines:
        print(f"| {' | '.join(fields)} |")
