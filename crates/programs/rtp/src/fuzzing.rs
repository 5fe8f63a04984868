//! What must hold whatever strangers say in RTSP, and whatever is in a password file. The fuzz
//! target calls this, and a test with what it found (`fuzz/README.md`).

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_rtp_wire::{Destination, Media, Origin, SessionDescription};

use crate::rtsp::auth::Users;
use crate::rtsp::message::{Method, Request, Response, Status};
use crate::rtsp::reader::{Incoming, ReadError, Reader};
use crate::rtsp::session::{Session, Step};
use crate::rtsp::target::{Presentation, Target, base_and_control, track_url};
use crate::rtsp::transport::{ServerSide, Transport};

/// That of a session; nothing depends on it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is read does not depend on the pieces in which it comes; nobody is let in who does not know
/// the password; packets go to no port of other programs; what is set up is played, paused and
/// ended by its own URL; and no response, nor the description in it, has a line that a client put
/// there.
///
/// # Panics
/// Where that does not hold.
pub fn rtsp(bytes: &[u8]) {
    let whole = read(bytes, usize::MAX);
    for piece_bytes in [1, 7] {
        assert_eq!(read(bytes, piece_bytes), whole, "{piece_bytes}");
    }
    let requests: Vec<_> = whole.0.iter().filter_map(request_of).collect();
    if let Ok(text) = std::str::from_utf8(bytes) {
        of_text(text);
    }
    let now = Instant::now();
    let mut open = session(None);
    for request in &requests {
        let before = open.current().map(|set_up| set_up.target.clone());
        let step = open.on_request(request, now, |_| true);
        if let Step::Play | Step::Pause(_) | Step::TearDown(_) = &step {
            let named = Presentation::parse(&request.url).ok();
            let target = before.as_ref();
            assert!(named.is_some_and(|named| target.is_some_and(|target| named.is_of(target))));
        }
        play(&mut open, request, step);
    }
    let nobody = "0".repeat(32);
    let users = Users::parse(&format!("anna:Eyelid:{nobody}"), Path::new("")).ok();
    let mut closed = session(users.map(Rc::new));
    for request in &requests {
        let response = match closed.on_request(request, now, |_| true) {
            Step::Respond(response) => response,
            Step::Challenge(reason) => closed.challenge(request, reason, "n1".to_owned(), now),
            other => panic!("{other:?} without a password"),
        };
        assert!(response.status != Status::Ok || request.method == Method::Options);
        check(&response);
    }
}

fn session(users: Option<Rc<Users>>) -> Session {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Session::new("ID".to_owned(), users, Some(address), TIMEOUT)
}

/// Does what a session asks for.
fn play(session: &mut Session, request: &Request, step: Step) {
    let response = match step {
        Step::Respond(response)
        | Step::RespondToDialect(response)
        | Step::Pause(response)
        | Step::TearDown(response) => response,
        Step::Elsewhere(_) => session.nothing_set_up(request),
        Step::Describe(_) => session.described(request, described),
        Step::SetUp(set_up) => {
            if let Transport::Udp {
                rtp_port,
                rtcp_port,
            } = set_up.transport
            {
                assert!(rtp_port >= 1024 && rtcp_port >= 1024 && rtp_port != rtcp_port);
            }
            session.set_up(request, set_up, ServerSide::Interleaved, 1)
        }
        Step::Challenge(reason) => panic!("{reason:?} without users"),
        Step::Play => session.playing(request, 1, 1),
    };
    check(&response);
}

/// What is said of a camera. The control is the client's own URL, in part, and makes no line.
fn described(control: &str) -> String {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let description = SessionDescription {
        origin: Origin {
            id: 1,
            version: 1,
            address,
        },
        name: "default",
        destination: Destination::Unicast(address),
        port: 0,
        control: Some(control),
        media: Media::Jpeg,
        size_px: None,
        frames_per_second: None,
    };
    let text = description.to_string();
    let lines = text.lines().map(|line| &line[..2]);
    let begins: String = lines.collect();
    assert_eq!(begins, "v=o=s=c=t=a=a=m=a=a=", "{text}");
    text
}

/// The head has the lines that it was given and no others.
fn check(response: &Response) {
    let bytes = response.to_bytes();
    let text = String::from_utf8(bytes).unwrap_or_else(|error| panic!("{error}"));
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let names = [
        "RTSP/1.0 ",
        "CSeq: ",
        "Server: ",
        "Session: ",
        "Public: ",
        "Unsupported: ",
        "WWW-Authenticate: ",
        "Content-Base: ",
        "Cache-Control: ",
        "Content-Type: ",
        "Content-Length: ",
        "Transport: ",
        "Range: ",
        "RTP-Info: ",
    ];
    for line in head.split("\r\n") {
        assert!(names.iter().any(|name| line.starts_with(name)), "{line:?}");
        assert!(!line.contains(['\r', '\n']), "{line:?}");
    }
}

/// A URL leads to the same camera by its base and control, and a password file that is read has
/// users.
fn of_text(text: &str) {
    if let Ok(target) = Target::parse(text) {
        let (base, control) = base_and_control(text);
        assert!(base.ends_with('/'), "{base}");
        if !target.is_track {
            let joined = Target::parse(&format!("{base}{control}"));
            let joined = joined.map(|joined| (joined.camera, joined.is_track));
            assert_eq!(joined, Ok((target.camera, true)), "{base} {control}");
        }
        let _ = track_url(text);
    }
    if let Ok(users) = Users::parse(text, Path::new("")) {
        let wrong = users.judge(Some("Basic YTpi"), "PLAY", "/", None);
        assert_ne!(wrong, Err(crate::rtsp::auth::Unauthorized::Missing));
    }
}

/// What is read of bytes that come in pieces, and why no more is.
fn read(bytes: &[u8], piece_bytes: usize) -> (Vec<Incoming>, Option<ReadError>) {
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    for piece in bytes.chunks(piece_bytes) {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(incoming)) => all.push(incoming),
                Ok(None) => break,
                Err(error) => return (all, Some(error)),
            }
        }
    }
    (all, None)
}

fn request_of(incoming: &Incoming) -> Option<&Request> {
    match incoming {
        Incoming::Request(request) => Some(request),
        Incoming::Interleaved { .. } | Incoming::Response => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtsp_corpus() {
        eyelid_replay::replay("rtsp", rtsp);
    }
}
