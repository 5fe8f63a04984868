"""Certificates of servers that nobody vouches for."""

import subprocess


def self_signed(directory):
    """Makes one for `localhost`; gives the paths of its key and of itself."""
    key, certificate = directory / "key", directory / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate
