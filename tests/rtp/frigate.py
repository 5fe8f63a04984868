"""What Frigate has ffmpeg do, word by word; where nothing is configured, `preset-rtsp-generic`.

From frigate/ffmpeg_presets.py and frigate/config/camera/ffmpeg.py of blakeblackshear/frigate, as
they were in 2026, with the options of ffmpeg 5 and newer.
"""

GLOBAL = "-hide_banner -loglevel warning -threads 2"
_AGENT = ["-user_agent", "FFmpeg Frigate/0.17.0"]


def _words(words):
    return [*_AGENT, *words.split()]


INPUT = {
    "preset-rtsp-generic": _words(
        "-avoid_negative_ts make_zero -fflags +genpts+discardcorrupt -rtsp_transport tcp "
        "-timeout 10000000 -use_wallclock_as_timestamps 1"
    ),
    "preset-rtsp-restream": _words("-rtsp_transport tcp -timeout 10000000"),
    "preset-rtsp-restream-low-latency": _words(
        "-rtsp_transport tcp -timeout 10000000 -fflags nobuffer -flags low_delay"
    ),
    "preset-rtsp-udp": _words(
        "-avoid_negative_ts make_zero -fflags +genpts+discardcorrupt -rtsp_transport udp "
        "-timeout 10000000 -use_wallclock_as_timestamps 1"
    ),
    "preset-rtsp-blue-iris": _AGENT
    + _words(
        "-avoid_negative_ts make_zero -flags low_delay -strict experimental "
        "-fflags +genpts+discardcorrupt -rtsp_transport tcp -timeout 10000000 "
        "-use_wallclock_as_timestamps 1"
    ),
}
_SEGMENTS = "-f segment -segment_time 10 -segment_format mp4 -reset_timestamps 1 -strftime 1"
RECORD = {
    "preset-record-generic": f"{_SEGMENTS} -c copy -an".split(),
    # `preset-record-mjpeg` with a rate, as docs/home-assistant.md has it: without one ffmpeg
    # encodes 90,000 frames a second where the first ones came unevenly.
    "mjpeg with a rate": f"{_SEGMENTS} -r 15 -c:v libx264 -an".split(),
}


def detect(fps, width, height):
    """Gives the words for what it looks for things in."""
    scale = f"-r {fps} -vf fps={fps},scale={width}:{height}"
    return [*scale.split(), *["-threads", "2", "-f", "rawvideo", "-pix_fmt", "yuv420p"]]
