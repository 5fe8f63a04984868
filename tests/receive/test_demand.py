"""Nothing is published for nobody, and cameras that ask to be told are told."""

import json
import time

import pytest
from cameras import Pushing
from pictures import mark, picture
from receiver import configuration, serve, shown
from viewing import Viewer

from harness.http import get
from harness.waiting import wait_for

OURS = "Sec-WebSocket-Protocol: eyelid.v1"
LINGER = 1.0


def wait_version_stays(slot, seconds):
    """Waits so long; fails if the frame was replaced meanwhile. Nobody opens it."""
    before = slot.file.stat()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = slot.file.stat()
        assert (now.st_ino, now.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        time.sleep(0.01)


def said(camera):
    """Gives the next word that a camera hears."""
    return json.loads(camera.text())["eyelid"]


def test_a_camera_that_asks_is_told_to_sleep_and_to_wake(receiver):
    slot = receiver.slot()
    camera = receiver.camera("/door", OURS)
    # A slot without a frame is a wish.
    assert said(camera) == "wake"
    receiver.wait_push(connected=True, sleeps=True)
    slot.wait_state("awake", source="push")
    camera.send_jpeg(jpeg := picture(0))
    shown(slot, jpeg)
    for number in range(1, 4):
        camera.send_jpeg(jpeg := picture(number))
        shown(slot, jpeg)
        looked = time.monotonic()
        # The wish of the last look is answered, and nobody looks then.
        camera.send_jpeg(picture(number))
        assert said(camera) == "sleep"
        assert LINGER - 0.1 < time.monotonic() - looked < LINGER + 1
        slot.wait_state("asleep")
        assert camera.silent()
        before = time.monotonic()
        slot.look()
        assert said(camera) == "wake"
        assert time.monotonic() - before < 0.5
        slot.wait_state("awake")
    assert camera.silent()


def test_the_state_is_told_to_who_connects(receiver):
    slot = receiver.slot()
    with receiver.camera("/door", OURS) as camera:
        assert said(camera) == "wake"
        camera.send_jpeg(jpeg := picture(0))
        shown(slot, jpeg)
        camera.send_jpeg(picture(1))
        assert said(camera) == "sleep"
    with receiver.camera("/door", OURS) as camera:
        assert said(camera) == "sleep"
        slot.look()
        assert said(camera) == "wake"
        with receiver.camera("/door", OURS) as another:
            assert said(another) == "wake"
            assert camera.close_code() == 4001


@pytest.mark.parametrize("header", ["X-Nothing: 1", "Sec-WebSocket-Protocol: arduino"])
def test_no_other_camera_hears_a_word_and_nothing_is_published_for_nobody(receiver, header):
    slot = receiver.slot()
    with receiver.camera("/door", header) as camera, Pushing(camera.send_jpeg) as pushing:
        for _ in range(2):
            slot.frame()
            slot.wait_state("asleep")
            assert receiver.push()["sleeps"] is False
            sent = pushing.sent
            wait_version_stays(slot, 1)
            assert pushing.sent > sent + 10, "it goes on sending"
            looked = time.time_ns()
            slot.look()
            known = mark(slot.look_after(looked)[1])
            # The camera's stamp is older than the arrival by its way, half an interval at most.
            assert known.captured_ns > looked - 25e6, "taken before the look"
            slot.wait_state("awake")
        push = receiver.push()
        assert push["connected"] and push["frames"] > 40, push
        assert 15 < push["fps"] < 25, push
        assert camera.silent(), "it was told something"
        assert pushing.error is None and pushing.longest_send_s < 1


def test_a_snapshot_is_younger_than_its_request(receiver, server):
    with receiver.camera() as camera, Pushing(camera.send_jpeg):
        for _ in range(3):
            receiver.slot().wait_state("asleep")
            asked = time.time_ns()
            answer = get(server, "/door/snapshot")
            assert answer.status == 200
            assert mark(answer.body).captured_ns > asked - 5e6
            assert float(answer.headers["x-timestamp"]) * 1e9 >= asked


def test_as_many_are_published_as_are_looked_at(receiver, server):
    slot = receiver.slot()
    with receiver.camera() as camera, Pushing(camera.send_jpeg, fps=50):
        slot.frame()
        versions = set()
        end = time.monotonic() + 3
        # Four looks a second.
        while time.monotonic() < end:
            before = slot.mtime()
            slot.look()
            wait_for(lambda before=before: slot.mtime() > before, "the picture that was wished for")
            version = slot.mtime()
            versions.add(version)
            wait = time.monotonic() + 0.25
            while time.monotonic() < wait:
                assert slot.mtime() == version, "one for nobody"
        assert len(versions) >= 8


def test_post_tells_whether_anybody_looks(receiver):
    slot = receiver.slot()

    def awake(number):
        answer = receiver.post(picture(number))
        assert answer.status == 200
        return json.loads(answer.body)["awake"]

    assert awake(0) is True, "an empty slot is a wish"
    slot.wait_state("asleep")
    assert awake(1) is False, "nobody looks"
    wait_version_stays(slot, 0.5)
    slot.look()
    wait_for(lambda: awake(2), "it is awake")
    slot.wait_state("awake")
    slot.wait_state("asleep")
    assert awake(3) is False


def test_the_newest_of_a_camera_that_posts_seldom_is_there_for_a_look(receiver, server):
    slot = receiver.slot()
    first = picture(0)
    assert receiver.post(first).status == 200
    shown(slot, first)
    # That was a wish for the next one. Then nobody looks.
    assert receiver.post(picture(1)).status == 200
    slot.wait_state("asleep")
    before = time.time_ns()
    assert receiver.post(picture(2)).status == 200
    newest = picture(3)
    assert receiver.post(newest).status == 200
    after = time.time_ns()
    wait_version_stays(slot, 0.5)
    shown(slot, newest, deadline=3)
    assert before <= slot.mtime() <= after, "its age is that of the push"


def test_a_camera_is_not_awake_because_it_is_pushed(start, receive):
    """The viewers of one wake no other."""
    receiver = receive(configuration(*((name, {"linger": "1s"}) for name in ("door", "garden"))))
    server = serve(start, receiver)
    with (
        receiver.camera("/door") as door,
        receiver.camera("/garden") as garden,
        Pushing(door.send_jpeg),
        Pushing(garden.send_jpeg),
    ):
        receiver.slot("garden").frame()
        with Viewer(server) as viewer:
            receiver.slot("garden").wait_state("asleep")
            wait_version_stays(receiver.slot("garden"), 1)
            viewer.wait(20)
            assert receiver.status()["door"]["awake"] is True
            assert receiver.status()["garden"]["awake"] is False
