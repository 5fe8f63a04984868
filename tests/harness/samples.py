"""What programs have and use while something goes on for long, as a table: nothing may grow."""

import csv
import statistics
import time

from harness.processes import descriptors, usage

HELD = ("rss_kib", "anonymous_kib", "descriptors", "threads", "watches")


class Samples:
    """What the programs had and used each time that all of them rested, as a table in a file."""

    def __init__(self, path, pids):
        self._path = path
        self._pids = pids
        self._start = time.monotonic()
        # What is open with nobody there; it does not depend on the moment.
        self._resting = {name: descriptors(pid) for name, pid in pids.items()}
        self.rows = []

    def take(self, **more):
        """Adds a row once the connections of those who have gone are closed."""
        for name, pid in self._pids.items():
            self._resting[name] = _settle(pid, self._resting[name])
        row = {"seconds": round(time.monotonic() - self._start, 1), **more}
        for name, pid in self._pids.items():
            row |= {f"{name}_{what}": value for what, value in vars(usage(pid)).items()}
        self.rows.append(row)
        first = len(self.rows) == 1
        with open(self._path, "w" if first else "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if first:
                writer.writeheader()
            writer.writerow(row)

    def quarter(self, number):
        """Gives the rows of a quarter of the time, counted from 1."""
        end = self.rows[-1]["seconds"]
        return [row for row in self.rows if (number - 1) / 4 < row["seconds"] / end <= number / 4]

    def growth(self, memory_factor, memory_kib):
        """Compares what programs had in the second quarter with what they had in the last: gives a
        line for each, and a line for each that has grown: memory by more than so much.
        """
        report, grown = [], []
        for column in [f"{program}_{what}" for program in self._pids for what in HELD]:
            was, now = (
                statistics.median(row[column] for row in self.quarter(number)) for number in (2, 4)
            )
            report.append(f"{column}: {was:g} then {now:g}")
            bound = memory_factor * was + memory_kib if column.endswith("kib") else was
            if now > bound:
                grown.append(f"{column} grew: {was:g} then {now:g}")
        return report, grown


def _settle(pid, resting, patience_s=5.0):
    """Waits, not for ever, until a process has no more open than it had; gives the least it had."""
    end = time.monotonic() + patience_s
    while (now := descriptors(pid)) > resting and time.monotonic() < end:
        time.sleep(0.02)
    return min(now, resting)


def rise(rows, column):
    """Gives how much a counter rose."""
    return rows[-1][column] - rows[0][column]
