use super::*;

/// What Chromium 156 offers for a track recvonly, cut to what is of video.
const CHROMIUM: &str = "v=0\r
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0\r
a=extmap-allow-mixed\r
a=msid-semantic: WMS\r
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 115 116 117 118 39 40 119 120\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:VfXl\r
a=ice-pwd:xBzxnFHEeHcH0KJ0E5i9Cqbj\r
a=ice-options:trickle\r
a=fingerprint:sha-1 5F:0F:6B:C2:35:2F:61:8A:9E:05:0A:2C:95:51:2E:1C:50:EA:60:85\r
a=setup:actpass\r
a=mid:0\r
a=recvonly\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=rtpmap:96 VP8/90000\r
a=rtpmap:97 rtx/90000\r
a=fmtp:97 apt=96\r
a=rtpmap:103 H264/90000\r
a=rtcp-fb:103 nack pli\r
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r
a=rtpmap:104 rtx/90000\r
a=fmtp:104 apt=103\r
a=rtpmap:107 H264/90000\r
a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r
a=rtpmap:108 rtx/90000\r
a=fmtp:108 apt=107\r
a=rtpmap:109 H264/90000\r
a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r
a=rtpmap:114 rtx/90000\r
a=fmtp:114 apt=109\r
a=rtpmap:115 H264/90000\r
a=fmtp:115 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r
a=rtpmap:116 rtx/90000\r
a=fmtp:116 apt=115\r
a=rtpmap:39 H264/90000\r
a=fmtp:39 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f\r
";

fn h264(text: &str) -> Result<(u8, Option<u8>, u32), String> {
    let described = Description::parse(text.as_bytes());
    let format = described.map_err(|error| error.to_string())?.h264;
    Ok((
        format.payload_type,
        format.retransmission,
        format.profile_level_id,
    ))
}

fn without(what: &str) -> String {
    let lines = CHROMIUM.lines().filter(|line| !line.contains(what));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn constrained_baseline_in_pieces_is_what_is_sent() {
    assert_eq!(h264(CHROMIUM), Ok((109, Some(114), 0x42e01f)));
    let described = Description::parse(CHROMIUM.as_bytes()).unwrap();
    assert_eq!(
        (described.ice_ufrag.as_str(), described.candidates),
        ("VfXl", 0)
    );
    assert_eq!(described.text, CHROMIUM);
}

#[test]
fn the_nearest_profile_is_taken_where_that_is_not_there() {
    assert_eq!(h264(&without("fmtp:109")), Ok((103, Some(104), 0x42001f)));
    let main = without("fmtp:109").replace("42001f", "4D401F");
    assert_eq!(h264(&main), Ok((103, Some(104), 0x4d401f)));
    // Safari's second.
    let high = without("42e01f")
        .replace("42001f", "640c1f")
        .replace("4d001f", "f4001f");
    assert_eq!(h264(&high), Ok((103, Some(104), 0x640c1f)));
    let alone = without("apt=").replace(
        "packetization-mode=1;profile",
        "packetization-mode=1; profile",
    );
    assert_eq!(h264(&alone), Ok((109, None, 0x42e01f)));
}

#[test]
fn who_takes_no_h264_is_told_why() {
    let none = h264(&without("H264")).unwrap_err();
    assert!(
        none.contains("takes no H.264") && none.contains("plugin"),
        "{none}"
    );
    let whole = h264(&without("packetization-mode=1")).unwrap_err();
    assert!(whole.contains("packetization-mode=1"), "{whole}");
    for sent in ["sendonly", "inactive"] {
        let none = h264(&CHROMIUM.replace("recvonly", sent)).unwrap_err();
        assert!(none.contains("receives no video"), "{none}");
    }
    for nothing in ["m=audio 9", "m=video 0"] {
        let none = h264(&CHROMIUM.replace("m=video 9", nothing)).unwrap_err();
        assert!(none.contains("receives no video"), "{none}");
    }
    let sendrecv = CHROMIUM.replace("recvonly", "sendrecv");
    assert_eq!(h264(&sendrecv), Ok((109, Some(114), 0x42e01f)));
    assert_eq!(h264(&without("recvonly")), Ok((109, Some(114), 0x42e01f)));
    let rejection = Rejection::from(Description::parse(without("H264").as_bytes()).unwrap_err());
    assert_eq!(rejection.status(), StatusCode::NOT_ACCEPTABLE);
}

#[test]
fn sections_beside_the_video_do_not_matter() {
    // OctoPrint asks for audio, too.
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=recvonly\r\n";
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n";
    let first = CHROMIUM.replace("m=video", &format!("{audio}m=video"));
    for text in [first, format!("{CHROMIUM}{audio}{data}")] {
        assert_eq!(h264(&text), Ok((109, Some(114), 0x42e01f)));
    }
}

#[test]
fn what_is_no_description_or_too_much_is_refused() {
    for wrong in ["ice-ufrag", "ice-pwd", "fingerprint", "m=video"] {
        let unusable = Description::parse(without(wrong).as_bytes());
        assert!(
            matches!(unusable, Err(Unusable::Malformed(_))),
            "{wrong}: {unusable:?}"
        );
    }
    for wrong in [
        &b""[..],
        b"{}",
        b"v=0",
        b"v=0\n\xff",
        b"v=0\nm=",
        b"v=0\nm=video 9",
    ] {
        let unusable = Description::parse(wrong);
        assert!(
            matches!(unusable, Err(Unusable::Malformed(_))),
            "{}",
            wrong.escape_ascii()
        );
    }
    let candidate = "a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\r\n";
    let many = format!("{CHROMIUM}{}", candidate.repeat(CANDIDATES));
    assert_eq!(
        Description::parse(many.as_bytes()).unwrap().candidates,
        CANDIDATES
    );
    for (bomb, what) in [
        (candidate.repeat(CANDIDATES + 1), "candidates"),
        ("m=audio 0 x 0\r\n".repeat(SECTIONS), "media sections"),
        ("a=x\r\n".repeat(BODY_BYTES / 5), "bytes"),
    ] {
        let unusable = Description::parse(format!("{CHROMIUM}{bomb}").as_bytes());
        assert_eq!(unusable, Err(Unusable::TooMuch(what)));
    }
}

#[test]
fn every_beginning_is_read_without_harm() {
    for end in 0..CHROMIUM.len() {
        let _ = Description::parse(&CHROMIUM.as_bytes()[..end]);
    }
}
