"""What can happen to a slot, to the program that writes it and to those who read it."""

import contextlib
import json
import re
import shutil
import signal
import threading
import time

import pytest
from looking import assert_no_snapshot, live_after, wait_snapshot

from harness.frames import check_frame
from harness.http import get
from harness.slot import Slot, left_behind
from harness.waiting import wait_for


def fill(directory):
    """Takes what room there is left in a file system; gives the file that has it."""
    path = directory / "filler"
    with open(path, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))
    return path


def test_a_full_slot_fills_the_log_not_the_grave(small, capture, server, stream):
    slot = Slot(small)
    producer, address = capture(slot, "640x480"), server(slot).address
    watched = stream(address)
    live_after(watched, 0)
    filler = fill(small)
    wait_for(
        lambda: slot.look() and fill(small) and "No space left" in producer.log(),
        "the log to say so",
    )
    assert producer.running()
    assert slot.state()["state"] in ("awake", "asleep", "failed")
    check_frame(slot.look()[1])
    names = {path.name for path in small.iterdir()}
    assert {"current.jpg", "state.json"} <= names
    full_until = time.time()
    assert re.search("No space left|file system is full", get(address, "/snapshot").body.decode())
    filler.unlink()
    live_after(watched, full_until)
    slot.wait_state("awake")
    assert get(address, "/snapshot").status == 200
    assert len(producer.log().splitlines()) < 60, "it must not fill the log either"
    wait_for(
        lambda: not left_behind(small),
        lambda: f"nothing left behind: {left_behind(small)}",
    )


def test_renditions_that_nobody_looks_at_give_way_to_the_frame(small, capture):
    slot = Slot(small)
    producer = capture(slot, "640x480")
    slot.frame()
    low = slot.path / "current.low.jpg"
    wait_for(lambda: low.read_bytes() and low.stat().st_mtime > 0, "a rendition")
    wait_for(lambda: low.read_bytes() and low.stat().st_size > 10000, "one that takes room")
    filler = fill(small)
    wait_for(
        lambda: slot.look() and low.stat().st_mtime == 0, "its placeholder, where it took the room"
    )
    filler.unlink()
    slot.frame(after=time.time())
    assert producer.running()


def test_a_slot_full_from_the_start_is_used_when_there_is_room(small, capture):
    filler = fill(small)
    slot = Slot(small)
    producer = capture(slot)
    producer.wait_log("No space left")
    assert producer.running()
    filler.unlink()
    slot.frame()
    slot.wait_state("awake")


def remove(slot):
    def removed():
        with contextlib.suppress(OSError):  # a frame was published while we were at it
            shutil.rmtree(slot.path)
            return True

    wait_for(removed, "the directory removed")


def remove_and_make(slot):
    remove(slot)
    slot.path.mkdir(exist_ok=True)


def move_away(slot):
    slot.path.rename(slot.path.with_name("moved"))


def delete_frame(slot):
    slot.file.unlink()


def delete_both(slot):
    slot.file.unlink()
    (slot.path / "state.json").unlink()


@pytest.mark.parametrize(
    "accident", [remove, remove_and_make, move_away, delete_frame, delete_both]
)
def test_a_stream_goes_on_after_an_accident(slot, capture, server, stream, accident):
    producer, program = capture(slot), server(slot)
    watched = stream(program.address)
    live_after(watched, 0)
    for _ in range(3):
        wait_for(lambda: slot.file.exists() and slot.state(), "the slot is in use")
        shutil.rmtree(slot.path.with_name("moved"), ignore_errors=True)
        accident(slot)
        live_after(watched, time.time())
        asked = time.time()
        snapshot = get(program.address, "/snapshot")
        assert snapshot.status == 200 and float(snapshot.headers["x-timestamp"]) >= asked
        slot.wait_state("awake")
    assert producer.running() and program.running()


def test_an_accident_while_asleep_wakes_nobody_for_long_and_harms_nobody(slot, capture, server):
    capture(slot, "320x240", "--linger", "1s")
    program = server(slot)
    for accident in (delete_both, remove, remove_and_make):
        slot.frame()
        slot.wait_state("asleep")
        accident(slot)
        slot.wait_state("asleep")  # made again
        wait_snapshot(program.address)


def test_a_stream_survives_its_camera_and_takes_on_the_next(slot, capture, server, stream):
    first, program = capture(slot, "320x240"), server(slot, "--timeout", "1s")
    watched = stream(program.address)
    live_after(watched, 0, (320, 240))
    for width, height in [(640, 480), (160, 120)]:
        first.stop(signal.SIGKILL)
        lost = watched.part_where(lambda part: not part.live(), 'the "no signal" picture')
        assert lost.headers["x-eyelid-signal"] == "none"
        check_frame(lost.jpeg)
        assert_no_snapshot(program.address)
        first = capture(slot, f"{width}x{height}")
        live_after(watched, 0, (width, height))
        assert wait_snapshot(program.address).size == (width, height)
    assert program.running()


def test_a_camera_killed_in_the_middle_of_writing_leaves_a_whole_frame(slot, capture, server):
    program = server(slot, "--timeout", "10s")
    for _ in range(5):
        producer = capture(slot)
        for _ in range(10):
            slot.frame(after=slot.mtime() or 0)
        producer.stop(signal.SIGKILL)
        check_frame(slot.look()[1])
    capture(slot)
    wait_snapshot(program.address)
    wait_for(
        lambda: not left_behind(slot.path),
        lambda: f"what a killed camera left is cleared away: {left_behind(slot.path)}",
    )


def test_without_slot_and_camera_there_is_an_answer_and_later_a_picture(
    slot, capture, server, stream
):
    program = server(slot, "--timeout", "1s")
    assert_no_snapshot(program.address)
    watched = stream(program.address)
    assert watched.status == 200
    assert not watched.part().live()
    capture(slot)
    live_after(watched, 0)
    wait_snapshot(program.address)


def test_a_slot_that_disappears_with_its_camera_is_missed_and_found_again(
    slot, capture, server, stream
):
    producer, program = capture(slot), server(slot, "--timeout", "1s")
    watched = stream(program.address)
    live_after(watched, 0)
    assert producer.stop() == 0
    remove(slot)
    watched.part_where(lambda part: not part.live(), 'the "no signal" picture')
    assert_no_snapshot(program.address)
    capture(slot, "640x480")
    live_after(watched, 0, (640, 480))


def test_a_waiting_snapshot_is_answered_when_the_camera_comes(slot, capture, server):
    program = server(slot, "--timeout", "30s")
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(get(program.address, "/snapshot")), daemon=True
    )
    asked = time.time()
    waiting.start()
    wait_for(
        lambda: json.loads(get(program.address, "/status").body), "the server answers meanwhile"
    )
    capture(slot)
    wait_for(lambda: answers, "the snapshot")
    assert answers[0].status == 200 and float(answers[0].headers["x-timestamp"]) >= asked
