"""Janus pulls a camera as it pulls those of H.264, and keeps its session.

It neither plays nor records that: it knows the codecs of WebRTC, and JPEG is none. It records what
it is sent, if it is told of another codec, and so shows what has come.
"""

import time

import packets
import players
from janus import Janus, pulled, recorded, taken

from harness.waiting import wait_for


def fresh(janus):
    """Says whether packets come."""
    age_ms = janus.age_ms()
    return age_ms is not None and age_ms < 500


def test_pulls_and_keeps_its_session(rtp, slots, start, directory):
    # It asks for OPTIONS each 2 s, for the session's sake.
    janus = Janus(start, directory, pulled(rtp(slots).url, "rtsp_session_timeout = 4"))
    wait_for(lambda: fresh(janus), "packets at Janus")
    until = time.monotonic() + 7
    ages_ms = []
    while time.monotonic() < until:
        ages_ms.append(janus.age_ms())
        time.sleep(0.1)
    assert max(ages_ms) < 2000, ages_ms
    assert "reconnect" not in janus.program.out()


def test_what_it_is_sent_has_the_pixels_of_the_slot(slots, jpeg, start, directory):
    janus = Janus(start, directory, taken(5000))
    start("eyelid-rtp", "--slots", slots, "--to", "127.0.0.1:5000", "--always")
    wait_for(lambda: fresh(janus), "packets at Janus")
    janus.record(directory / "door")
    recording = directory / "door.mjr"
    wait_for(lambda: recording.exists() and recording.stat().st_size > 300_000, "a recording")
    janus.stop()
    found = [packets.packet(data) for data in recorded(recording)]
    shown = players.assembled(found, directory)
    assert len(shown) > 5
    assert set(shown) == {players.pixels(jpeg)}
