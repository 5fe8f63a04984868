"""WebRTC, by WHEP, with two implementations that are no browser's, and no route to anywhere."""

import json
import subprocess
import time
from pathlib import Path
from urllib.parse import urljoin

import pytest

from harness import elsewhere, whep
from harness.waiting import wait_for

SDP = {"Content_Type": "application/sdp"}
GSTREAMER = Path(__file__).parent / "gstreamer_whep"
FRAGMENT = {"Content_Type": "application/trickle-ice-sdpfrag"}
PASSWORD = "vw5LmwG4y/e6dPP/zAP9Gp5k"


def test_aiortc_plays_and_the_camera_sleeps_when_it_has_closed(reached, door):
    with whep.Viewer(reached.url) as viewer:
        viewer.wait_frames(20)
        assert viewer.size == (640, 480)
        door.wait_state("awake")
        answer = reached.ask(viewer.resource, "DELETE")
        assert answer.status in (200, 204), answer
    door.wait_state("asleep")


def test_who_vanishes_is_noticed_and_the_camera_sleeps(reached, door):
    viewer = whep.Viewer(reached.url)
    viewer.wait_frames(5)
    viewer.close()  # of which no word of HTTP says anything
    door.wait_state("asleep")


def test_gstreamer_plays(reached, door):
    command = [GSTREAMER, f"{reached.url}/door/whep", "20"]
    played = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (played.returncode, played.stdout.strip()) == (0, "640x480"), played
    door.wait_state("asleep")


def test_who_is_killed_is_noticed_by_silence_and_the_camera_sleeps(reached, door):
    """Its ICE agrees to nothing any more (RFC 7675), and no word says so."""
    command = [GSTREAMER, f"{reached.url}/door/whep", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout.readline().strip() == "640x480"
        player.kill()
    assert len(reached.status()["sessions"]) == 1
    began = time.monotonic()
    door.wait_state("asleep")
    assert not reached.status()["sessions"]
    assert time.monotonic() - began > 5, "it was not told"


def test_several_watch_one_encode(reached, door):
    kinds = [whep.Viewer, whep.Viewer, whep.JsonViewer]
    viewers = [kind(reached.url) for kind in kinds]
    try:
        with reached.mse(host=elsewhere.HERE) as other, reached.tap() as tap:
            for viewer in viewers:
                viewer.wait_frames(10)
            for _ in range(10):
                other.fragment()
            tap.read(10_000)
    finally:
        for viewer in viewers:
            viewer.close()
    door.wait_state("asleep")


@pytest.mark.parametrize(
    "offer",
    [
        whep.offer(96, "VP8", ""),
        whep.offer(102, "H264", "").replace(b"m=video", b"m=audio"),
    ],
    ids=["vp8", "audio"],
)
def test_an_offer_without_h264_wakes_no_camera(shown, door, offer):
    answer = shown.ask("/door/whep", "POST", offer, **SDP)
    assert answer.status == 406, answer
    assert json.loads(answer.body)["error"]
    assert door.state()["state"] == "asleep"


def test_an_answer_that_nobody_comes_for_ends(shown, door):
    answer = shown.ask("/door/whep", "POST", whep.offer(), **SDP)
    assert answer.status == 201, answer
    resource = urljoin("/door/whep", answer.headers["location"])
    before = answer.headers["etag"]

    def patch(match, ufrag, password=PASSWORD):
        names = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n".encode()
        return shown.ask(resource, "PATCH", names, If_Match=match, **FRAGMENT)

    assert patch(before, "abcd").status == 204, "what was offered, as browsers trickle"
    # What RFC 9725 (section 4.3.3) has a restart of ICE look like.
    assert patch(before, "efgh").status == 422, "one has If-Match: *"
    assert patch("*", "efgh", "short").status == 422
    restarted = patch("*", "efgh")
    assert restarted.status == 200, restarted
    assert restarted.headers["content-type"] == FRAGMENT["Content_Type"]
    lines = restarted.body.decode().split("\r\n")
    assert f'"{lines[1].removeprefix("a=ice-ufrag:")}"' == restarted.headers["etag"] != before
    assert any(line.startswith("a=candidate:") for line in lines)
    assert patch(before, "efgh").status == 412
    assert patch(restarted.headers["etag"], "efgh").status == 204
    door.wait_state("asleep")
    wait_for(lambda: shown.ask(resource, "DELETE").status == 404, "its end")
