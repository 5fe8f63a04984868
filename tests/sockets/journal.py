"""Runs a program whose stderr is a journal, and prints what that gets: an object in JSON a line.

It needs a mount namespace of its own, in which it may mount: `unshare -Urm`.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")


def entry(datagram):
    """Takes an entry apart (systemd's JOURNAL_NATIVE_PROTOCOL)."""
    fields = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, has_value, value = line.partition(b"=")
        if not has_value:
            (length,) = struct.unpack_from("<Q", datagram)
            value, datagram = datagram[8 : 8 + length], datagram[9 + length :]
        fields[name.decode()] = value.decode()
    return fields


def main():
    """Prints entries until the program ends."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    SOCKET.parent.mkdir(parents=True)
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(str(SOCKET))
    _, stderr = os.pipe()
    is_journal = os.fstat(stderr)
    os.environ["JOURNAL_STREAM"] = f"{is_journal.st_dev}:{is_journal.st_ino}"
    program = subprocess.Popen(sys.argv[1:], stderr=stderr)
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    while True:
        has_ended = program.poll() is not None
        ready, _, _ = select.select([journal], [], [], 0 if has_ended else 0.05)
        if ready:
            # It begins with an empty one, to see whether somebody is there.
            if datagram := journal.recv(1 << 16):
                print(json.dumps(entry(datagram)), flush=True)
        elif has_ended:
            return program.returncode


if __name__ == "__main__":
    sys.exit(main())
