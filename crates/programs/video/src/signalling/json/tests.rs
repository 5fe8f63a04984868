use hyper::header::ACCESS_CONTROL_ALLOW_METHODS;

use super::super::BODY_BYTES;
use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

const SDP: &str = "v=0\\r\\na=ice-ufrag:x\\r\\na=ice-pwd:y\\r\\na=fingerprint:z\\r\\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\\r\\na=rtpmap:96 H264/90000\\r\\n\
    a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\\r\\n";

fn message(text: &str) -> Result<String, (u16, String)> {
    let text = text.replace("$ID", ID).replace("$SDP", SDP);
    let read = read(text.as_bytes());
    read.map(|message| match message {
        Message::Request(keep_alive) => format!("request {keep_alive:?}"),
        Message::Offer(offer, keep_alive) => format!("offer {} {keep_alive:?}", offer.ice_ufrag),
        Message::Answer(id, answer) => format!("answer {id:?} {}", answer.ice_ufrag),
        Message::Candidates(id, count) => format!("candidates {id:?} {count}"),
    })
    .map_err(|rejection| (rejection.status().as_u16(), rejection.what().to_owned()))
}

#[test]
fn messages_as_the_clients_send_them() {
    for (text, read) in [
        // Fluidd, Mainsail.
        (r#"{"type":"request"}"#, "request None"),
        (
            r#"{"type":"request","iceServers":[{"urls":["stun:x"]}]}"#,
            "request None",
        ),
        // camera-streamer's own page.
        (
            r#"{"type":"request","res":"","iceServers":[],"keepAlive":true}"#,
            "request Pings",
        ),
        (
            r#"{"type":"answer","id":"$ID","sdp":"$SDP"}"#,
            "answer 01234567 x",
        ),
        (
            r#"{"type":"remote_candidate","id":"$ID","candidates":[{"candidate":"candidate:1 1 udp 1 x.local 5 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"x"}]}"#,
            "candidates 01234567 1",
        ),
        // OctoPrint.
        (r#"{"sdp":"$SDP","type":"offer"}"#, "offer x None"),
    ] {
        assert_eq!(message(text).as_deref(), Ok(read), "{text}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let many = format!(
        r#"{{"type":"remote_candidate","id":"$ID","candidates":[{}0]}}"#,
        "0,".repeat(CANDIDATES)
    );
    for (text, status) in [
        ("", 400),
        ("[]", 400),
        (r#"{"type":"hello"}"#, 400),
        (r#"{"type":"offer"}"#, 400),
        (r#"{"type":"offer","sdp":"v=1"}"#, 400),
        (r#"{"type":"offer","sdp":7}"#, 400),
        (r#"{"type":"answer","sdp":"$SDP"}"#, 400),
        (r#"{"type":"answer","id":"rtc-x","sdp":"$SDP"}"#, 404),
        (r#"{"type":"remote_candidate","id":"$ID"}"#, 400),
        (r#"{"type":"remote_candidate","candidates":[]}"#, 400),
        (&many, 413),
    ] {
        assert_eq!(message(text).unwrap_err().0, status, "{text}");
    }
    let vp8 = r#"{"type":"offer","sdp":"$SDP"}"#.replace("$SDP", &SDP.replace("H264", "VP8"));
    let (status, what) = message(&vp8).unwrap_err();
    assert!(status == 406 && what.contains("no H.264"), "{what}");
    let deep = format!("{{\"type\":{}", "[".repeat(BODY_BYTES - 10));
    assert_eq!(message(&deep).unwrap_err().0, 400);
    assert_eq!(
        read(&[b' '; BODY_BYTES + 1]).unwrap_err().status().as_u16(),
        413
    );
}

#[test]
fn only_post_leads_to_messages() {
    assert_eq!(preflight(&Method::POST).unwrap().map(|_| ()), None);
    let options = preflight(&Method::OPTIONS).unwrap().unwrap();
    assert_eq!(
        options.headers()[ACCESS_CONTROL_ALLOW_METHODS],
        "POST, OPTIONS"
    );
    let headers = &options.headers()[hyper::header::ACCESS_CONTROL_ALLOW_HEADERS];
    assert!(
        headers.to_str().unwrap().contains("Cache-Control"),
        "OctoPrint's"
    );
    assert_eq!(preflight(&Method::GET).unwrap_err().status().as_u16(), 405);
}

#[test]
fn descriptions_are_told_with_their_session() {
    let id: SessionId = ID.parse().unwrap();
    for (response, kind) in [
        (offered(id, "v=0"), "offer"),
        (answered(id, "v=0"), "answer"),
    ] {
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = format!("{response:?}");
        for part in [kind, ID, "iceServers"] {
            assert!(body.contains(part), "{body}");
        }
    }
}
