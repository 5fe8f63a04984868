"""Credentials that expire, as NATS's tool `nsc` makes them: an operator, its account, its users."""

import base64
import hashlib
import json
import os
import time

import nkeys


class Key:
    """A pair of keys of an operator, an account or a user."""

    def __init__(self, prefix):
        self.seed = nkeys.encode_seed(os.urandom(32), prefix)
        self._pair = nkeys.from_seed(self.seed)
        self.public = self._pair.public_key.decode()

    def sign(self, subject, name, claims, expires=None):
        """Gives a JWT about the key `subject`, signed by this one."""
        said = {
            "iat": int(time.time()),
            "iss": self.public,
            "name": name,
            "sub": subject.public,
            "nats": {**claims, "version": 2},
        }
        if expires:
            said["exp"] = int(expires)
        digest = hashlib.new("sha512_256", json.dumps(said).encode()).digest()
        said["jti"] = base64.b32encode(digest).decode().rstrip("=")
        signed = f"{_encoded({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_encoded(said)}"
        return f"{signed}.{_url_safe(self._pair.sign(signed.encode()))}"


def _url_safe(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _encoded(said):
    return _url_safe(json.dumps(said, separators=(",", ":")).encode())


class Operator:
    """Who vouches for the users of a hub."""

    def __init__(self):
        self._operator = Key(nkeys.PREFIX_BYTE_OPERATOR)
        self._account = Key(nkeys.PREFIX_BYTE_ACCOUNT)

    def configuration(self):
        """Gives what the hub is told."""
        operator = self._operator.sign(self._operator, "operator", {"type": "operator"})
        unlimited = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
        limits = dict.fromkeys(unlimited, -1) | {"wildcards": True}
        claims = {"type": "account", "limits": limits}
        account = self._operator.sign(self._account, "cameras", claims)
        preload = f"{self._account.public}: {account}"
        return f"operator: {operator}\nresolver: MEMORY\nresolver_preload: {{{preload}}}\n"

    def credentials(self, file, expires=None, publish=(), subscribe=()):
        """Writes a file of credentials for a user that may send and hear these; gives its key."""
        user = Key(nkeys.PREFIX_BYTE_USER)
        claims = {
            "type": "user",
            "pub": {"allow": list(publish)},
            "sub": {"allow": [*subscribe, f"_INBOX.{user.public}.>"]},
            "subs": -1,
            "data": -1,
            "payload": -1,
        }
        jwt = self._account.sign(user, "viewer", claims, expires)
        file.touch(mode=0o600)
        file.write_text(
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n"
            "------END USER NKEY SEED------\n"
        )
        return user
