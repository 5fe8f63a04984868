"""What is on the wire: by RFC 3550 and RFC 2435 as the tests read them, and as tshark does."""

import json
import subprocess
import time

import packets
import players
from rtsp import INTERLEAVED, Client

from harness.waiting import wait_for


def test_frames_are_whole_and_their_clock_is_the_reports(rtp, slots):
    with Client(rtp(slots).url) as client:
        client.set_up(INTERLEAVED)
        played = client.ask("PLAY")
        info = dict(part.split("=", 1) for part in played.headers["rtp-info"].split(";"))
        channel, report = client.packet()
        kinds = packets.reports(report)
        assert channel == 1
        assert [kind for kind, _ in kinds] == [packets.SENDER_REPORT, packets.SOURCE_DESCRIPTION]
        said = packets.sender_report(kinds[0][1])
        assert abs(said.seconds - time.time()) < 5
        frames = client.rtp_packets(400)
        assert said.ssrc == frames[0].ssrc
        captured = packets.check_frames(frames)
        assert len(captured) == len(set(captured)) > 3
        # Captured at about the time of the report, and of PLAY.
        for known in [said.timestamp, int(info["rtptime"])]:
            assert abs(packets.distance_90k(known, captured[0])) < 90_000 * 5


def test_tshark_finds_nothing_malformed(rtp, slots, directory):
    program, file = rtp(slots), directory / "packets.pcap"
    capture = subprocess.Popen(
        ["tshark", "-q", "-i", "lo", "-w", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: file.exists() and file.stat().st_size > 0, "tshark to capture")
        players.ffmpeg(program.url, "udp")
    finally:
        capture.terminate()
        capture.wait()

    def dissect(what):
        port = int(program.url.rsplit(":", 1)[1])
        options = ["-d", f"tcp.port=={port},rtsp", "-T", "json", "-Y", what]
        done = subprocess.run(["tshark", "-r", file, *options], capture_output=True, check=True)
        return json.loads(done.stdout)

    wrong = dissect("_ws.malformed or (_ws.expert.severity >= 0x600000 and not tcp)")
    assert wrong == [], wrong[0]
    assert len(dissect("rtsp")) >= 8
    assert len(dissect("jpeg")) > 100
    assert len(dissect("rtcp.pt == 200")) >= 1
