"""A far camera sleeps until somebody looks, and what is said of it is true."""

import time

import hosts
import pytest

from harness.frames import check_frame, difference
from harness.http import get
from harness.stream import Stream
from harness.waiting import wait_for

# In so many seconds nobody's silence can be taken for something that is only slow.
QUIET_S = 3.0


@pytest.fixture
def hops(camera, share, fetch):
    """A camera of the host `far`, and the near host's slot of it, which nobody has looked at."""
    far = camera("far")
    share("far")
    near = fetch()
    slot = near.slot("far.default")
    slot.wait_state("asleep")
    return far, slot, near


def test_a_picture_comes_over_both_hops_and_then_all_is_asleep(hops, hub, server):
    far, slot, near = hops
    far.wait_state("asleep")
    url = server(near.slots)
    answer = get(url, "/far.default/snapshot")
    assert answer.status == 200 and "x-eyelid-signal" not in answer.headers
    assert difference(check_frame(answer.body), far.frame()) < 25
    slot.wait_state("awake")
    slot.wait_state("asleep")
    far.wait_state("asleep")
    # The hub hears of the directory now and then, and of nobody who looks.
    assert hub.messages_in(QUIET_S) < 10


def test_who_lists_cameras_wakes_none(hops, hub, server):
    far, slot, near = hops
    far.wait_state("asleep")
    url = server(near.slots)
    woken = far.state()["since"]
    for _ in range(3):
        listed = get(url, "/status").body
        assert b"far.default" in listed
    get(url, "/")
    time.sleep(QUIET_S)
    assert far.state()["state"] == "asleep" and far.state()["since"] == woken
    assert slot.state()["state"] == "asleep"


def test_any_number_of_viewers_cost_one_pull(hops, hub, server):
    _, _, near = hops
    url = server(near.slots)

    def messages_with(viewers):
        streams = [Stream(url, "/far.default/stream") for _ in range(viewers)]
        try:
            for stream in streams:
                stream.part_where(lambda part: part.live(), "a picture")
            before, frames, end = hub.messages(), 0, time.monotonic() + 2
            while time.monotonic() < end:
                for stream in streams:
                    stream.part()
                frames += 1
            return (hub.messages() - before) / frames
        finally:
            for stream in streams:
                stream.close()

    # Each frame is a request, and its messages.
    assert messages_with(8) < 1.5 * messages_with(1)


def test_a_picture_is_of_the_moment_that_it_shows(hops):
    _, slot, _ = hops
    slot.frame()
    for _ in range(10):
        captured, _ = slot.look_after(slot.mtime())
        age_s = time.time() - captured / 1e9
        assert -0.05 < age_s < 2


def test_cameras_come(hops, camera, near_names):
    _, _, near = hops
    camera("far", "door")
    near.slot("far.door").wait_state("asleep")
    assert near.slot("far.door").frame().size == (640, 360)
    assert near_names() == {"far.default", "far.door"}


def test_renditions_are_asked_for_by_name(hops, server):
    far, _, near = hops
    url = server(near.slots)
    get(url, "/far.default/snapshot")

    def quarter():
        answer = get(url, "/far.default/snapshot?size=quarter")
        return answer.headers.get("x-rendition") == "quarter" and answer

    answer = wait_for(quarter, "a quarter of the picture")
    assert check_frame(answer.body).size == (160, 90)
    before = far.mtime()
    small = far.rendition("current.quarter.jpg")
    seen = small.mtime()
    with Stream(url, "/far.default/stream?size=quarter") as stream:
        for _ in range(10):
            stream.part()
    assert small.mtime() > seen
    # Whole frames are made for nobody, but for the one that woke the camera.
    assert far.mtime() - before < (small.mtime() - seen) * 1.5


def test_why_a_far_camera_has_failed_is_told(camera, share, fetch):
    camera("far", source="folder:/nowhere/at/all")
    share("far")
    near = fetch()
    slot = near.slot("far.default")
    slot.wait_state("asleep")

    def failed():
        slot.look()
        return slot.state()["state"] == "failed" and slot.state()

    state = wait_for(failed, lambda: f"failed: {slot.state()}")
    assert "nowhere" in state["error"]


def test_since_when_a_host_cannot_be_reached_is_told(camera, share, fetch):
    camera("far")
    far = share("far")
    slot = fetch().slot("far.default")
    slot.frame()
    far.process.kill()

    def unreachable():
        slot.look()
        return slot.state()["state"] == "failed" and slot.state()

    state = wait_for(unreachable, lambda: f"unreachable: {slot.state()}")
    assert "unreachable" in state["error"]
    share("far")
    slot.frame(after=slot.mtime())
    slot.wait_state("awake", "asleep")


def test_only_what_was_named_is_fetched(camera, share, fetch, near_names):
    camera("far")
    camera("far", "door")
    camera("other")
    share("far")
    share("other")
    near = fetch("--only", "*.door,other.*")
    near.slot("far.door").wait_state("asleep")
    near.slot("other.default").wait_state("asleep")
    assert near_names() == {"far.door", "other.default"}


def test_only_what_was_named_is_shared(camera, share, fetch, near_names):
    camera("far")
    camera("far", "door")
    share("far", "--only", "door")
    near = fetch()
    near.slot("far.door").wait_state("asleep")
    assert near_names() == {"far.door"}


def test_fetched_cameras_are_not_shared_by_default(camera, share, fetch, start, directory, hub):
    """Two hosts that share all and fetch all would else hand each other's cameras to and fro."""
    camera("far")
    share("far")
    near = fetch()
    near.slot("far.default").wait_state("asleep")
    command = ["--slots", near.slots, "--as", "near", "--connect", hub.url]
    start("eyelid-relay", "share", *command)
    third = directory / "third"
    command = ["--slots", third, "--connect", hub.url, "--only", "near.*"]
    start(*hosts.on("third", "eyelid-relay", "fetch", *command))
    time.sleep(QUIET_S)
    assert not [path.name for path in third.glob("*.*/")]
