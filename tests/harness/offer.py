"""What who watches by WebRTC offers; without a WebRTC, which not every machine has."""

# Nothing but H.264, as browsers offer it, and audio, which the camera has not.
OFFERED = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=video 9 UDP/TLS/RTP/SAVPF {payload}
c=IN IP4 0.0.0.0
a=rtcp-mux
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:0
a=recvonly
a=rtpmap:{payload} {codec}/90000
{parameters}"""
FINGERPRINT = ":".join(["AB"] * 32)


def offer(payload=102, codec="H264", parameters=None):
    """Gives an offer that nobody stands behind: no check of ICE will come."""
    if parameters is None:
        wanted = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
        parameters = f"a=fmtp:{payload} {wanted}"
    text = OFFERED.format(
        payload=payload, codec=codec, parameters=parameters, fingerprint=FINGERPRINT
    )
    return "\r\n".join([*text.strip().splitlines(), ""]).encode()
