"""A destination behind a link that is too narrow for a while."""

import re

import pytest
from cable import THERE
from players import CAPS

from harness import networks

# The queue of a small switch, before 2 Mbit/s: a third of the test picture's bytes arrive.
NARROW = "tc qdisc add dev ours root tbf rate 2mbit burst 8k limit 16k"
WIDE = "tc qdisc delete dev ours root"

# Reports every half second, not every five as a rule: the sender waits for reports, not for time.
RECEIVER = f"""rtpbin name=b latency=50 rtpsession0::rtcp-min-interval=500000000
    udpsrc port=5000 caps={CAPS} ! b.recv_rtp_sink_0
    udpsrc port=5001 ! b.recv_rtcp_sink_0
    b.send_rtcp_src_0 ! udpsink host=192.0.2.1 port=6001 sync=false async=false
    b. ! rtpjpegdepay ! fakesink"""


def bytes_a_frame(log):
    """Gives the mean size of frames in each line of statistics that has some."""
    lines = re.findall(r": ([1-9]\d*) frames, \d+ packets, (\d+) bytes", log)
    return [int(octets) / int(frames) for frames, octets in lines]


@pytest.fixture
def receiver(start, receiver_computer):
    """GStreamer, which reports."""
    return start("ip", "netns", "exec", "receiver", "gst-launch-1.0", "-q", *RECEIVER.split())


def test_less_is_sent_where_packets_are_lost_and_more_when_none_are(start, directory, receiver):
    slot = directory / "slots"
    start("eyelid-capture", "--source", "test", "--slot", slot)
    options = ["--local-port", "6000", "--adapt", "--stats-interval", "1s"]
    program = start("eyelid-rtp", "--slots", slot, "--to", f"{THERE}:5000", *options)
    program.wait_log(r"frames, .*, 0\.0 % lost")
    networks.make(NARROW)
    smaller = program.wait_log(r"[1-9][\d.]* % lost; sending (Low|Half) instead of Current")
    # What goes then arrives.
    program.wait_log(rf"(?s){re.escape(smaller[0])}.*frames, [^\n]* 0\.0 % lost")
    networks.make(WIDE)
    larger = program.wait_log(r"0\.0 % lost; sending (\w+) instead of (Low|Half|Quarter)")
    before, _, after = program.log().partition(smaller[0])
    narrow, _, _ = after.partition(larger[0])
    assert min(bytes_a_frame(narrow)) < 0.75 * max(bytes_a_frame(before))
