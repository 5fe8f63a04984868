"""The hub: Debian's nats-server, and what it says of itself."""

import json
import os
import shutil
import signal
import time
from contextlib import suppress

import nkeys
from hosts import HUB, on

from harness import networks
from harness.http import get, wait_listening

PORT = 4222
ASKED = 8222  # where the hub says what it does
NATS_SERVER = shutil.which("nats-server", path="/usr/sbin:/usr/bin")
ANSWERS = 'allow_responses: {max: 2100, expires: "1m"}'


class Key:
    """A key by which the hub knows somebody, and its file."""

    def __init__(self, directory, name):
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        self.seed = seed.decode()
        self.public = nkeys.from_seed(seed).public_key.decode()
        self.file = directory / f"{name}.nk"
        self.file.touch(mode=0o600)
        self.file.write_text(f"{self.seed}\n")

    def user(self, publish=(), subscribe=(), answers=False):
        """Gives what the hub is told of who has it."""
        subscribe = [*subscribe, f"_INBOX.{self.public}.>"]
        rights = [f"publish: {json.dumps(list(publish))}", f"subscribe: {json.dumps(subscribe)}"]
        rights += [ANSWERS] if answers else []
        return f"{{nkey: {self.public}, permissions: {{{', '.join(rights)}}}}}"

    def sharer(self, host):
        """Gives what the hub is told of one who shares as this host."""
        heard = ["eyelid.v1", f"eyelid.v1.{host}", f"eyelid.v1.{host}.>"]
        return self.user(publish=[f"eyelid.v1.{host}"], subscribe=heard, answers=True)

    def fetcher(self, *subjects):
        """Gives what the hub is told of one who fetches; everything, if no subject is named."""
        return self.user(publish=subjects or ["eyelid.v1", "eyelid.v1.>"])


class Hub:
    """A hub on its host, for whoever comes or for `users`."""

    def __init__(self, start, directory, users=(), more="", port=PORT):
        self._start = start
        self.config = directory / "hub.conf"
        self._more = more
        self.port = port
        self.write(users)
        self.program = self.run()

    @property
    def url(self):
        """Where hosts reach it."""
        return f"{'tls' if self._more.startswith('tls') else 'nats'}://{HUB}:{self.port}"

    def write(self, users):
        """Writes its configuration."""
        text = f'listen: "0.0.0.0:{self.port}"\nhttp: "127.0.0.1:{ASKED}"\n{self._more}\n'
        text += 'ping_interval: "10s"\nping_max: 2\n'
        if users:
            text += "authorization {users: [\n" + ",\n".join(users) + "\n]}\n"
        self.config.write_text(text)

    def run(self):
        """Starts it, where it was before."""
        self.program = self._start(*on("hub", NATS_SERVER, "-c", self.config))
        wait_listening(f"http://{HUB}:{self.port}")
        return self.program

    def reload(self, users):
        """Lets these in from now on, and nobody else."""
        self.write(users)
        self.program.process.send_signal(signal.SIGHUP)

    def messages(self):
        """Gives how many messages have come to it so far."""
        with networks.inside("hub"):
            return json.loads(get(f"http://127.0.0.1:{ASKED}", "/varz").body)["in_msgs"]

    def messages_in(self, seconds):
        """Gives how many messages come in this time."""
        before = self.messages()
        time.sleep(seconds)
        return self.messages() - before

    def connections(self):
        """Gives how many are connected."""
        with suppress(OSError), networks.inside("hub"):
            return json.loads(get(f"http://127.0.0.1:{ASKED}", "/varz").body)["connections"]
        return 0
