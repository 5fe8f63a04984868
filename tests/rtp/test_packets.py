"""What is on the wire: by RFC 3550 and RFC 2435 as the tests read them, and as tshark does."""

import contextlib
import itertools
import json
import math
import os
import socket
import statistics
import subprocess
import time

import packets
import players
from rtsp import INTERLEAVED, Client

from harness.waiting import wait_for

# Sessions whose reports are timed, and for how long: EYELID_RTP_PLAYED_S=600 looks longer.
SESSIONS = 8
PLAYED_S = float(os.environ.get("EYELID_RTP_PLAYED_S", "11"))
KEPT_ALIVE_S = 20
COMPENSATION = math.e - 1.5
SLACK_S = 0.01  # clocks
LATE_S = 1.0  # a busy machine


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
    with captured(file):
        players.ffmpeg(program.url, "udp")
    wrong = dissect(program, file, "_ws.malformed or (_ws.expert.severity >= 0x600000 and not tcp)")
    assert wrong == [], wrong[0]
    assert len(dissect(program, file, "rtsp")) >= 8
    assert len(dissect(program, file, "jpeg")) > 100
    assert len(dissect(program, file, "rtcp.pt == 200")) >= 1


def test_reports_come_in_the_intervals_of_rfc_3550(rtp, slots, directory):
    program, file = rtp(slots), directory / "packets.pcap"
    with captured(file), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(program.url)) for _ in range(SESSIONS)]
        for client in clients:
            pair = receivers(stack)
            client.set_up(f"RTP/AVP;unicast;client_port={pair}-{pair + 1}")
            client.ask("PLAY")
        until = time.monotonic() + PLAYED_S
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, KEPT_ALIVE_S))
            for client in clients:
                client.ask("OPTIONS")
    assert dissect(program, file, "_ws.malformed") == []
    # Sender reports with a name (6.1), and from each to the next the time of 6.2 and 6.3.1: 5 s at
    # least for a session of two, half of it the first time, times 0.5 to 1.5, by e - 3/2.
    reports = "rtcp.pt == 200 and rtcp.sdes.type == 1 and not rtcp.pt == 203"
    fields = ["frame.time_epoch", "udp.dstport"]
    sent = {}
    for moment, port in dissect_fields(program, file, reports, fields):
        sent.setdefault(port, []).append(float(moment))
    assert len(sent) == SESSIONS
    first = [moments[1] - moments[0] for moments in sent.values()]
    later = [b - a for moments in sent.values() for a, b in itertools.pairwise(moments[1:])]
    for seconds, least in [(first, 2.5), (later, 5)]:
        shortest, longest = (least * factor / COMPENSATION for factor in (0.5, 1.5))
        assert min(seconds) > shortest - SLACK_S and max(seconds) < longest + LATE_S
    # Each at a moment of its own, and all together no more than a twentieth (6.2).
    assert max(later) - min(later) > 0.5, "all at once"
    mean = statistics.mean(later)
    print(f"{len(later)} intervals of {min(later):.2f} to {max(later):.2f} s, mean {mean:.2f} s")
    rtcp, all_bytes = (
        sum(int(length) for (length,) in dissect_fields(program, file, what, ["frame.len"]))
        for what in ["rtcp", "rtp or rtcp"]
    )
    assert rtcp < all_bytes / 20, f"{rtcp} of {all_bytes} bytes"


def receivers(stack):
    """Binds two ports, an even one and the next; gives the first."""
    while True:
        pair = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
        pair[0].bind(("127.0.0.1", 0))
        port = pair[0].getsockname()[1]
        with contextlib.suppress(OSError):
            if port % 2 == 0:
                pair[1].bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def captured(file):
    """Has tshark write what goes over the network into a file meanwhile."""
    capture = subprocess.Popen(
        ["tshark", "-q", "-i", "lo", "-w", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: file.exists() and file.stat().st_size > 0, "tshark to capture")
        yield
    finally:
        capture.terminate()
        capture.wait()


def dissect(program, file, what):
    """Gives the packets of a file that are of this kind, as tshark reads them."""
    return json.loads(_tshark(program, file, "-T", "json", "-Y", what))


def dissect_fields(program, file, what, fields):
    """Gives these fields of each packet of this kind."""
    options = [word for field in fields for word in ["-e", field]]
    lines = _tshark(program, file, "-T", "fields", *options, "-Y", what).decode().splitlines()
    return [line.split("\t") for line in lines]


def _tshark(program, file, *options):
    port = int(program.url.rsplit(":", 1)[1])
    command = ["tshark", "-r", file, "-d", f"tcp.port=={port},rtsp", *options]
    return subprocess.run(command, capture_output=True, check=True).stdout
