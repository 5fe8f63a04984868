"""Janus pulls a camera as it pulls those of H.264, and keeps its session.

It neither plays nor records it: it knows the codecs of WebRTC, and JPEG is none.
"""

import time

from janus import Janus

from harness.waiting import wait_for


def fresh(janus):
    """Says whether packets come."""
    age_ms = janus.age_ms()
    return age_ms is not None and age_ms < 500


def test_pulls_and_keeps_its_session(rtp, slots, start, directory):
    # It asks for OPTIONS each 2 s, for the session's sake.
    janus = Janus(start, directory, rtp(slots).url, "rtsp_session_timeout = 4")
    wait_for(lambda: fresh(janus), "packets at Janus")
    until = time.monotonic() + 7
    ages_ms = []
    while time.monotonic() < until:
        ages_ms.append(janus.age_ms())
        time.sleep(0.1)
    assert max(ages_ms) < 2000, ages_ms
    assert "reconnect" not in janus.program.out()
