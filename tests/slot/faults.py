"""Ways to run a program under less than it is used to, and to make an inotify queue overflow."""

import ctypes
import os
import struct

IN_MOVED_TO, IN_DELETE, IN_Q_OVERFLOW = 0x80, 0x200, 0x4000  # inotify(7)

# Root that obeys permissions like everybody else.
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]

# As when other programs have all instances that a user may have.
WITHOUT_INOTIFY = [
    *["unshare", "--user", "--map-root-user", "sh", "-c"],
    'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"',
    "sh",
]


def with_few_watches(count: int) -> list[str]:
    """As when other programs have all but so many watches of those that a user may have."""
    set_limit = f'echo {count} >/proc/sys/user/max_inotify_watches && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "sh", "-c", set_limit, "sh"]


class Queue:
    """An inotify queue that nobody reads.

    What overflows it overflows every other one on the same directory.
    """

    def __init__(self, directory, mask):
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask) >= 0, (
            ctypes.get_errno()
        )

    def close(self):
        """Reads it to its end; says whether it has overflowed."""
        overflowed = False
        try:
            while data := os.read(self._descriptor, 1 << 16):
                while data:
                    _, mask, _, length = struct.unpack_from("iIII", data)
                    overflowed = overflowed or bool(mask & IN_Q_OVERFLOW)
                    data = data[16 + length :]
        except BlockingIOError:
            return overflowed
        finally:
            os.close(self._descriptor)
        return overflowed


def events_that_overflow():
    """Gives how many events are too many for a queue."""
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        return int(file.read()) + 100


def rename_until_it_overflows(directory):
    """Renames a file that nobody is waiting for; what happens in the directory next is lost."""
    one, other = directory / ".one", directory / ".other"
    one.touch()
    for _ in range(events_that_overflow() // 2 + 1):
        one.rename(other)
        other.rename(one)
    one.unlink()
