"""Many cameras at once, in one process and on one inotify instance."""

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from cameras import Pushing
from pictures import bomb, lying, mark, picture
from receiver import configuration, serve, shown
from viewing import Viewer

from harness.http import get
from harness.waiting import wait_for

NAMES = [f"camera{number}" for number in range(20)]


def inotify_instances(pid):
    """Gives what each of a process's inotify instances watches; a copy of one is the same."""
    texts = set()
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            lines = file.read_text().splitlines()
            texts.add(tuple(line for line in lines if line.startswith("inotify")))
    return texts - {()}


def test_twenty_cameras_on_one_inotify_instance(start, receive):
    receiver = receive(configuration(*NAMES))
    server = serve(start, receiver)
    with ExitStack() as stack:
        cameras = {name: stack.enter_context(receiver.camera(f"/{name}")) for name in NAMES}
        for number, name in enumerate(NAMES):
            cameras[name].send_jpeg(jpeg := picture(number))
            shown(receiver.slot(name), jpeg)
        instances = inotify_instances(receiver.pid)
        assert len(instances) == 1
        assert len(instances.pop()) >= len(NAMES), "not all are watched"
        for camera in cameras.values():
            stack.enter_context(Pushing(camera.send_jpeg, fps=5))
        viewers = [stack.enter_context(Viewer(server, f"/{name}/stream")) for name in NAMES]
        for viewer in viewers:
            viewer.wait(15)
        numbers = [[seen.number for seen in viewer.seen] for viewer in viewers]
        assert all(each == sorted(set(each)) for each in numbers)
        status = receiver.status()
        assert all(status[name]["push"]["connected"] for name in NAMES)
        assert all(4 < status[name]["push"]["fps"] < 6 for name in NAMES), status


def test_large_renditions_of_one_camera_hold_no_other_up(start, receive):
    receiver = receive(configuration("door", "large"))
    server = serve(start, receiver)
    half = receiver.slots / "large/current.half.jpg"
    large, took_ms = bomb(turned=False, side=4000), []
    with (
        receiver.camera("/door") as camera,
        Viewer(server, "/door/stream") as viewer,
        Pushing(camera.send_jpeg, fps=20) as pushing,
    ):
        viewer.wait(5)
        began_ns, sent = time.time_ns(), -pushing.sent
        for _ in range(6):
            assert receiver.post(large, "/large").status == 200
            before, wished = half.stat().st_ino, time.monotonic()
            half.read_bytes()
            wait_for(lambda before=before: half.stat().st_ino != before, "half of it")
            took_ms.append((time.monotonic() - wished) * 1000)
        sent += pushing.sent
        ages_ms = [seen.age_ms for seen in viewer.seen if seen.came_ns > began_ns]
    said = f"{len(ages_ms)} of {sent} came, {ages_ms} ms old; a rendition took {took_ms}"
    # Made in the same thread, five of six wait until they are old, or until a newer one has come.
    assert len(ages_ms) > 0.7 * sent, said
    assert statistics.median(ages_ms) < min(took_ms) / 5, said


def test_a_small_picture_that_must_be_turned_waits_for_no_large_one(receive):
    receiver = receive(configuration("door", ("large", {"max-bytes": "32MiB"})))
    small, large = lying(640, 480), lying(3200, 2400)

    def seconds(jpeg, path):
        began = time.monotonic()
        assert receiver.post(jpeg, path).status == 200
        return time.monotonic() - began

    alone_s = seconds(large, "/large")
    stop = threading.Event()
    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        # The pool waits for them.
        stack.callback(stop.set)
        # One is being turned, and the other waits.
        busy = [pool.submit(repeat, lambda: seconds(large, "/large"), stop) for _ in range(2)]
        took_s = [seconds(small, "/door") for _ in range(15)]
    assert all(turning.result() > 0 for turning in busy)
    assert statistics.median(took_s) < alone_s / 3, f"{took_s}; a large one {alone_s}"


def repeat(act, stop):
    """Does something until it is told to stop; gives how often."""
    times = 0
    while not stop.is_set():
        act()
        times += 1
    return times


def test_all_of_one_file(start, receive, directory):
    """The server shows pushed cameras among all others, with title and state."""
    text = configuration(("door", {"title": "Front door"}), "default")
    text += '[cameras.test]\nsource = "test"\n'
    receiver = receive(text)
    server = serve(start, receiver)

    def cameras():
        return {each["name"]: each for each in json.loads(get(server, "/status").body)["cameras"]}

    assert set(cameras()) == {"default", "door", "test"}
    assert cameras()["door"]["title"] == "Front door"
    with receiver.camera() as camera, Pushing(camera.send_jpeg):
        receiver.slot().frame()
        push = wait_for(
            lambda: (push := cameras()["door"].get("push")) and push["frames"] > 10 and push,
            lambda: f"what the server says of the push: {cameras()['door']}",
        )
        assert push["connected"] and push["sleeps"] is False
        assert push["address"].startswith("127.0.0.1")
        assert mark(get(server, "/door/snapshot").body)


def test_a_slot_of_its_own(receive, directory):
    elsewhere = directory / "elsewhere"
    receiver = receive(configuration(("door", {"slot": str(elsewhere)})))
    jpeg = picture(1)
    assert receiver.post(jpeg).status == 200
    assert (elsewhere / "current.jpg").read_bytes() == jpeg
    assert not (receiver.slots / "door").exists()


def test_a_slot_that_is_removed_is_made_again(receiver):
    slot = receiver.slot()
    with receiver.camera() as camera, Pushing(camera.send_jpeg):
        for _ in range(3):
            slot.frame()
            for path in slot.path.iterdir():
                path.unlink(missing_ok=True)
            slot.path.rename(slot.path.with_name("gone"))
            wait_for(slot.look, "a picture again")
            assert receiver.push()["connected"]
            for path in slot.path.with_name("gone").iterdir():
                path.unlink()
            slot.path.with_name("gone").rmdir()
