"""A host's name belongs to one program."""

from harness.slot import Slot
from harness.waiting import wait_for


def test_a_second_share_of_a_name_is_refused(camera, share, fetch, hub):
    far = camera("far")
    first = share("far")
    slot = fetch().slot("far.default")
    slot.frame()
    camera("other")
    second = share("other", name="far")
    assert second.wait() != 0
    assert "far" in second.log()
    assert first.running()
    before = slot.mtime()
    assert slot.frame(after=before).size == far.frame().size


def test_a_name_is_free_again_when_its_program_has_ended(camera, share, fetch, hub):
    camera("far")
    first = share("far")
    slot = fetch().slot("far.default")
    slot.frame()
    first.end()
    camera("other", size="320x240")
    share("other", name="far")

    def seen():
        look = slot.look()
        return look and slot.frame().size == (320, 240)

    wait_for(seen, "the other host's picture")


def test_a_camera_of_this_host_keeps_its_slot(camera, share, fetch, start, directory, hub):
    camera("far")
    share("far")
    own = Slot(directory / "fetched" / "far.default")
    own.path.parent.mkdir()
    start("eyelid-capture", "--slot", own.path, "--source", "test", "--size", "320x240")
    own.wait_state("asleep", "awake")
    fetch().wait_log("far.default.* is another producer's")
    assert own.frame().size == (320, 240)


def test_a_camera_of_this_host_that_comes_later_has_its_slot(camera, share, fetch, start, hub):
    camera("far")
    share("far")
    near = fetch()
    near.slot("far.default").frame()
    path = near.slots / "far.default"
    own = Slot(path, start("eyelid-capture", "--slot", path, "--source", "test", "--size=320x240"))
    near.wait_log("far.default.* is another producer's")
    own.frame_where(lambda seen: seen.size == (320, 240), "its own picture")
    for _ in range(20):
        assert own.frame(after=own.mtime()).size == (320, 240)
    assert own.state()["source"] == "test"
    near.end()
    assert own.state()["source"] == "test"
