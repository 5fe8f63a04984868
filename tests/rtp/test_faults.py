"""One camera fails, one receiver stops, one is lost: nobody else sees anything of it."""

import signal
import sys

import pytest
from rtsp import Client, Ports
from viewer import Viewer

from harness import elsewhere

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
