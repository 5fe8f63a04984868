"""Programs that play RTP, and what they make of a stream: the pixels of each frame, as a hash."""

import os
import subprocess
import time
from pathlib import Path

import rfc2435
from PIL import Image

from harness.waiting import DEADLINE

# What `environment` has put there.
INSTALLED = Path(os.environ["EYELID_TESTS_CACHE"]) / "rtp"
RETINA = INSTALLED / "retina/debug/eyelid-tests-retina"

FRAMES = 10
CAPS = "application/x-rtp,media=video,encoding-name=JPEG,clock-rate=90000,payload=26"


def pixels(path, filters="null"):
    """Gives the hash of the pixels of a JPEG, as ffmpeg decodes it, behind filters of its."""
    return hashes("-i", path, "-vf", filters)[0]


def ffmpeg(url, transport, frames=FRAMES, *options, filters="null"):
    """Plays a URL, and gives the hashes of its first frames, behind filters of ffmpeg's."""
    options = ["-rtsp_transport", transport, *options]
    return hashes(*options, "-i", url, "-frames:v", frames, "-vf", filters)


def frames(url, directory, count=FRAMES):
    """Plays a URL, and gives the paths of its first frames, as they came."""
    path = _new(directory)
    # It would measure the rate of 20 frames first.
    play = ["-fpsprobesize", "0", "-rtsp_transport", "tcp", "-i", url]
    record = ["-frames:v", count, "-c", "copy", path / "%03d.jpg"]
    run("ffmpeg", "-nostdin", "-loglevel", "error", *play, *record)
    return sorted(path.iterdir())


def sizes(url, directory, count=FRAMES):
    """Plays a URL, and gives the sizes of its first frames."""
    return {Image.open(path).size for path in frames(url, directory, count)}


def ffmpeg_sdp(path, frames=FRAMES):
    """Plays what a file of SDP describes, and gives the hashes of its first frames."""
    return hashes("-protocol_whitelist", "file,udp,rtp", "-i", path, "-frames:v", frames)


def gstreamer(url, directory, protocols):
    """Plays a URL by rtspsrc, and gives the hashes of the frames that come."""
    source = ["rtspsrc", f"location={url}", f"protocols={protocols}", "latency=0"]
    return _gstreamer(directory, *source, "!", "rtpjpegdepay")


def gstreamer_h264(url, directory, protocols, count):
    """Plays a URL's H.264 by rtspsrc, and gives the paths of the frames that it makes of it."""
    frames = _new(directory)
    source = ["rtspsrc", f"location={url}", f"protocols={protocols}", "latency=0"]
    decode = ["!", "rtph264depay", "!", "avdec_h264", "!", "identity", f"eos-after={count + 1}"]
    write = [
        "!",
        "videoconvert",
        "!",
        "pngenc",
        "!",
        "multifilesink",
        f"location={frames}/%03d.png",
    ]
    run("gst-launch-1.0", "-q", *source, *decode, *write)
    return sorted(frames.iterdir())


def assembled(packets, directory):
    """Gives the hashes of the whole frames of packets, put together by RFC 2435 alone."""
    path = _new(directory)
    for number, frame in enumerate(rfc2435.frames(packets)):
        (path / f"{number:03}.jpg").write_bytes(rfc2435.jpeg(frame))
    return [pixels(frame) for frame in sorted(path.iterdir())]


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
    """Plays a URL, and gives the paths of the pictures that it would show."""
    out = directory / "mpv"
    out.mkdir(exist_ok=True)
    run(
        "mpv", "--no-config", f"--rtsp-transport={transport}", f"--frames={FRAMES}", "--ao=null",
        "--vo=image", "--vo-image-format=png", f"--vo-image-outdir={out}", url,
    )  # fmt: skip
    return sorted(out.iterdir())


def retina(url, directory, transport, *credentials):
    """Plays a URL by retina, and gives the hashes of the frames that it makes of the packets."""
    path = _new(directory)
    run(RETINA, url, transport, FRAMES, path, *credentials)
    return [pixels(frame) for frame in sorted(path.iterdir())]


def openrtsp(root, url, directory, *options):
    """Plays a URL by openRTSP for some seconds, and gives the hashes of its frames."""
    path = _new(directory)
    (loader,) = root.glob("usr/lib*/ld-linux-*.so.*")
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    command = [loader, "--library-path", libraries, root / "usr/bin/openRTSP"]
    # A frame for each file; live555 has room for 100 KB of one if it is not told of more.
    options = ["-m", "-d", "2", "-b", "1000000", *options]
    run(*command, *options, url, cwd=path)
    return [pixels(frame) for frame in sorted(path.iterdir())]


def _new(directory):
    path = directory / f"frames-{time.monotonic_ns()}"
    path.mkdir()
    return path


def _gstreamer(directory, *source):
    frames = _new(directory)
    end = ["identity", f"eos-after={FRAMES + 1}", "!", "multifilesink"]
    # At its end it asks for a pause, now and then by a connection that it has closed itself.
    forgiven = "gst_rtspsrc_pause (): "
    run(
        "gst-launch-1.0", "-q", *source, "!", *end, f"location={frames}/%03d.jpg", forgiven=forgiven
    )
    return [pixels(path) for path in sorted(frames.iterdir())]


def hashes(*arguments):
    """Runs ffmpeg with these arguments, and gives the hashes of the frames that come of it."""
    out = run("ffmpeg", "-nostdin", "-loglevel", "error", *arguments, "-f", "framemd5", "-")
    lines = [line for line in out.splitlines() if not line.startswith("#")]
    return [line.split(",")[5].strip() for line in lines]


def run(*command, cwd=None, forgiven=None):
    """Runs a command, and gives what it prints. It must not fail, but for a reason that has these
    words.
    """
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, timeout=2 * DEADLINE, text=True, cwd=cwd)
    assert done.returncode == 0 or (forgiven and forgiven in done.stderr), done.stderr
    return done.stdout
