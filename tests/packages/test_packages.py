"""The Debian packages: what is in them, what they want, and that nothing of them stays."""

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "install.md").read_text()
PACKAGES = Path(os.environ["EYELID_PACKAGES"])
LIBCAMERA = "eyelid-capture-libcamera"
PLAIN = ["eyelid", "eyelid-receive", "eyelid-relay", "eyelid-rtp", "eyelid-video", "eyelid-watch"]
# Data, the same for all architectures.
DATA = ["eyelid-detector"]
# For armhf there are the first ones only (docs/install.md).
NAMES = [*PLAIN, *DATA, *([LIBCAMERA] if (PACKAGES / "libcamera").is_dir() else [])]
ROWS = (REPOSITORY / "packaging" / "programs").read_text().splitlines()
PROGRAMS = [row.split()[0] for row in ROWS if not row.startswith("#")]


def run(*command, **options):
    """Runs a command; gives what it wrote, both streams."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        text=True,
        timeout=300,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def package(name):
    """Gives the path of a package."""
    found = list(PACKAGES.glob(f"**/{name}_*.deb"))
    assert len(found) == 1, f"{name} in {PACKAGES}: {found}"
    return found[0]


def field(name, key):
    """Gives a field of the control file."""
    return run("dpkg-deb", "--field", package(name), key).strip()


def relations(name, key):
    """Gives the packages that a field names, with their versions."""
    words = (
        re.fullmatch(r"(\S+)(?: \((.*)\))?", one.strip())
        for one in re.split(r"[,|]", field(name, key))
        if one
    )
    return {word[1]: word[2] for word in words}


def architecture(name="eyelid"):
    """Gives the architecture of a package: `all`, or the same for all that have programs."""
    return field(name, "Architecture")


def native():
    """Whether the packages can be installed here."""
    return architecture() == run("dpkg", "--print-architecture").strip()


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """What is in the packages, by their names."""
    directories = {}
    for name in NAMES:
        directories[name] = tmp_path_factory.mktemp(name)
        run("dpkg-deb", "--extract", package(name), directories[name])
    return directories


def files(directory):
    """Gives the paths of all files below, as they are when installed."""
    return sorted(
        f"/{path.relative_to(directory)}" for path in directory.rglob("*") if not path.is_dir()
    )


def test_there_are_packages_of_the_workspaces_version():
    version = re.search(
        r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE
    )[1]
    assert LIBCAMERA in NAMES or architecture() == "armhf"
    # `apt install ./eyelid*.deb` is to work without libcamera.
    wanted = [PACKAGES / f"{name}_{version}_{architecture()}.deb" for name in PLAIN]
    wanted += [PACKAGES / f"{name}_{version}_all.deb" for name in DATA]
    if LIBCAMERA in NAMES:
        wanted.append(PACKAGES / "libcamera" / f"{LIBCAMERA}_{version}_{architecture()}.deb")
    assert sorted(PACKAGES.rglob("*.deb")) == sorted(wanted)
    assert {field(name, "Version") for name in NAMES} == {version}


def test_dependencies_are_those_of_the_programs():
    # What plain Debian has.
    standalone = {"systemd-standalone-sysusers", "systemd-standalone-tmpfiles"}
    plain = relations("eyelid", "Depends")
    assert plain["libc6"] and set(plain) <= {"libc6", "libgcc-s1", "systemd"} | standalone, plain
    for name in NAMES[1:]:
        there = relations(name, "Depends")
        if name in DATA:
            assert not there
            continue
        assert there["libc6"] and there["eyelid"] == f"= {field('eyelid', 'Version')}"
        if name == LIBCAMERA:
            assert there["libcamera0.7"] and "libcamera-ipa" in there, there
        elif name == "eyelid-video":
            # openh264 is C++; DTLS is OpenSSL's.
            libraries = {"libc6", "libgcc-s1", "libssl3t64", "libstdc++6"}
            assert there["libssl3t64"] and set(there) <= libraries | {"eyelid"}, there
        else:
            assert set(there) <= {"libc6", "libgcc-s1", "eyelid"}, there


@pytest.mark.parametrize("name", NAMES)
def test_no_dependency_is_named_twice(name):
    depends = field(name, "Depends")
    named = [one.split()[0] for one in depends.split(",") if one and "|" not in one]
    assert len(named) == len(set(named)), named


@pytest.mark.parametrize("name", NAMES)
def test_the_page_lists_the_files(name, unpacked):
    listed = re.search(rf"^<!-- files: {name} -->\n\n((?:    .*\n)+)", PAGE, re.MULTILINE)
    assert listed, f"docs/install.md has no files of {name}"
    assert files(unpacked[name]) == sorted(listed[1].split())


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_the_size(name):
    row = rf"^\| `{name}` \| {architecture(name)} \| (\d+) \| (\d+) \|$"
    row = re.search(row, PAGE, re.MULTILINE)
    there = [round(package(name).stat().st_size / 1000), int(field(name, "Installed-Size"))]
    assert row, f"docs/install.md has no size of {name} for {architecture(name)}: {there}"
    for said, is_ in zip(map(int, row.groups()), there, strict=True):
        assert abs(said - is_) <= 0.1 * is_, f"{name}, {architecture()}: {there}"


def test_the_page_of_the_container_says_the_size_of_the_programs(unpacked):
    """They are the same in the image, but those that its suite tests are built more quickly."""
    if architecture() != "amd64":
        pytest.skip(f"packages for {architecture()}")
    page = (REPOSITORY / "docs" / "docker.md").read_text()
    sizes = {
        path.name: path.stat().st_size / 1e6
        for name in PLAIN
        for path in (unpacked[name] / "usr" / "bin").glob("eyelid*")
    }
    assert sorted(sizes) == sorted(PROGRAMS)
    said = re.search(r"the programs are ([\d.]+) MB, of which (.*?)\. ", page, re.DOTALL)
    assert float(said[1]) == pytest.approx(sum(sizes.values()), rel=0.1), sizes
    for program, size in re.findall(r"`([\w-]+)`(?: is)? ([\d.]+) MB", said[2]):
        assert float(size) == pytest.approx(sizes[program], rel=0.1), program


def test_the_only_configuration_file_is_ours():
    conffiles = run("dpkg-deb", "--info", package("eyelid"), "conffiles").split()
    assert conffiles == ["/etc/eyelid/eyelid.toml"]
    for name in NAMES[1:]:
        assert "conffiles" not in run("dpkg-deb", "--info", package(name))


def test_every_unit_is_in_one_of_them(unpacked):
    there = {path.name for directory in unpacked.values() for path in directory.rglob("*")}
    wanted = {path.name for path in (REPOSITORY / "systemd").rglob("*") if path.is_file()}
    assert wanted and wanted <= there, wanted - there


def test_every_program_that_a_unit_starts_is_in_its_package(unpacked):
    for directory in unpacked.values():
        for unit in directory.glob("usr/lib/systemd/system/*.service"):
            started = re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE)
            assert started and all((directory / path.lstrip("/")).is_file() for path in started), (
                unit
            )


def test_checksums_fit_and_what_is_executed_is_executable(unpacked):
    for name, directory in unpacked.items():
        sums = run("dpkg-deb", "--info", package(name), "md5sums")
        assert run("md5sum", "--check", "--quiet", cwd=directory, input=sums) == ""
        assert {line.split(maxsplit=1)[1] for line in sums.splitlines()} == {
            path[1:] for path in files(directory) if not path.startswith("/etc/")
        }
        for path in directory.rglob("*"):
            place = f"/{path.relative_to(directory)}"
            executed = path.is_dir() or re.match(
                "/usr/bin/|/usr/lib/eyelid/|.*/(simulate-camera|mock_camera.py)$", place
            )
            assert path.stat().st_mode & 0o777 == (0o755 if executed else 0o644), place


def test_lintian_finds_no_error():
    print(run("lintian", "--allow-root", "--fail-on", "error", *(package(name) for name in NAMES)))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_man_page_renders(program, unpacked):
    pages = [
        page
        for directory in unpacked.values()
        for page in directory.glob(f"usr/share/man/man1/{program}.1.gz")
    ]
    assert len(pages) == 1
    text = subprocess.run(
        ["man", "--warnings", "--encoding=UTF-8", "--local-file", pages[0]],
        check=True,
        text=True,
        capture_output=True,
        timeout=60,
        env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"),
    )
    assert not text.stderr and "EXIT STATUS" in text.stdout
    source = run("gzip", "--decompress", "--stdout", pages[0])
    complaints = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "error"],
        input=source,
        check=False,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert not complaints.stdout, complaints.stdout


def traces():
    """Gives what a package may have left, anywhere."""
    # Not what is mounted there: the repository, the packages, this test's own.
    seen = run("find", "/", "/run", "-xdev", "(", "-name", "*eyelid*", "-o", "-name", "webcam", ")")
    return sorted(set(seen.split()) - {"/eyelid"})


@pytest.fixture
def installed():
    """The packages, installed."""
    if not native():
        pytest.skip(f"packages for {architecture()}")
    run("dpkg", "--install", *(package(name) for name in NAMES))
    yield
    run("dpkg", "--purge", *reversed(NAMES))


def test_installed_programs_run_and_enable_nothing(installed):
    for program in PROGRAMS:
        assert field("eyelid", "Version") in run(program, "--version")
    # The build with libcamera answers.
    listed = subprocess.run(
        ["eyelid-capture", "--list"], check=False, text=True, capture_output=True, timeout=60
    )
    assert "feature" not in listed.stderr, listed.stderr
    user = run("getent", "passwd", "eyelid").split(":")
    assert user[6].strip().endswith("nologin")
    assert not list(Path("/etc/systemd/system").rglob("*eyelid*"))


def test_an_upgrade_keeps_the_configuration(installed):
    configuration = Path("/etc/eyelid/eyelid.toml")
    configuration.write_text("# mine\n")
    run("dpkg", "--install", *(package(name) for name in NAMES))
    assert configuration.read_text() == "# mine\n"
    run("dpkg", "--remove", *reversed(NAMES))
    assert configuration.read_text() == "# mine\n"


def test_purging_leaves_nothing_but_the_user():
    if not native():
        pytest.skip(f"packages for {architecture()}")
    run("dpkg", "--install", *(package(name) for name in NAMES))
    # As `systemctl enable` makes them, and what docs/systemd.md has users put there.
    wants = [
        ("sockets.target.wants", "eyelid.socket"),
        ("sockets.target.wants", "eyelid-receive.socket"),
        ("sockets.target.wants", "eyelid-rtp.socket"),
        ("multi-user.target.wants", "eyelid-rtp.service"),
        ("sockets.target.wants", "eyelid-video.socket"),
        ("sockets.target.wants", "eyelid-video-taps.socket"),
        ("sockets.target.wants", "eyelid-watch.socket"),
        ("multi-user.target.wants", "eyelid-relay-share.service"),
        ("multi-user.target.wants", "eyelid-relay-fetch.service"),
        ("multi-user.target.wants", "eyelid-watch@door.service"),
        ("eyelid-watch@door.service.wants", "eyelid-capture@door.service"),
        ("eyelid-server.service.wants", "eyelid-capture@door.service"),
    ]
    for directory, unit in wants:
        link = Path("/etc/systemd/system") / directory / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/usr/lib/systemd/system/{re.sub('@.*[.]', '@.', unit)}")
    Path("/etc/eyelid/htpasswd").write_text("user:hash\n")
    Path("/etc/eyelid/tokens").write_text("door:hash\n")
    # As the units make them.
    for directory in "alerts", "watch", "rules":
        Path("/var/lib/eyelid", directory).mkdir(parents=True)
    Path("/var/lib/eyelid/alerts/20261128T140240.123Z-door-motion.json").write_text("{}\n")
    assert Path("/run/webcam").is_dir()
    run("dpkg", "--purge", *reversed(NAMES))
    assert traces() == []
    assert run("getent", "passwd", "eyelid") and run("getent", "passwd", "eyelid-watch")


def test_purging_leaves_no_links_to_who_was_never_there():
    """A camera is enabled for its watcher, too, whether or not that is installed."""
    if not native():
        pytest.skip(f"packages for {architecture()}")
    run("dpkg", "--install", package("eyelid"))
    for wanting in "eyelid-server.service", "eyelid-watch@door.service":
        link = Path(f"/etc/systemd/system/{wanting}.wants/eyelid-capture@door.service")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("/usr/lib/systemd/system/eyelid-capture@.service")
    run("dpkg", "--purge", "eyelid")
    assert traces() == []


def test_the_packages_of_before_are_replaced(tmp_path):
    """eyelid-capture was a package.

    It had the program that is in eyelid now, and the rule that is in the other.
    """
    if not native():
        pytest.skip(f"packages for {architecture()}")
    tree = tmp_path / "eyelid-capture"
    for path in "DEBIAN", "usr/bin", "usr/lib/udev/rules.d":
        (tree / path).mkdir(parents=True)
    (tree / "usr/bin/eyelid-capture").write_text("old")
    (tree / "usr/lib/udev/rules.d/60-eyelid.rules").write_text("# old")
    (tree / "DEBIAN/control").write_text(
        "Package: eyelid-capture\nVersion: 0.1.0\nArchitecture: all\n"
        "Maintainer: nobody\nDescription: old\n"
    )
    run("dpkg-deb", "--build", tree)
    run("dpkg", "--install", f"{tree}.deb")
    run("apt-get", "install", "--yes", *(package(name) for name in NAMES))
    assert field("eyelid", "Version") in run("eyelid-capture", "--version")
    left = subprocess.run(
        ["dpkg-query", "--status", "eyelid-capture"], check=False, text=True, capture_output=True
    )
    assert "installed" not in left.stdout.replace("not-installed", ""), left.stdout
    run("dpkg", "--purge", *reversed(NAMES))
