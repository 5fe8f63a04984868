"""What signals ask of `eyelid`: its end, or that it reads its configuration again."""

import fcntl
import os
import pty
import shutil
import signal
import termios

import pytest

from harness.frames import check_frame
from harness.http import get
from harness.processes import alive, children, command_line
from harness.programs import binary
from harness.stream import Stream
from harness.waiting import wait_for

TEST = '[cameras.{}]\nsource = "test"\nsize = "{}"\n'


@pytest.fixture
def service(start, directory):
    """Starts `eyelid` as a service is started, without a terminal.

    Its configuration can be rewritten.
    """

    slots = directory / "slots"

    def service(text, flags=("--listen", "127.0.0.1:0", "--slots", slots)):
        config = directory / "eyelid.toml"
        config.write_text(text)
        program = start("eyelid", *flags, "--config", config, start_new_session=True)
        program.url = program.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
        program.slots = slots

        def reread(text, expected):
            config.write_text(text)
            said = len(program.log())
            os.kill(program.pid, signal.SIGHUP)
            wait_for(
                lambda: expected in program.log()[said:],
                lambda: f"{expected!r} in {program.log()[said:]}",
            )

        program.reread = reread
        return program

    return service


def cameras(program):
    """Gives the names of the cameras that run, sorted."""
    words = [command_line(pid) for pid in children(program.pid)]
    return sorted(
        word.removeprefix("--name=")
        for line in words
        for word in line
        if word.startswith("--name=")
    )


def size_of(url, camera=""):
    """Gives the size of a camera's picture."""
    return check_frame(get(url, f"{camera}/snapshot").body).size


def test_a_terminal_that_closes_ends_it_and_nothing_is_left(start, directory):
    ours, theirs = pty.openpty()
    slots = directory / "slots"
    camera = start(
        "eyelid",
        *("--listen", "127.0.0.1:0", "--slots", slots, "--source", "test"),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    url = camera.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    assert get(url, "/snapshot").status == 200
    family = children(camera.pid)
    os.close(ours)
    assert camera.wait(10) == 0
    assert not any(map(alive, family))
    assert not slots.exists(), "its slots are left"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_still_checks_leaves_nothing(start, directory, how):
    programs, slots = directory / "bin", directory / "slots"
    programs.mkdir()
    shutil.copy(binary("eyelid"), programs)
    for name in ("eyelid-server", "eyelid-capture"):
        waits = f"while [ ! -e {directory}/answer ]; do sleep 0.01; done"
        slow = f"#!/bin/sh\n: > {directory}/asked\n{waits}\n"
        (programs / name).write_text(slow)
        (programs / name).chmod(0o755)
    camera = start(
        programs / "eyelid", "--listen", "127.0.0.1:0", "--slots", slots, "--source", "test"
    )
    wait_for((directory / "asked").exists, "a question whether all is well")
    assert slots.exists()
    os.kill(camera.pid, how)
    (directory / "answer").touch()
    assert camera.wait() == 0
    assert not slots.exists(), "its slots are left"


def test_nohup_is_respected(start, directory):
    camera = start(
        "eyelid",
        *("--listen", "127.0.0.1:0", "--slots", directory / "slots", "--source", "test"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    url = camera.wait_out(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    os.kill(camera.pid, signal.SIGHUP)
    assert get(url, "/snapshot").status == 200
    assert "configuration" not in camera.log()
    assert camera.stop() == 0


def test_a_look_is_heard_while_the_configuration_is_read_again(service):
    camera = service('[cameras.default]\nsource = "test"\nlinger = "200ms"\n')
    frame = camera.slots / "current.jpg"
    # Which of the two it takes up first is left to chance.
    for rests in range(1, 6):
        wait_for(lambda: frame.exists() and frame.stat().st_mtime == 0, "the card")
        os.kill(camera.pid, signal.SIGSTOP)
        frame.read_bytes()
        os.kill(camera.pid, signal.SIGHUP)
        os.kill(camera.pid, signal.SIGCONT)
        wait_for(
            lambda rests=rests: camera.log().count("nobody looks") == rests,
            lambda: f"a camera that has come and gone in {camera.log()}",
        )
    assert camera.stop() == 0


def test_cameras_come_go_and_change_while_a_stream_runs(service):
    camera = service(TEST.format("default", "320x240") + TEST.format("bed", "320x240"))
    with Stream(camera.url) as stream:
        stream.part()
        wait_for(lambda: cameras(camera) == ["bed", "default"], lambda: cameras(camera))
        camera.reread(
            TEST.format("default", "320x240") + TEST.format("door", "64x48"),
            "configuration read again",
        )
        wait_for(lambda: cameras(camera) == ["default", "door"], lambda: cameras(camera))
        assert size_of(camera.url, "/door") == (64, 48)
        assert get(camera.url, "/bed/snapshot").status == 404
        assert not (camera.slots / "bed").exists()
        camera.reread(
            TEST.format("default", "640x480") + TEST.format("door", "64x48"),
            "configuration read again",
        )
        wait_for(lambda: size_of(camera.url) == (640, 480), "the default camera's new size")
        stream.part()
    assert camera.stop() == 0
    assert not camera.slots.exists()


def test_what_it_reads_while_nothing_runs_is_for_the_next_who_connects(service):
    camera = service(TEST.format("default", "320x240"))
    camera.reread(TEST.format("default", "64x48"), "configuration read again")
    assert children(camera.pid) == []
    assert size_of(camera.url) == (64, 48)


def test_a_configuration_that_cannot_be_used_changes_nothing(service):
    camera = service(TEST.format("default", "320x240"))
    assert size_of(camera.url) == (320, 240)
    family = children(camera.pid)
    camera.reread("[cameras.default]\nsauce = 1\n", "configuration not used")
    assert size_of(camera.url) == (320, 240)
    assert children(camera.pid) == family


def test_what_takes_a_restart_is_named(service, directory):
    text = '[server]\nlisten = ["127.0.0.1:0"]\nslots = "{}"\n' + TEST.format("default", "320x240")
    camera = service(text.format(directory / "slots"), flags=())
    camera.reread(
        text.format(directory / "elsewhere").replace("127.0.0.1:0", "127.0.0.1:1"), "read again"
    )
    for key in ("listen", "slots"):
        assert f"a change of {key} takes a restart" in camera.log()
    assert size_of(camera.url) == (320, 240)


def test_a_camera_that_cannot_be_used_harms_no_other(service):
    camera = service(TEST.format("default", "320x240") + '[cameras.door]\nsource = "libcamera"\n')
    assert size_of(camera.url) == (320, 240)
    answer = wait_for(
        lambda: (
            (said := get(camera.url, "/door/snapshot")).status == 503
            and b"without it" in said.body
            and said
        ),
        "the reason",
    )
    assert b"libcamera" in answer.body
    camera.wait_log('camera "door" cannot run with its configuration')
    assert size_of(camera.url) == (320, 240)
    assert cameras(camera) == ["default"], "it is not started again and again"
    camera.reread(
        TEST.format("default", "320x240") + TEST.format("door", "64x48"), "configuration read again"
    )
    wait_for(lambda: get(camera.url, "/door/snapshot").status == 200, "the mended camera")
