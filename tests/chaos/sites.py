"""Two ways to run the programs, and what is known of each while it is being harmed."""

import ctypes
import os
import subprocess
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.http import free_port, wait_listening
from harness.processes import alive, command_line, usage
from harness.slot import Slot
from harness.waiting import wait_for

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
OPTIONS = ["--source", "test", "--size", "320x240", "--fps", "10"]


def adopt_orphans():
    """Makes programs whose parent was killed children of this process, where they are seen."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def family():
    """Gives the pids of all programs below this process, however they came there.

    Zombies of orphans are buried.
    """
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found.add((int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])))
    parents = {os.getpid()}
    while more := {pid for pid, parent in found if parent in parents} - parents:
        parents |= more
    return sorted(filter(alive, parents - {os.getpid()}))


class Site:
    """Programs around one slot. Subclasses say how they are started."""

    def __init__(self, start, directory, metronome):
        self.start = start
        self.metronome = metronome
        self.home = directory / type(self).__name__
        self.home.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", self.home], check=True
        )
        self.slot = Slot(self.home / "slots")
        self.address = f"http://127.0.0.1:{free_port()}"
        self.looking = threading.Event()
        self.clients = []
        self.failures = []
        self._deaths = threading.Lock()
        self._dying = self._died = 0  # servers that are being killed, and those that were
        self.calm_since = None  # None while something is being done to it
        self.returns_s = []
        self.rests = []
        self.faults = deque(maxlen=20)

    def pids(self):
        """Gives the pids of the programs that run, by their names."""
        raise NotImplementedError

    def ensure_running(self):
        """Starts what has died, and waits until all programs are there."""
        raise NotImplementedError

    def fails(self, what):
        """Keeps a failure, with what was done last.

        One that goes on for long is told often enough.
        """
        if len(self.failures) < 5:
            self.failures.append(f"{type(self).__name__}: {what}; before: {', '.join(self.faults)}")

    @contextmanager
    def killing_server(self):
        """While this lasts, streams may end."""
        with self._deaths:
            self._dying += 1
        try:
            yield
        finally:
            with self._deaths:
                self._dying -= 1
                self._died += 1

    def lives(self):
        """Gives a number that is another one after the server was killed.

        None while that happens.
        """
        with self._deaths:
            return None if self._dying else self._died

    def calm_for(self):
        """Gives for how many seconds nothing was done to it, and the machine had time."""
        since = self.calm_since
        return 0.0 if since is None else time.monotonic() - max(since, self.metronome.late_at)

    def usage(self):
        """Gives what each program has, by its name."""
        return {name: usage(pid) for name, pid in self.pids().items()}

    def close(self):
        """Lets go of the slot's file system."""
        subprocess.run(["umount", "--lazy", self.home], check=True)


class Launched(Site):
    """The launcher, and the two programs that it starts."""

    def __init__(self, start, directory, metronome):
        super().__init__(start, directory, metronome)
        configuration = directory / "launched.toml"
        configuration.write_text(
            '[server]\nidle-exit = "24h"\ntimeout = "1s"\n'
            '[cameras.default]\nsource = "test"\nsize = "320x240"\nfps = 10\nlinger = "300ms"\n'
        )
        listen = self.address.removeprefix("http://")
        self._arguments = ["--config", configuration, "--listen", listen, "--slots", self.slot.path]
        self._launcher = None
        self.ensure_running()

    def pids(self):
        pids = {"eyelid": self._launcher.pid} if self._launcher.running() else {}
        # The launcher's children, or those of one that was killed.
        for pid in family():
            arguments = command_line(pid)
            # What it has just forked has its own name for a moment.
            slots = {argument.rpartition("=")[2] for argument in arguments}
            if str(self.slot.path) in slots and (name := Path(arguments[0]).name) != "eyelid":
                pids[name] = pid
        return pids

    def ensure_running(self):
        def runs():
            if self._launcher is None or not self._launcher.running():
                self._launcher = self.start("eyelid", *self._arguments)
            # The programs start when somebody connects.
            return not self.clients or len(self.pids()) == 3

        wait_for(runs, lambda: f"launcher and both programs: {self.pids()}\n{self._launcher.log()}")
        wait_listening(self.address)


class Bare(Site):
    """The two programs without the launcher, started again at once as systemd does."""

    def __init__(self, start, directory, metronome):
        super().__init__(start, directory, metronome)
        listen = self.address.removeprefix("http://")
        self._commands = {
            "eyelid-server": ["--slots", self.slot.path, "--listen", listen, "--timeout", "1s"],
            "eyelid-capture": ["--slot", self.slot.path, *OPTIONS, "--linger", "300ms"],
        }
        self._programs = {}
        self.ensure_running()

    def pids(self):
        return {name: program.pid for name, program in self._programs.items() if program.running()}

    def ensure_running(self):
        for name, arguments in self._commands.items():
            if name not in self.pids():
                self._programs[name] = self.start(name, *arguments)
        wait_listening(self.address)
