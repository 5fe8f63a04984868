"""The Debian packages: what is in them, what they want, and that nothing of them stays."""

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "install.md").read_text()
PACKAGES = Path(os.environ["EYELID_PACKAGES"])
NAMES = ["eyelid", "eyelid-capture"]
PROGRAMS = ["eyelid", "eyelid-server", "eyelid-capture"]


def run(*command, **options):
    """Runs a command; gives what it wrote, both streams."""
    done = subprocess.run([str(word) for word in command], check=False, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def package(name):
    """Gives the path of a package."""
    found = list(PACKAGES.glob(f"{name}_*.deb"))
    assert len(found) == 1, f"{name} in {PACKAGES}: {found}"
    return found[0]


def field(name, key):
    """Gives a field of the control file."""
    return run("dpkg-deb", "--field", package(name), key).strip()


def relations(name, key):
    """Gives the packages that a field names, with their versions."""
    words = (re.fullmatch(r"(\S+)(?: \((.*)\))?", one.strip()) for one in re.split(r"[,|]", field(name, key)))
    return {word[1]: word[2] for word in words}


def architecture():
    """Gives the architecture of the packages."""
    return field("eyelid", "Architecture")


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
    return sorted(f"/{path.relative_to(directory)}" for path in directory.rglob("*") if not path.is_dir())


def test_there_are_two_packages_of_the_workspaces_version():
    version = re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert sorted(path.name for path in PACKAGES.glob("*.deb")) == \
        sorted(f"{name}_{version}_{architecture()}.deb" for name in NAMES)
    assert {field(name, "Version") for name in NAMES} == {version}


def test_dependencies_are_those_of_the_programs():
    server = relations("eyelid", "Depends")
    assert server["libc6"] and not any("libcamera" in name for name in server), server
    assert "eyelid-capture" in relations("eyelid", "Recommends")
    capture = relations("eyelid-capture", "Depends")
    assert capture["libc6"] and capture["libcamera0.7"] and "libcamera-ipa" in capture, capture
    assert capture["eyelid"] == f"= {field('eyelid', 'Version')}"


@pytest.mark.parametrize("name", NAMES)
def test_the_page_lists_the_files(name, unpacked):
    listed = re.search(rf"^<!-- files: {name} -->\n\n((?:    .*\n)+)", PAGE, re.MULTILINE)
    assert listed, f"docs/install.md has no files of {name}"
    assert files(unpacked[name]) == sorted(listed[1].split())


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_the_size(name):
    row = re.search(rf"^\| `{name}` \| {architecture()} \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    there = [round(package(name).stat().st_size / 1000), int(field(name, "Installed-Size"))]
    assert row, f"docs/install.md has no size of {name} for {architecture()}: {there}"
    for said, is_ in zip(map(int, row.groups()), there):
        assert abs(said - is_) <= 0.1 * is_, f"{name}, {architecture()}: {there}"


def test_the_only_configuration_file_is_ours():
    conffiles = run("dpkg-deb", "--info", package("eyelid"), "conffiles").split()
    assert conffiles == ["/etc/eyelid/eyelid.toml"]
    assert "conffiles" not in run("dpkg-deb", "--info", package("eyelid-capture"))


def test_every_unit_is_in_one_of_them(unpacked):
    there = {path.name for directory in unpacked.values() for path in directory.rglob("*")}
    wanted = {path.name for path in (REPOSITORY / "systemd").rglob("*") if path.is_file()}
    assert wanted and wanted <= there, wanted - there


def test_every_program_that_a_unit_starts_is_in_its_package(unpacked):
    for directory in unpacked.values():
        for unit in directory.glob("usr/lib/systemd/system/*.service"):
            started = re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE)
            assert started and all((directory / path.lstrip("/")).is_file() for path in started), unit


def test_lintian_finds_no_error():
    print(run("lintian", "--allow-root", "--fail-on", "error", *(package(name) for name in NAMES)))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_man_page_renders(program, unpacked):
    pages = [page for directory in unpacked.values()
             for page in directory.glob(f"usr/share/man/man1/{program}.1.gz")]
    assert len(pages) == 1
    text = subprocess.run(["man", "--warnings", "--encoding=UTF-8", "--local-file", pages[0]], check=True, text=True,
                          capture_output=True, timeout=60, env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
    assert not text.stderr and "EXIT STATUS" in text.stdout
    source = run("gzip", "--decompress", "--stdout", pages[0])
    complaints = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=source, check=False, text=True,
                                capture_output=True, timeout=60)
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
    listed = subprocess.run(["eyelid-capture", "--list"], check=False, text=True, capture_output=True, timeout=60)
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
    wants = {"sockets.target.wants": "eyelid.socket", "eyelid-server.service.wants": "eyelid-capture@door.service"}
    for directory, unit in wants.items():
        link = Path("/etc/systemd/system") / directory / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/usr/lib/systemd/system/{re.sub('@.*[.]', '@.', unit)}")
    Path("/etc/eyelid/htpasswd").write_text("user:hash\n")
    assert Path("/run/webcam").is_dir()
    run("dpkg", "--purge", *reversed(NAMES))
    assert traces() == []
    assert run("getent", "passwd", "eyelid")
