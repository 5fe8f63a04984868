"""The image: what `docker run` and `docker compose` get."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from conftest import OUTSIDE, podman
from PIL import Image

from harness.frames import check_frame
from harness.http import free_port, get
from harness.processes import alive
from harness.stream import Stream
from harness.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
SMALL = "--source", "test", "--size", "320x240", "--linger", "1s"


def test_serves_a_snapshot_and_then_nothing_runs_but_one_process(run):
    container = run(*SMALL, "--idle-exit", "1s")
    for _ in range(2):
        assert container.names() == ["eyelid"]
        asked = time.time()
        answer = get(f"http://{OUTSIDE}:{container.port}", "/snapshot", Host="octopi.local")
        assert (answer.status, check_frame(answer.body).size) == (200, (320, 240))
        assert float(answer.headers["x-timestamp"]) >= asked
        wait_for(lambda: container.names() == ["eyelid"], lambda: f"rest: {container.processes()}")
    assert list(container.processes()) == [1]


def test_runs_as_nobody_of_the_host_and_without_privilege(run):
    container = run(*SMALL)
    assert get(container.url, "/snapshot").status == 200
    assert len(container.processes()) == 3
    for pid in container.processes():
        status = container.inside(f"proc/{pid}/status").read_text()
        assert re.search(r"^Uid:\t8080\t8080\t8080\t8080$", status, re.MULTILINE)
        assert re.search(r"^Gid:\t44\t44\t44\t44$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0{16}$", status, re.MULTILINE)
    assert container.inside("etc/group").read_text().count("\nvideo:x:44:") == 1


def test_frames_are_in_memory_only(run):
    container = run(*SMALL)
    assert get(container.url, "/snapshot").status == 200
    check_frame(container.inside("dev/shm/webcam/current.jpg").read_bytes())
    mounts = Path(f"/proc/{container.pid}/mountinfo").read_text()
    assert re.search(r" / /dev/shm \S+ - tmpfs ", mounts), mounts


def test_the_healthcheck_wakes_nothing_and_tells_of_harm(run):
    container = run(*SMALL, "--idle-exit", "1s")
    for _ in range(3):
        assert container.healthcheck()
    assert list(container.processes()) == [1]
    assert get(container.url, "/snapshot").status == 200
    assert container.healthcheck()
    os.kill(container.pid, signal.SIGSTOP)
    assert not container.healthcheck()
    os.kill(container.pid, signal.SIGCONT)
    wait_for(container.healthcheck, "health again")


def test_ends_within_two_seconds_of_sigterm(run):
    container = run(*SMALL)
    with Stream(container.url) as stream:
        assert stream.part().live()
        asked = time.monotonic()
        os.kill(container.pid, signal.SIGTERM)
        wait_for(lambda: not alive(container.pid), "its end")
        took_s = time.monotonic() - asked
    assert container.exit_code() == 0
    assert took_s < 2


def test_orphans_of_a_command_leave_no_zombies(run):
    orphans = "for s in 0.1 0.2 0.3; do ( (sleep $s; : > /dev/shm/over-$s) & ) ; done"
    container = run("--source", f"command:{orphans}; exec sleep 600")
    with Stream(container.url):
        wait_for(
            lambda: len(list(container.inside("dev/shm").glob("over-*"))) == 3,
            "the end of the orphans",
        )
        wait_for(lambda: not zombies(container), lambda: f"no zombies: {container.processes()}")


def zombies(container):
    """Gives those processes that nobody has taken note of."""
    return [name for name, state in container.processes().values() if state == "Z"]


def test_two_that_share_a_network_do_not_take_each_other_for_one(run):
    containers = [run(*SMALL) for _ in range(2)]
    for container in containers:
        assert get(container.url, "/snapshot").status == 200
        assert container.healthcheck()
    os.kill(containers[0].pid, signal.SIGSTOP)
    assert [container.healthcheck() for container in containers] == [False, True]
    os.kill(containers[0].pid, signal.SIGCONT)


def test_a_configuration_of_ones_own_is_read(run, directory):
    file = directory / "eyelid.toml"
    file.write_text(
        '[server]\nslots = "/dev/shm/webcam"\n[cameras.bed]\nsource = "test"\nsize = "160x120"\n'
    )
    container = run(options=["--volume", f"{file}:/etc/eyelid/eyelid.toml:ro"])
    assert check_frame(get(container.url, "/bed/snapshot").body).size == (160, 120)
    assert container.healthcheck()


def test_serves_rtsp_if_the_configuration_has_it(run, directory):
    port = free_port()
    file = directory / "eyelid.toml"
    file.write_text(
        '[server]\nslots = "/dev/shm/webcam"\n[cameras.default]\nsource = "test"\n'
        f'size = "320x240"\n[rtp]\nrtsp = ["0.0.0.0:{port}"]\n'
    )
    container = run(options=["--volume", f"{file}:/etc/eyelid/eyelid.toml:ro"])
    assert "eyelid-rtp" in container.names()
    url = f"rtsp://{OUTSIDE}:{port}/default"
    play = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]
    frame = directory / "frame.jpg"
    subprocess.run([*play, "-frames:v", "1", frame], check=True, timeout=60)
    assert Image.open(frame).size == (320, 240)


def test_says_its_ports():
    exposed = podman("image", "inspect", "--format", "{{.Config.ExposedPorts}}", "eyelid").stdout
    page = (ROOT / "docs" / "docker.md").read_text()
    for port in 8080, 8765, 8554:
        assert f"{port}/tcp" in exposed and f"-p {port}:{port}" in page, port
    assert "8189/udp" in exposed and "-p 8189:8189/udp" in page
