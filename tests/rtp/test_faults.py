"""One camera fails, one receiver stops, one is lost: nobody else sees anything of it."""

import signal
import subprocess
import sys

import players
import pytest
from figures import told
from rtsp import Client, Ports
from viewer import Viewer

from harness import elsewhere
from harness.waiting import wait_for

PORT = 5000
# A program of its own, for sockets of this one are its viewers', too.
RECEIVER = f"""
import socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", {PORT}))
print("there", flush=True)
while True:
    receiver.recv(2000)
"""


@pytest.fixture
def cameras(start, directory):
    """Two cameras that run by themselves; gives their programs."""

    def camera(name):
        slot = directory / "slots" / name
        slot.mkdir(parents=True)
        return start("eyelid-capture", "--source", "test", "--fps", "10", "--slot", slot)

    return {name: camera(name) for name in ["door", "bed"]}


def test_nobody_skips_a_frame_for_another(rtp, start, directory, cameras):
    receiver = start(sys.executable, "-c", RECEIVER)
    receiver.wait_out("there")
    of_bed = ["--to", f"127.0.0.1:{PORT}", "--name", "bed", "--always"]
    listen = ["--rtsp", f"{elsewhere.HERE}:0"]
    program = rtp(directory / "slots", *listen, *of_bed)
    url = program.wait_log(rf"rtsp://{elsewhere.HERE}:[1-9]\d*")[0]
    play = ["-rtsp_transport", "tcp", "-i", program.url + "/bed", "-f", "null", "-"]
    stopped = start("ffmpeg", "-nostdin", *play)
    with Viewer(program.url, "/door") as viewer, Viewer(program.url, "/door", udp=True):
        with elsewhere.inside():
            lost = Client(url)
            other, ports = Client(url), Ports(elsewhere.THERE)
        with lost, other, ports:
            lost.play("/bed")
            ports.play(other, "/bed")
            assert lost.rtp_packets(1) and ports.packets(1)
            # It has received something, and takes nothing any more.
            stopped.wait_log("frame=")
            stopped.process.send_signal(signal.SIGSTOP)
            try:
                viewer.see(30)
            finally:
                stopped.process.kill()
            with elsewhere.vanished():
                viewer.see(30)
            receiver.process.kill()
            program.wait_log("Connection refused")
            cameras["bed"].process.kill()
            viewer.see(30)


# Of what is sent by UDP and no report, every so manieth piece is refused: in the middle of frames,
# as a rule.
REFUSALS = """
table ip refusals {
    chain output {
        type filter hook output priority 0
        udp length > 300 numgen inc mod 23 == 0 drop
    }
}
"""


@pytest.fixture
def refusals():
    """The system refuses packets now and then."""
    subprocess.run(["nft", "-f", "-"], input=REFUSALS, text=True, check=True)
    yield
    subprocess.run(["nft", "delete", "table", "ip", "refusals"], check=True)


@pytest.mark.parametrize("player", ["ffmpeg", "gstreamer"])
def test_what_went_of_a_frame_is_put_before_no_other(
    rtp, slots, jpeg, directory, status, refusals, player
):
    url = rtp(slots, "--status", status).url + "/"
    if player == "ffmpeg":
        shown = players.ffmpeg(url, "udp")
    else:
        shown = players.gstreamer(url, directory, "udp")
    assert set(shown) == {players.pixels(jpeg)}
    # Of two frames in one picture the second is shown.
    sizes = {path.stat().st_size for path in directory.glob("frames-*/*.jpg")}
    assert len(sizes) <= 1, f"the beginning of a frame before another: {sizes}"
    totals = wait_for(lambda: told(status)["session_totals"], "what went")[0]
    assert min(totals["dropped"], totals["frames"]) > 3, totals
