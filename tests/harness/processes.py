"""What the kernel knows of a process."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


def children(pid):
    """Gives the pids of a process's children."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid):
    """Gives the pids of a process's children, their children, and so on."""
    return [found for child in children(pid) for found in (child, *descendants(child))]


def alive(pid):
    """Says whether a process runs: zombies do not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid):
    """Gives a process's arguments; none if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    return []


def program_named(pid, name):
    """Gives the pid of a program of this name that a process, or one that it has started, has
    started; None if there is none.
    """
    for found in descendants(pid):
        # One that has just ended has no arguments.
        if name in [Path(program).name for program in command_line(found)[:1]]:
            return found
    return None


@dataclass
class Usage:
    """What a process has, and what it has used since it started."""

    rss_kib: int
    anonymous_kib: int  # its own, whoever else maps the same files
    peak_kib: int
    descriptors: int
    threads: int
    watches: int
    cpu_s: float


def usage(pid):
    """Gives what a process has and has used."""
    proc = Path(f"/proc/{pid}")
    rollup, status = (proc / "smaps_rollup").read_text(), (proc / "status").read_text()
    return Usage(
        rss_kib=_number(rollup, "Rss:"),
        anonymous_kib=_number(rollup, "Anonymous:"),
        peak_kib=peak_kib(pid),
        descriptors=descriptors(pid),
        threads=_number(status, "Threads:"),
        watches=watches(pid),
        cpu_s=_cpu_s(proc),
    )


def peak_kib(pid):
    """Gives the most memory that a process ever had."""
    return _number(Path(f"/proc/{pid}/status").read_text(), "VmHWM:")


def descriptors(pid):
    """Gives how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def open_files(pid):
    """Gives what a process has open, as its links in /proc say it: paths, `socket:[1234]`."""
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(link))
    return links


def watches(pid):
    """Gives how many files and directories a process watches with inotify."""
    count = 0
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += info.read_text().count("inotify wd:")
    return count


def wake_ups(pid):
    """Gives how often the threads of a process have gone to wait."""
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return sum(_number(thread.read_text(), "voluntary_ctxt_switches:") for thread in threads)


def _cpu_s(proc):
    used_ns = 0
    for task in proc.glob("task/*/schedstat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            used_ns += int(task.read_text().split()[0])
    return used_ns / 1e9


def _number(text, key):
    return int(re.search(rf"^{key}\s*(\d+)", text, re.MULTILINE)[1])
