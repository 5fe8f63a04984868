"""Which receivers report, as the table of docs/rtp.md has it: of the others nobody knows that they
look."""

import re
import signal

import pytest
from cable import THERE
from players import CAPS

from harness.waiting import wait_for

SDP = f"""v=0
o=- 1 1 IN IP4 {THERE}
s=camera
c=IN IP4 {THERE}
t=0 0
m=video 5000 RTP/AVP 26
"""
FFMPEG = "-protocol_whitelist file,udp,rtp -sdp_flags rtcp_to_source -i camera.sdp"
SILENT = {
    "ffmpeg": f"ffmpeg -nostdin -loglevel error {FFMPEG} -f null -",
    "mpv": (
        "mpv --no-config --vo=null --ao=null "
        "--demuxer-lavf-o=protocol_whitelist=[file,udp,rtp] camera.sdp"
    ),
    "udpsrc": f"gst-launch-1.0 -q udpsrc port=5000 caps={CAPS} ! rtpjpegdepay ! fakesink",
}


@pytest.mark.parametrize("receiver", SILENT)
def test_receivers_that_do_not_report_get_what_is_sent_always(
    start, slots, directory, receiver, receiver_computer
):
    (directory / "camera.sdp").write_text(SDP)
    command = ["ip", "netns", "exec", "receiver", *SILENT[receiver].split()]
    program = start("eyelid-rtp", "--slots", slots, "--to", f"{THERE}:5000", "--always",
                    "--stats-interval", "1s")  # fmt: skip
    receiver = start(*command, cwd=directory)

    def sent():
        return sum(int(octets) for octets in re.findall(r"(\d+) bytes", program.log()))

    # By RTSP ffmpeg reports once in 280 KB.
    wait_for(lambda: sent() > 900_000, "frames to go")
    assert "% lost" not in program.log()
    # ffmpeg would look for more streams first.
    receiver.stop(signal.SIGKILL)
