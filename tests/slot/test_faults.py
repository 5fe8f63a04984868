"""What the system can do to the programs around a slot.

Permissions, links, limits, lost events, pauses, clocks.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack

import pytest
from faults import (
    IN_DELETE,
    IN_MOVED_TO,
    WITHOUT_CAPABILITIES,
    WITHOUT_INOTIFY,
    Queue,
    events_that_overflow,
    rename_until_it_overflows,
    with_few_watches,
)
from looking import assert_no_snapshot, live_after, wait_snapshot
from PIL import Image

from harness.clock import Clock
from harness.http import connect, get
from harness.processes import usage
from harness.slot import Slot, left_behind
from harness.stream import Stream
from harness.waiting import wait_for

HOURS_S = 3 * 3600


def forbid(path):
    path.chmod(0o555)
    return lambda: path.chmod(0o755)


def remount(path):
    """Makes a file system read-only; it is busy while a frame is being written."""

    def to(how):
        return (
            subprocess.run(
                ["mount", "-o", f"remount,{how}", path], check=False, capture_output=True
            ).returncode
            == 0
        )

    wait_for(lambda: to("ro"), "a read-only file system")
    return lambda: to("rw")


@pytest.mark.parametrize(
    ("make_read_only", "said"), [(forbid, "Permission denied"), (remount, "Read-only file system")]
)
def test_a_slot_made_read_only_is_told_of_and_used_again(
    small, capture, server, stream, make_read_only, said
):
    slot = Slot(small)
    producer, program = capture(slot, under=WITHOUT_CAPABILITIES), server(slot, "--timeout", "1s")
    watched = stream(program.address)
    live_after(watched, 0)
    undo = make_read_only(small)
    producer.wait_log(f"{said}.*trying again")
    assert not watched.part_where(lambda part: not part.live(), 'the "no signal" picture').live()
    assert_no_snapshot(program.address)
    undo()
    live_after(watched, time.time())
    wait_snapshot(program.address)
    assert len(producer.log().splitlines()) < 10, producer.log()


@pytest.mark.parametrize("what", ["directory", "frame"])
def test_a_slot_that_may_not_be_read_is_told_of_and_read_again(slot, capture, server, stream, what):
    producer = capture(slot, "320x240", "--linger", "500ms")
    program = server(slot, "--timeout", "1s", under=WITHOUT_CAPABILITIES)
    watched = stream(program.address)
    live_after(watched, 0)
    watched.close()
    slot.wait_state("asleep")
    forbidden = {"directory": slot.path, "frame": slot.file}[what]
    forbidden.chmod(0)
    assert "Permission denied" in assert_no_snapshot(program.address)
    watched = stream(program.address)
    assert not watched.part().live()
    forbidden.chmod(0o755)
    live_after(watched, time.time())
    wait_snapshot(program.address)
    assert producer.running()


def fifo(path, _target):
    os.mkfifo(path)


def link(path, target):
    path.symlink_to(target)


def link_to_device(path, _target):
    path.symlink_to("/dev/zero")


def folder(path, _target):
    path.mkdir()


@pytest.mark.parametrize("name", ["current.jpg", "state.json"])
@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (fifo, "not a regular file"),
        (link, "symbolic link"),
        (link_to_device, "symbolic link"),
        (folder, "not a regular"),
    ],
)
def test_what_is_no_file_is_neither_followed_nor_waited_for(
    slot, capture, server, stream, directory, planted, said, name
):
    producer = capture(slot)
    slot.frame()
    producer.stop()
    long_ago = time.time() - HOURS_S  # of 1970 it would be a placeholder
    os.utime(slot.file, (long_ago, long_ago))
    # What a link leads to would be shown, if it were followed.
    target = directory / name
    if name == "current.jpg":
        shutil.copy(slot.file, target)
    else:
        target.write_text(json.dumps(slot.state() | {"state": "failed", "error": "led astray"}))
    before = target.read_bytes()
    program = server(slot, "--timeout", "1s")
    path = slot.path / name
    path.unlink()
    planted(path, target)
    asked = time.monotonic()
    assert (said if name == "current.jpg" else "no new frame") in assert_no_snapshot(
        program.address
    )
    assert not stream(program.address).part().live()
    camera = json.loads(get(program.address, "/status").body)["cameras"][0]
    assert camera["state"] == ("asleep" if name == "current.jpg" else "unknown")
    assert time.monotonic() - asked < 20, "it must not wait for what never comes"
    producer = capture(slot)
    if planted is folder:
        producer.wait_log("Is a directory")
        assert producer.running()
        path.rmdir()
    live_after(stream(program.address), 0)
    wait_for(
        lambda: slot.state() and path.is_file() and not path.is_symlink(), "a file in its place"
    )
    assert target.read_bytes() == before, "what a link leads to is not touched"


def test_a_link_in_the_slot_s_place_is_not_followed(slot, capture, server, stream, directory):
    producer, program = capture(slot), server(slot, "--timeout", "1s")
    watched = stream(program.address)
    live_after(watched, 0)
    elsewhere = directory / "elsewhere"
    slot.path.rename(elsewhere)
    wait_for(lambda: put_link(slot.path, elsewhere), "the link in its place")
    producer.wait_log("symbolic link.*trying again")
    assert not watched.part_where(lambda part: not part.live(), 'the "no signal" picture').live()
    assert "symbolic link" in assert_no_snapshot(program.address)
    before = (elsewhere / "current.jpg").stat()
    assert not left_behind(elsewhere)
    slot.path.unlink()
    live_after(watched, time.time())
    after = (elsewhere / "current.jpg").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def put_link(path, target):
    """Puts a link in a slot's place, whatever the producer has made there meanwhile."""
    shutil.rmtree(path, ignore_errors=True)
    try:
        path.symlink_to(target)
    except FileExistsError:
        return False
    return True


def test_a_camera_behind_a_link_is_no_camera(slot, capture, server, directory):
    capture(slot)
    program = server(slot)
    wait_snapshot(program.address)
    (slot.path / "other").symlink_to(slot.path)
    assert get(program.address, "/other/snapshot").status == 404


def test_a_wish_lost_in_an_overflow_is_granted(slot, capture):
    producer = capture(slot, "320x240", "--linger", "300ms")
    slot.frame()
    slot.wait_state("asleep")
    mtime = slot.mtime()
    producer.process.send_signal(signal.SIGSTOP)
    queue = Queue(slot.path, IN_DELETE)
    names = [slot.path / f".{number}" for number in range(events_that_overflow())]
    for name in names:
        name.touch()
    for name in names:
        name.unlink()
    slot.look()
    assert queue.close(), "no overflow"
    producer.process.send_signal(signal.SIGCONT)
    wait_for(lambda: slot.mtime() != mtime, "a new frame")
    slot.wait_state("asleep")


def test_a_frame_lost_in_an_overflow_is_missed_by_nobody(slot, capture, server, stream):
    capture(slot)
    program = server(slot)
    watched = stream(program.address)
    live_after(watched, 0)
    program.process.send_signal(signal.SIGSTOP)
    queue = Queue(slot.path, IN_MOVED_TO)
    rename_until_it_overflows(slot.path)
    assert queue.close(), "no overflow"
    back = time.time()
    program.process.send_signal(signal.SIGCONT)
    live_after(watched, back)
    wait_snapshot(program.address)


def test_a_picture_lost_in_an_overflow_is_shown(start, slot, directory):
    folder = directory / "pictures"
    folder.mkdir()
    Image.new("RGB", (320, 240)).save(folder / "first.jpg")
    producer = start("eyelid-capture", "--slot", slot.path, "--source", f"folder:{folder}")
    assert slot.frame().size == (320, 240)
    producer.process.send_signal(signal.SIGSTOP)
    queue = Queue(folder, IN_MOVED_TO)
    rename_until_it_overflows(folder)
    Image.new("RGB", (160, 120)).save(folder / "second.jpg")
    assert queue.close(), "no overflow"
    producer.process.send_signal(signal.SIGCONT)
    slot.frame_where(lambda seen: seen.size == (160, 120), "the second picture")


def test_without_inotify_the_server_polls_and_says_so(slot, capture, server, stream):
    capture(slot)
    program = server(slot, under=WITHOUT_INOTIFY)
    assert "max_user_instances" in program.wait_log("polled while somebody looks: .*").group()
    watched = stream(program.address)
    live_after(watched, time.time())
    parts = [watched.part() for _ in range(40)]
    assert all(part.live() for part in parts), "frames come without a pause"
    times = [float(part.headers["x-timestamp"]) for part in parts]
    assert times == sorted(set(times)), "each frame is newer than the one before"
    asked = time.time()
    assert float(get(program.address, "/snapshot").headers["x-timestamp"]) >= asked


def test_without_inotify_a_camera_says_so_and_another_try_may_help(slot, capture):
    producer = capture(slot, under=WITHOUT_INOTIFY)
    assert producer.wait() == 1, "78 would keep systemd and eyelid from trying again"
    assert "inotify" in producer.log() and "max_user_instances" in producer.log()


@pytest.mark.parametrize("count", range(1, 9))
def test_with_few_watches_a_camera_neither_spins_nor_is_deaf(slot, capture, count):
    producer = capture(slot, under=with_few_watches(count))
    time.sleep(0.5)  # until it has said what it says to begin with
    used = usage(producer.pid).cpu_s
    time.sleep(1)  # the time over which it must not spin
    assert usage(producer.pid).cpu_s - used < 0.3
    if count == 1:
        assert "max_user_watches" in producer.log()
    producer.process.terminate()
    producer.wait()


def test_without_descriptors_the_server_neither_spins_nor_dies(slot, capture, server, stream):
    capture(slot)
    program = server(slot, "--timeout", "1s", under=["prlimit", "--nofile=40:40"])
    watched = stream(program.address)
    live_after(watched, 0)
    with ExitStack() as crowd:
        for _ in range(100):
            crowd.enter_context(connect(program.address))
        used, began = usage(program.pid).cpu_s, time.monotonic()
        time.sleep(2)  # the time over which it must not spin
        used, took = usage(program.pid).cpu_s - used, time.monotonic() - began
        assert used < 0.3 * took, f"it spins: {used} s of {took} s"
        assert program.running()
    live_after(watched, time.time())
    wait_snapshot(program.address)


def test_without_descriptors_a_camera_waits_for_some(slot, capture):
    producer = capture(slot)
    slot.frame()
    limit = resource.prlimit(producer.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(producer.pid, resource.RLIMIT_NOFILE, (5, limit[1]))
    slot.look()
    producer.wait_log("Too many open files.*trying again")
    used, began = usage(producer.pid).cpu_s, time.monotonic()
    wait_for(lambda: time.monotonic() > began + 1, "a second")
    assert usage(producer.pid).cpu_s - used < 0.5, "it spins"
    resource.prlimit(producer.pid, resource.RLIMIT_NOFILE, limit)
    slot.frame(after=slot.mtime())


@pytest.mark.parametrize("who", ["camera", "server", "both"])
def test_a_pause_as_of_a_suspended_machine_is_over_at_once(slot, capture, server, stream, who):
    seconds = float(
        os.environ.get("EYELID_PAUSE_S", "6")
    )  # longer than the server waits for a frame
    producer, program = capture(slot), server(slot)
    watched = stream(program.address)
    live_after(watched, 0)
    paused = {"camera": [producer], "server": [program], "both": [producer, program]}[who]
    for each in paused:
        each.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)  # the pause itself
    back, clock = time.time(), time.monotonic()
    for each in paused:
        each.process.send_signal(signal.SIGCONT)
    live_after(watched, back)
    assert time.monotonic() - clock < 2
    snapshot = get(program.address, "/snapshot")
    assert snapshot.status == 200 and float(snapshot.headers["x-timestamp"]) >= back
    assert producer.running() and program.running()


@pytest.fixture
def clock(directory):
    """The clock of programs that are started with `clock.environment`."""
    return Clock(directory)


def test_frames_stay_fresh_when_the_clock_is_set(slot, capture, server, stream, clock):
    capture(slot, "320x240", "--linger", "500ms", env=clock.environment)
    program = server(slot, env=clock.environment)
    watched = stream(program.address)
    for offset_s in (0, HOURS_S, -HOURS_S, 0, -2 * HOURS_S, 2 * HOURS_S):
        clock.set(offset_s)
        for _ in range(3):
            fresh(lambda: get(program.address, "/snapshot"), clock)
        fresh_stream(watched, clock)
    watched.close()
    for offset_s in (HOURS_S, 0, -HOURS_S, HOURS_S):
        slot.wait_state("asleep")
        clock.set(offset_s)  # the frame that lies there was captured before
        fresh(lambda: get(program.address, "/snapshot"), clock)
        slot.wait_state("asleep")
        with Stream(program.address) as again:
            fresh_stream(again, clock, parts=1)


def fresh(ask, clock):
    """A snapshot is from after its request, by the clock as it is."""
    asked = clock.now()
    answer = ask()
    assert answer.status == 200
    captured = float(answer.headers["x-timestamp"])
    assert asked - 0.01 <= captured <= clock.now() + 0.01, (
        f"captured {captured - asked:+.3f} s after the request"
    )


def fresh_stream(watched, clock, parts=3):
    """A stream shows frames by the clock as it is, once those under way have come.

    It shows no old one.
    """
    asked = clock.now()
    watched.part_where(
        lambda part: part.live() and asked <= float(part.headers["x-timestamp"]) <= clock.now(),
        "a frame of now",
    )
    for _ in range(parts):
        part = watched.part()
        age_s = clock.now() - float(part.headers["x-timestamp"])
        assert part.live() and 0 <= age_s < 4, f"{age_s:.1f} s old"
