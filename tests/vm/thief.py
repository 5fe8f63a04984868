"""What somebody who has taken over the server would try from inside its sandbox. Runs in the
server's place, with Python as the only thing more, and prints what became of each attempt: a name
of an errno, or what there was to have."""

import ctypes
import errno
import json
import os
import socket
import stat
import time
from pathlib import Path

CLONE_NEWUSER, MS_BIND, PTRACE_ATTACH = 0x10000000, 4096, 16
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Calls a function of the C library that gives -1 when it fails."""
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def places():
    """Gives all directories and other files that can be seen, but for what the kernel pretends."""
    for directory, directories, names in os.walk("/"):
        if directory == "/":
            directories[:] = sorted(set(directories) - {"proc", "sys"})
        # Of the system's libraries the directories will do: there are tens of thousands of files,
        # on one mount.
        yield Path(directory), [] if directory.startswith("/usr/lib/") else names


def writable():
    """Gives where a file can be made, and the files that can be opened for writing."""
    found = []
    for directory, names in places():
        for path in [directory / "thief", *(directory / name for name in names)]:
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    os.close(os.open(path, os.O_WRONLY))
                    found.append(str(path))
            except FileNotFoundError:
                try:
                    path.touch()
                    found.append(str(path))
                except OSError:
                    pass
            except OSError:
                pass
    return found


def listeners():
    """Gives the Unix sockets that take a connection or a datagram."""
    found = []
    for directory, names in places():
        for path in (directory / name for name in names):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) if path.is_socket() else ():
                try:
                    with socket.socket(socket.AF_UNIX, kind) as unix:
                        unix.connect(str(path))
                    found.append(str(path))
                except OSError:
                    pass
    return sorted(found)


def devices():
    """Gives the devices that can be opened."""
    found = []
    for directory, names in places():
        for path in (directory / name for name in names):
            try:
                if stat.S_ISCHR(path.lstat().st_mode) or stat.S_ISBLK(path.lstat().st_mode):
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
                    found.append(path.name)
            except OSError:
                pass
    return sorted(found)


ATTEMPTS = {
    "home directories": lambda: os.listdir("/home"),
    "root's home directory": lambda: os.listdir("/root"),
    "the list of users": lambda: Path("/etc/passwd").read_text(),
    "the users' passwords": lambda: Path("/etc/shadow").read_text(),
    "another password file": lambda: Path("/etc/eyelid/others").read_text(),
    "logs": lambda: os.listdir("/var/log"),
    "the configuration": lambda: len(Path("/etc/eyelid/eyelid.toml").read_text()) > 0,
    "the picture": lambda: len(Path("/run/webcam/current.jpg").read_bytes()) > 0,
    "files to write": writable,
    "sockets to talk to": listeners,
    "devices": devices,
    "processes": lambda: [
        name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()
    ],
    "IPv4": lambda: socket.socket(socket.AF_INET).close(),
    "IPv6": lambda: socket.socket(socket.AF_INET6).close(),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "to become root": lambda: os.setuid(0),
    "another namespace": lambda: call("unshare", CLONE_NEWUSER),
    "a mount": lambda: call("mount", b"/usr", b"/tmp", None, MS_BIND, None),
    "to end init": lambda: os.kill(1, 0),
    "to look into init": lambda: call("ptrace", PTRACE_ATTACH, 1, None, None),
    "the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
}


def become_of(attempt):
    """Tries it."""
    try:
        return attempt()
    except OSError as error:
        return errno.errorcode[error.errno]


print(json.dumps({name: become_of(attempt) for name, attempt in ATTEMPTS.items()}))
