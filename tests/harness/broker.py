"""A broker of MQTT: mosquitto, Debian's, and its clients."""

import shutil
import subprocess

from harness.http import free_port, wait_listening

LAST = "$SYS/broker/version"


class Broker:
    """mosquitto, and what it has."""

    def __init__(self, start, directory):
        self._start, self.port = start, free_port()
        self._config = directory / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.program = self.run()
        self._heard = start("mosquitto_sub", *self.of("#"), "-F", "%r %t %p")

    def run(self):
        """Starts it."""
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
        program = self._start(mosquitto, "-c", self._config)
        wait_listening(f"http://127.0.0.1:{self.port}")
        return program

    def of(self, topic):
        """Gives the options by which clients reach a topic."""
        return ["-h", "127.0.0.1", "-p", str(self.port), "-t", topic]

    def heard(self, topic):
        """Gives all that was said there since the beginning."""
        lines = (line.split(" ", 2) for line in self._heard.out().splitlines())
        return [line[2] for line in lines if len(line) == 3 and line[1] == topic]

    def retained(self, topic):
        """Gives what is kept there; no byte where nothing is."""
        # What brokers always keep comes after it: so it is known that nothing is.
        command = ["mosquitto_sub", *self.of(topic), "-t", LAST, "-F", "%t %x", "--retained-only"]
        kept = ""
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            for line in program.stdout:
                name, _, value = line.rstrip("\n").partition(" ")
                if name == LAST:
                    program.kill()
                    return bytes.fromhex(kept)
                kept = value
        raise AssertionError(f"the broker ended before it gave {LAST}")
