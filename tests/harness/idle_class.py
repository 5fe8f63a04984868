"""Programs of the kernel's idle class: on a machine that runs tests they get nowhere."""

import os
import re
from contextlib import suppress

from harness.processes import descendants
from harness.waiting import wait_for


def run_like_others(pid):
    """Takes the threads of a process, and of all that it started, out of the idle class; says
    whether any was in it.
    """
    was_idle = False
    for process in [pid, *descendants(pid)]:
        # They end meanwhile; and not everybody may change this.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            for thread in map(int, os.listdir(f"/proc/{process}/task")):
                if os.sched_getscheduler(thread) == os.SCHED_IDLE:
                    os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
                    was_idle = True
    return was_idle


def wait_watched(program):
    """Waits until a watcher watches, which from its first moment on runs like others; says whether
    it would not have.
    """
    was_idle = []

    def watches():
        # Its log before its threads: those that it starts from here on are as the one before them.
        log = program.log()
        was_idle.append(run_like_others(program.pid))
        assert program.running(), f"it ended:\n{log}"
        return re.search("watched", log)

    wait_for(watches, lambda: f"it watches:\n{program.log()}")
    return any(was_idle)
