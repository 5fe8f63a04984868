"""Starting programs, and ending them with all that they started."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.processes import alive, descendants
from harness.waiting import DEADLINE, wait_for


def binary(name):
    """Gives the path of one of Eyelid's programs."""
    return str(Path(os.environ["EYELID_BIN"]) / name)


class Program:
    """A running program, its output in two files."""

    def __init__(self, directory, *argv, **options):
        argv = [str(arg) for arg in argv]
        self.name = Path(argv[0]).name
        number = len(list(directory.glob("*.log")))
        self._log = directory / f"{number}-{self.name}.log"
        self._out = self._log.with_suffix(".out")
        with open(self._log, "wb") as log, open(self._out, "wb") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log, **options
            )
        self.pid = self.process.pid

    def log(self):
        """Gives what was written to stderr so far."""
        return self._log.read_text(errors="replace")

    def out(self):
        """Gives what was written to stdout so far."""
        return self._out.read_text(errors="replace")

    def running(self):
        """Says whether it still runs."""
        return self.process.poll() is None

    def wait_log(self, pattern):
        """Waits until stderr matches a regular expression."""
        return self._wait_text(self.log, pattern)

    def wait_out(self, pattern):
        """Waits until stdout matches a regular expression."""
        return self._wait_text(self.out, pattern)

    def _wait_text(self, text, pattern):
        def found():
            ended = not self.running()
            match = re.search(pattern, text())
            assert match or not ended, (
                f"{self.name} ended without {pattern!r}:\n{self.out()}{self.log()}"
            )
            return match

        return wait_for(found, lambda: f"{pattern!r} from {self.name}:\n{self.out()}{self.log()}")

    def wait(self, deadline=DEADLINE):
        """Waits for its end and gives its exit code."""
        wait_for(
            lambda: not self.running(),
            lambda: f"the end of {self.name}; its log:\n{self.log()}",
            deadline,
        )
        return self.process.returncode

    def stop(self, how=signal.SIGTERM, deadline=DEADLINE):
        """Sends a signal, waits for the end and gives the exit code."""
        if self.running():
            self.process.send_signal(how)
        return self.wait(deadline)

    def end(self, deadline=DEADLINE):
        """Ends it and all that it started, whatever it takes.

        Tests that care for how it ends use `stop`.
        """
        family = [self.pid, *descendants(self.pid)]
        try:
            self.stop(deadline=deadline)
        except AssertionError:
            self.process.kill()
            self.process.wait()
        for pid in family[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(map(alive, family)), f"the end of all that {self.name} started")


@contextmanager
def private_directory():
    """Gives a private directory on tmpfs for slots and all else, and removes it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="eyelid-test-", dir="/dev/shm"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def programs(directory):
    """Gives a function that starts programs; ends them afterwards and shows their logs."""
    logs = directory / "logs"
    logs.mkdir()
    started = []

    def start(name, *arguments, **options):
        path = binary(name) if str(name).startswith("eyelid") else name
        started.append(Program(logs, path, *arguments, **options))
        return started[-1]

    try:
        yield start
    finally:
        for program in reversed(started):
            program.end()
        for program in started:
            print(f"--- log of {program.name}:\n{program.log()}")
