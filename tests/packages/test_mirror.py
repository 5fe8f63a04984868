"""packaging/mirror: which mirror this machine uses, in whatever form its apt has been told."""

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MIRROR = "https://mirror.example/debian/"

# {file: what is in it}, of machines that were installed in different ways.
MACHINES = {
    "one line": {"sources.list": f"deb {MIRROR} bookworm main contrib\n"},
    "one line with options, after a disc and security": {
        "sources.list": "# Debian's installer\n"
        "deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - Official amd64]/ bookworm main\n"
        "deb http://security.example/debian-security bookworm-security main\n"
        f"deb-src {MIRROR} bookworm main\n"
        "deb [ arch=amd64,arm64 signed-by=/usr/share/keyrings/some.gpg ]"
        f" {MIRROR} bookworm main non-free-firmware\n"
    },
    "deb822 under another name": {
        "sources.list.d/0000debian.sources": "Types: deb deb-src\n"
        f"URIs: {MIRROR}\nSuites: trixie-updates trixie\nComponents: main\n"
    },
    "deb822 with a key in it": {
        "sources.list.d/some.sources": f"Types: deb\nURIs: {MIRROR}\n"
        "Suites: stable\nComponents: contrib main\nSigned-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n"
    },
    "deb822, the first switched off": {
        "sources.list.d/a.sources": "Types: deb\nURIs: http://off.example/debian\nSuites: trixie\n"
        "Components: main\nEnabled: no\n",
        "sources.list.d/b.sources": f"Types: deb\nURIs: {MIRROR}\n"
        "Suites: trixie\nComponents: main\n",
    },
    "Raspberry Pi OS": {
        "sources.list.d/raspi.list": "deb http://archive.raspberrypi.example/debian/ trixie main\n",
        "sources.list.d/zebian.sources": f"Types: deb\nURIs: {MIRROR}\n"
        "Suites: trixie\nComponents: main\n",
    },
    "beside others": {
        "sources.list.d/a.list": "deb http://packages.example/apt cloud-bookworm main\n",
        "sources.list.d/b.list": f"deb {MIRROR} bookworm main\n",
    },
}


def mirror(directory, machine, **variables):
    """Runs packaging/mirror on a machine with these sources, whose apt has never fetched a list."""
    for path in "sources.list.d", "state/lists/partial":
        (directory / path).mkdir(parents=True)
    for name, text in machine.items():
        (directory / name).write_text(text)
    configuration = directory / "apt.conf"
    configuration.write_text(f'Dir::Etc "{directory}";\nDir::State "{directory}/state";\n')
    return subprocess.run(
        [REPOSITORY / "packaging" / "mirror"],
        check=False,
        text=True,
        capture_output=True,
        timeout=60,
        env=dict(os.environ, APT_CONFIG=str(configuration), **variables),
    )


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_mirror_is_found(machine, tmp_path):
    done = mirror(tmp_path, machine)
    assert done.stdout.split()[-1:] == [MIRROR], (done.stdout, done.stderr)
    keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert done.stdout.split()[:-1] in ([], [keyring])


def test_where_there_is_none_it_says_what_to_do(tmp_path):
    done = mirror(
        tmp_path, {"sources.list": "deb http://archive.ubuntu.example/ubuntu noble main\n"}
    )
    assert done.returncode == 1 and "EYELID_MIRROR=" in done.stderr


@pytest.mark.parametrize(
    "given", ["https://other.example/debian", "[trusted=yes] https://other.example/debian"]
)
def test_another_one_can_be_given(given, tmp_path):
    done = mirror(tmp_path, MACHINES["one line"], EYELID_MIRROR=given)
    assert done.stdout.strip().endswith(given)
