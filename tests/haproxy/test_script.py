"""docker/haproxy_low_latency.sh: what it makes of configurations, and what it says of others."""

import os
import subprocess

import pytest
from low_latency import MARK, call, low_latency

OWN_SETTINGS = b"""# Somebody has tuned this, and a comment is not UTF-8: \xb0C.\r
global\r
  tune.bufsize 65536   # more is better?\r
  tune.sndbuf.client 262144\r
\ttune.rcvbuf.server 16384\r
\r
global\r
  tune.sndbuf.client 131072\r
defaults\r
  mode http\r
  timeout connect 5s\r
  timeout client 1m\r
  timeout server 1m\r
  timeout tunnel 2h\r
  option http-buffer-request\r
  no option http-no-delay\r
  compression algo gzip\r
  compression type text/html\r
listen all # bind *:80\r
  bind 127.0.0.1:8000\r
  bind 127.0.0.1:80 alpn h2,http/1.1\r
  server camera 127.0.0.1:8080\r
"""


@pytest.fixture(params=["dash and mawk", "busybox alone"])
def tools(request, directory):
    """The ways to run the script: with what Debian has, and with nothing but busybox."""
    path = directory / "tools"
    path.mkdir()
    if request.param == "busybox alone":
        subprocess.run(["busybox", "--install", "-s", path], check=True)
        return {"shell": (path / "sh",), "path": str(path)}
    (path / "awk").symlink_to("/usr/bin/mawk")
    return {"shell": ("/bin/dash",), "path": f"{path}:{os.environ['PATH']}"}


@pytest.fixture
def own(directory):
    """A configuration with settings that have to go."""
    path = directory / "own.cfg"
    path.write_bytes(OWN_SETTINGS)
    return path


def settings(text):
    """Gives a configuration's lines as haproxy sees them: no comments, no blanks around words."""
    lines = (b" ".join(line.partition(b"#")[0].split()) for line in text.splitlines())
    return [line.decode() for line in lines if line]


def valid(text, directory):
    """Asks haproxy whether it takes a configuration."""
    path = directory / "asked.cfg"
    path.write_bytes(text)
    done = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return "WARNING" not in done.stderr


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
def test_adds_lines_and_changes_no_other(configuration, tools, pem, directory, https):
    original = configuration.read_bytes()
    options = ["--https", pem] if https else []
    made = low_latency(*options, configuration, **tools)
    assert [line for line in made.splitlines() if MARK not in line] == original.splitlines()
    assert {
        "tune.sndbuf.client 16384",
        "tune.rcvbuf.server 16384",
        "tune.maxrewrite 1024",
        "option http-no-delay",
        "timeout tunnel 1h",
    } <= set(settings(made))
    assert valid(made, directory), "haproxy has a warning"
    configuration.write_bytes(made)
    assert low_latency(*options, configuration, **tools) == made
    assert low_latency("--undo", configuration, **tools) == original


def test_compresses_no_pictures(configuration):
    types = [
        line for line in settings(low_latency(configuration)) if line.startswith("compression type")
    ]
    assert len(types) == settings(configuration.read_bytes()).count("compression algo gzip")
    assert not any("image" in line for line in types)


def test_replaces_what_others_have_set(own, tools, directory):
    made = low_latency(own, **tools)
    assert valid(made, directory)
    effective = settings(made)
    for setting in (
        "tune.sndbuf.client",
        "tune.rcvbuf.server",
        "tune.maxrewrite",
        "timeout tunnel",
        "compression type",
    ):
        assert sum(line.startswith(setting) for line in effective) == 1, setting
    assert {"tune.sndbuf.client 16384", "option http-no-delay", "timeout tunnel 2h"} <= set(
        effective
    )
    assert not {
        "tune.bufsize 65536",
        "option http-buffer-request",
        "no option http-no-delay",
    } & set(effective)
    assert b"\xb0C" in made
    again = directory / "again.cfg"
    again.write_bytes(made)
    assert low_latency(again, **tools) == made
    assert low_latency("--undo", again, **tools) == own.read_bytes()


def test_gives_a_section_to_a_file_without_globals_and_defaults(directory, tools):
    path = directory / "small.cfg"
    path.write_text("listen web\n bind *:80\n mode http\n server camera 127.0.0.1:8080\n")
    made = low_latency(path, **tools)
    valid(made, directory)
    assert settings(made)[:2] == ["global", "tune.sndbuf.client 16384"]
    assert "option http-no-delay" in settings(made)
    original = path.read_bytes()
    path.write_bytes(made)
    assert low_latency("--undo", path, **tools) == original


def test_what_comes_out_depends_on_the_options_not_on_earlier_runs(configuration, pem):
    plain = low_latency(configuration)
    configuration.write_bytes(low_latency("--https", pem, configuration))
    assert low_latency(configuration) == plain


def test_https_is_put_beside_http(configuration, pem):
    done = call("--https", pem, configuration)
    binds = [line for line in settings(done.stdout) if line.startswith("bind") and " ssl " in line]
    assert len(binds) == 1 and str(pem) in binds[0]
    assert (b"HTTPS of its own" in done.stderr) == (b" ssl " in configuration.read_bytes())


def test_the_address_of_https_is_that_of_http(own, pem):
    made = settings(low_latency("--https", pem, own))
    assert f"bind 127.0.0.1:443 ssl crt {pem} alpn http/1.1" in made


def test_octoprint_is_told_of_https_once(configuration, own, pem):
    told = "http-request set-header X-Scheme https if { ssl_fc }"
    assert told in settings(low_latency("--https", pem, own))
    assert told not in settings(low_latency("--https", pem, configuration)), "it has that already"


def test_writes_in_place_and_keeps_a_backup(configuration, tools, directory):
    original = configuration.read_bytes()
    configuration.chmod(0o640)
    link = directory / "link.cfg"
    link.symlink_to(configuration)
    made = low_latency(configuration)
    assert low_latency("--in-place", link, **tools) == b""
    assert configuration.read_bytes() == made
    assert link.is_symlink() and configuration.stat().st_mode & 0o777 == 0o640
    backup = directory / "link.cfg.bak"
    assert backup.read_bytes() == original

    again = call("--in-place", link, **tools)
    assert again.returncode == 0 and b"nothing to change" in again.stderr
    assert configuration.read_bytes() == made
    assert not (directory / "link.cfg.bak.1").exists()

    low_latency("--in-place", "--undo", link, **tools)
    assert configuration.read_bytes() == original
    assert backup.read_bytes() == original and (directory / "link.cfg.bak.1").read_bytes() == made


def test_writes_a_file_that_is_a_mount_of_its_own(configuration, directory):
    made = low_latency(configuration)
    path = directory / "mounted.cfg"
    path.touch()
    subprocess.run(["mount", "--bind", configuration, path], check=True)
    try:
        low_latency("--in-place", path)
        assert configuration.read_bytes() == made
    finally:
        subprocess.run(["umount", path], check=True)


def test_says_that_a_file_cannot_be_written(configuration, directory):
    path = directory / "read-only.cfg"
    path.touch()
    subprocess.run(["mount", "--bind", configuration, path], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
    try:
        done = call("--in-place", path)
        assert done.returncode == 1 and b"cannot be written" in done.stderr
        assert not (directory / "read-only.cfg.bak").exists()
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["/nowhere/haproxy.cfg"], 1, "no such file"),
        (["/etc"], 1, "cannot be read"),
        (["/etc/passwd"], 1, "not a haproxy.cfg"),
        (["--in-place", "/etc/passwd"], 1, "not a haproxy.cfg"),
        (["/dev/null"], 1, "cannot be read"),
        (["--tune"], 2, "no such option"),
        (["one", "two"], 2, "one file"),
        (["--https"], 2, "--https needs"),
        (["--https", "my cert.pem", "FILE"], 2, "name of the certificate"),
        (["--https", "a.pem", "--undo", "FILE"], 2, "--undo"),
    ],
)
def test_says_what_is_wrong(arguments, code, said, tools):
    done = call(*arguments, **tools)
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode() and len(done.stderr.splitlines()) == 1


def test_no_place_for_https_is_an_error(directory, pem):
    path = directory / "other.cfg"
    path.write_text("frontend web\n bind *:8000\n mode http\n")
    done = call("--https", pem, path)
    assert done.returncode == 1 and b"port 80" in done.stderr


def test_check_asks_haproxy(configuration, directory):
    assert low_latency("--check", configuration) == low_latency(configuration)
    configuration.write_text(configuration.read_text() + "\tno-such-setting\n")
    before = configuration.read_bytes()
    done = call("--check", "--in-place", configuration)
    assert done.returncode == 1 and b"no-such-setting" in done.stderr
    assert configuration.read_bytes() == before and not (directory / "haproxy.cfg.bak").exists()


def test_check_needs_a_haproxy(configuration, directory):
    subprocess.run(["busybox", "--install", "-s", directory], check=True)
    done = call("--check", configuration, path=str(directory))
    assert done.returncode == 1 and b"no haproxy here" in done.stderr


def test_help_is_help(tools):
    assert b"usage: haproxy_low_latency.sh" in low_latency("--help", **tools)
