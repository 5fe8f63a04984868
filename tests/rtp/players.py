"""Programs that play RTP, and what they make of a stream: the pixels of each frame, as a hash."""

import hashlib
import subprocess
import time

from PIL import Image

from harness.waiting import DEADLINE

FRAMES = 10
CAPS = "application/x-rtp,media=video,encoding-name=JPEG,clock-rate=90000,payload=26"


def pixels(path):
    """Gives the hash of the pixels of a JPEG, as ffmpeg decodes it."""
    return _hashes("-i", path)[0]


def ffmpeg(url, transport, frames=FRAMES, *options):
    """Plays a URL, and gives the hashes of its first frames."""
    options = ["-rtsp_transport", transport, *options]
    return _hashes(*options, "-i", url, "-frames:v", frames)


def sizes(url, directory):
    """Plays a URL, and gives the sizes of its first frames."""
    frames = directory / f"frames-{time.monotonic_ns()}"
    frames.mkdir()
    record = ["-frames:v", FRAMES, "-c", "copy", frames / "%03d.jpg"]
    _run("ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url, *record)
    return {Image.open(path).size for path in frames.iterdir()}


def ffmpeg_sdp(path, frames=FRAMES):
    """Plays what a file of SDP describes, and gives the hashes of its first frames."""
    return _hashes("-protocol_whitelist", "file,udp,rtp", "-i", path, "-frames:v", frames)


def gstreamer(url, directory, protocols):
    """Plays a URL by rtspsrc, and gives the hashes of the frames that come."""
    source = ["rtspsrc", f"location={url}", f"protocols={protocols}", "latency=0"]
    return _gstreamer(directory, *source, "!", "rtpjpegdepay")


def gstreamer_udp(port, directory):
    """Plays what comes to a port, without RTCP."""
    return _gstreamer(directory, "udpsrc", f"port={port}", f"caps={CAPS}", "!", "rtpjpegdepay")


def reporting(start, rtp_port, report_port):
    """Starts GStreamer as a receiver that reports to a port."""
    words = f"""rtpbin name=b latency=50
        udpsrc port={rtp_port} caps={CAPS} ! b.recv_rtp_sink_0
        udpsrc port={rtp_port + 1} ! b.recv_rtcp_sink_0
        b.send_rtcp_src_0 ! udpsink host=127.0.0.1 port={report_port} sync=false async=false
        b. ! rtpjpegdepay ! fakesink"""
    return start("gst-launch-1.0", "-q", *words.split())


def mpv(url, directory, transport):
    """Plays a URL, and gives the hashes of the pictures that it would show."""
    out = directory / "mpv"
    out.mkdir(exist_ok=True)
    _run(
        "mpv", "--no-config", f"--rtsp-transport={transport}", f"--frames={FRAMES}", "--ao=null",
        "--vo=image", "--vo-image-format=png", f"--vo-image-outdir={out}", url,
    )  # fmt: skip
    return [hashlib.md5(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())]


def _gstreamer(directory, *source):
    frames = directory / f"frames-{time.monotonic_ns()}"
    frames.mkdir()
    end = ["identity", f"eos-after={FRAMES + 1}", "!", "multifilesink"]
    _run("gst-launch-1.0", "-q", *source, "!", *end, f"location={frames}/%03d.jpg")
    return [pixels(path) for path in sorted(frames.iterdir())]


def _hashes(*arguments):
    out = _run("ffmpeg", "-nostdin", "-loglevel", "error", *arguments, "-f", "framemd5", "-")
    lines = [line for line in out.splitlines() if not line.startswith("#")]
    return [line.split(",")[5].strip() for line in lines]


def _run(*command):
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, timeout=2 * DEADLINE, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
