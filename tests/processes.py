"""What the kernel knows of a process, for suites that look for leaks."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Usage:
    """What a process has, and what it has used since it started."""

    rss_kib: int
    pss_kib: int
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
        pss_kib=_number(rollup, "Pss:"),
        peak_kib=_number(status, "VmHWM:"),
        descriptors=descriptors(pid),
        threads=_number(status, "Threads:"),
        watches=watches(pid),
        cpu_s=sum(int(task.read_text().split()[0]) for task in proc.glob("task/*/schedstat")) / 1e9,
    )


def descriptors(pid):
    """Gives how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def watches(pid):
    """Gives how many files and directories a process watches with inotify."""
    count = 0
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += info.read_text().count("inotify wd:")
    return count


def _number(text, key):
    return int(re.search(rf"^{key}\s*(\d+)", text, re.MULTILINE)[1])
