"""A server of cameras, and what it costs."""

import os
import time

from harness.processes import peak_kib


class Server:
    """A running server, and what it costs."""

    def __init__(self, program, slot):
        self.program = program
        self.slot = slot
        self.port = int(program.wait_log(r"listening on http://0\.0\.0\.0:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def most_memory(self):
        """Gives the most bytes of memory that it ever had."""
        return peak_kib(self.program.pid) * 1024

    def descriptors(self):
        """Gives the number of files that it has open."""
        return len(os.listdir(f"/proc/{self.program.pid}/fd"))

    def processor_time(self):
        """Gives the seconds of processor time that it has used, all threads together."""
        return time.clock_gettime(~self.program.pid << 3 | 2)  # clock_getcpuclockid(3)
