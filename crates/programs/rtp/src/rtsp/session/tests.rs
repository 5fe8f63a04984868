//! The session on requests as clients send them.

use super::*;
use crate::rtsp::reader::{Incoming, Reader};
use eyelid_config::RtpSize;
use std::path::Path;

const UDP: &str = "Transport: RTP/AVP/UDP;unicast;client_port=5000-5001\r\n";
const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
const TIMEOUT: Duration = Duration::from_secs(60);
const SIDE: ServerSide = ServerSide::Udp {
    rtp_port: 40000,
    rtcp_port: 40001,
};

fn session() -> Session {
    let address = "192.0.2.1".parse().ok();
    Session::new("ID".to_owned(), None, address, TIMEOUT)
}

fn request(line: &str, headers: &str) -> Request {
    let text = format!("{line} RTSP/1.0\r\nCSeq: 7\r\n{headers}\r\n");
    let mut reader = Reader::default();
    reader.push(text.as_bytes());
    match reader.next() {
        Ok(Some(Incoming::Request(request))) => request,
        other => panic!("{other:?} of {text}"),
    }
}

/// What a request comes to, in a session of no multicast.
fn step(session: &mut Session, line: &str, headers: &str) -> Step {
    session.on_request(&request(line, headers), Instant::now(), |_| false)
}

fn status(step: Step) -> Status {
    match step {
        Step::Respond(response)
        | Step::RespondToDialect(response)
        | Step::Pause(response)
        | Step::TearDown(response) => response.status,
        other => panic!("{other:?}"),
    }
}

fn set_up(session: &mut Session, line: &str, headers: &str) -> Response {
    match step(session, line, headers) {
        Step::SetUp(set_up) => session.set_up(&request(line, headers), set_up, SIDE, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_player_goes_from_options_to_teardown() {
    let mut session = session();
    let Step::Respond(options) = step(&mut session, "OPTIONS rtsp://h/door", "") else {
        panic!("no answer");
    };
    assert!(
        options
            .header("Public")
            .unwrap()
            .starts_with("OPTIONS, DESCRIBE, SETUP")
    );
    assert_eq!(options.header("CSeq"), Some("7"));

    let describe = "DESCRIBE rtsp://h/door?size=half";
    let Step::Describe(target) = step(&mut session, describe, "Accept: application/sdp\r\n") else {
        panic!("nothing described");
    };
    assert_eq!(
        (target.camera.as_str(), target.size),
        ("door", RtpSize::Half)
    );
    let described = session.described(&request(describe, ""), |control| {
        assert_eq!(control, "track=0?size=half");
        "v=0\r\n".to_owned()
    });
    assert_eq!(described.header("Content-Base"), Some("rtsp://h/door/"));
    assert_eq!(described.header("Session"), None);

    let line = "SETUP rtsp://h/door/track=0?size=half";
    let response = set_up(&mut session, line, UDP);
    assert_eq!(response.header("Session"), Some("ID;timeout=60"));
    assert_eq!(
        response.header("Transport"),
        Some("RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=40000-40001;ssrc=00000001")
    );
    assert_eq!(session.timeout(), Some(Duration::from_secs(75)));

    let line = "PLAY rtsp://h/door/";
    let headers = "Session: ID\r\nRange: npt=0.000-\r\n";
    assert_eq!(step(&mut session, line, headers), Step::Play);
    let response = session.playing(&request(line, headers), 17, 90_000);
    assert_eq!(response.header("Range"), Some("npt=now-"));
    assert_eq!(
        response.header("RTP-Info"),
        Some("url=rtsp://h/door/track=0?size=half;seq=17;rtptime=90000")
    );
    assert_eq!(
        status(step(
            &mut session,
            "GET_PARAMETER rtsp://h/door/",
            "Session: ID\r\n"
        )),
        Status::Ok
    );

    let paused = step(&mut session, "PAUSE rtsp://h/door/", "Session: ID\r\n");
    assert!(matches!(paused, Step::Pause(_)));
    assert_eq!(
        step(&mut session, "PLAY rtsp://h/door/", "Session: ID\r\n"),
        Step::Play
    );

    let ended = step(&mut session, "TEARDOWN rtsp://h/door/", "Session: ID\r\n");
    assert!(matches!(ended, Step::TearDown(_)));
    assert_eq!(session.current(), None);
    let again = step(&mut session, "PLAY rtsp://h/door/", "Session: ID\r\n");
    assert_eq!(status(again), Status::SessionNotFound);
    // A client that plays again on the same connection has the same session.
    set_up(&mut session, "SETUP rtsp://h/door/track=0", TCP);
}

#[test]
fn what_cannot_be_done_has_the_status_by_which_clients_go_on() {
    let mut session = session();
    for (line, headers, expected) in [
        ("PLAY rtsp://h/door", "", Status::MethodNotValidInThisState),
        (
            "PLAY rtsp://h/door",
            "Session: ID\r\n",
            Status::SessionNotFound,
        ),
        (
            "PLAY rtsp://h/door",
            "Session: X\r\n",
            Status::SessionNotFound,
        ),
        ("PAUSE rtsp://h/door", "", Status::MethodNotValidInThisState),
        ("TEARDOWN rtsp://h/door", "", Status::SessionNotFound),
        ("SETUP rtsp://h/door/track=0", "", Status::BadRequest),
        ("DESCRIBE rtsp://h/a/b", "", Status::NotFound),
        ("DESCRIBE http://h/a", "", Status::BadRequest),
        (
            "DESCRIBE rtsp://h/a",
            "Accept: text/html\r\n",
            Status::NotAcceptable,
        ),
        (
            "DESCRIBE rtsp://h/a",
            "Require: onvif\r\n",
            Status::OptionNotSupported,
        ),
        ("ANNOUNCE rtsp://h/a", "", Status::NotImplemented),
        ("RECORD rtsp://h/a", "", Status::NotImplemented),
        // rtspsrc asks for multicast third, and gives up at any other status.
        (
            "SETUP rtsp://h/door/track=0",
            "Transport: RTP/AVP;multicast\r\n",
            Status::UnsupportedTransport,
        ),
        (
            "SETUP rtsp://h/door/track=0",
            "Transport: RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.9\r\n",
            Status::UnsupportedTransport,
        ),
    ] {
        let what = format!("{line}, {headers}");
        assert_eq!(
            status(step(&mut session, line, headers)),
            expected,
            "{what}"
        );
    }
    let mut nameless = request("OPTIONS *", "");
    nameless.headers.clear();
    let refused = session.on_request(&nameless, Instant::now(), |_| false);
    assert_eq!(status(refused), Status::BadRequest);
}

#[test]
fn a_session_has_one_camera_and_may_change_its_transport_until_it_plays() {
    let mut session = session();
    let line = "SETUP rtsp://h/door/track=0";
    set_up(&mut session, line, UDP);
    let other = step(&mut session, "SETUP rtsp://h/bed/track=0", UDP);
    assert_eq!(status(other), Status::AggregateOperationNotAllowed);
    set_up(&mut session, line, TCP);
    session.playing(&request("PLAY rtsp://h/door/", ""), 0, 0);
    let late = step(&mut session, line, UDP);
    assert_eq!(status(late), Status::MethodNotValidInThisState);
}

#[test]
fn a_session_answers_for_its_own_camera_only() {
    let mut session = session();
    set_up(&mut session, "SETUP rtsp://h/door/track=0", UDP);
    session.playing(&request("PLAY rtsp://h/door/", ""), 0, 0);
    for method in ["PLAY", "PAUSE", "TEARDOWN"] {
        for (url, expected) in [
            ("*", Status::BadRequest),
            ("rtsp://h/door/a", Status::NotFound),
            ("rtsp://h/door?size=huge", Status::NotFound),
        ] {
            let line = format!("{method} {url}");
            assert_eq!(status(step(&mut session, &line, "")), expected, "{line}");
        }
        let line = format!("{method} rtsp://h/bed");
        let elsewhere = step(&mut session, &line, "Session: ID\r\n");
        assert_eq!(elsewhere, Step::Elsewhere("bed".parse().unwrap()), "{line}");
        let expected = match method {
            "TEARDOWN" => Status::SessionNotFound,
            _ => Status::MethodNotValidInThisState,
        };
        let refused = session.nothing_set_up(&request(&line, ""));
        assert_eq!(refused.status, expected, "{line}");
        assert!(session.is_playing(), "{line}");
    }
    let paused = step(&mut session, "PAUSE rtsp://other:1/door/trackID=0", "");
    assert_eq!(status(paused), Status::Ok);
    assert_eq!(step(&mut session, "PLAY rtsp://h/door", ""), Step::Play);
}

#[test]
fn sat_ip_is_told_that_there_is_none() {
    let mut session = session();
    let vlc = "Transport: RTP/AVP;unicast;client_port=5000-5001\r\nUser-Agent: LibVLC/3.0.24\r\n";
    let refused = step(&mut session, "SETUP rtsp://h/door", vlc);
    assert!(matches!(&refused, Step::RespondToDialect(_)), "{refused:?}");
    assert_eq!(status(refused), Status::MethodNotValidInThisState);
    assert_eq!(
        status(step(&mut session, "PLAY rtsp://h/stream=0", "")),
        Status::MethodNotValidInThisState
    );
    // One that has read the description may mean all of it.
    let describe = "DESCRIBE rtsp://h/door";
    session.described(&request(describe, ""), |_| String::new());
    set_up(&mut session, "SETUP rtsp://h/door", UDP);
}

#[test]
fn who_gets_packets_on_the_connection_has_a_timeout_until_it_plays() {
    let mut session = session();
    assert_eq!(session.timeout(), Some(TIMEOUT));
    set_up(&mut session, "SETUP rtsp://h/track=0", TCP);
    assert_eq!(session.timeout(), Some(Duration::from_secs(75)));
    session.playing(&request("PLAY rtsp://h/", ""), 1, 1);
    assert_eq!(session.timeout(), None);
    step(&mut session, "PAUSE rtsp://h/", "");
    assert_eq!(session.timeout(), Some(Duration::from_secs(75)));
}

#[test]
fn all_but_options_needs_the_password_where_there_is_one() {
    let mut session = session();
    assert!(matches!(
        step(&mut session, "DESCRIBE rtsp://h/", ""),
        Step::Describe(_)
    ));
    // Those that are there when a password is set are asked, too.
    session.set_users(users());
    assert_eq!(status(step(&mut session, "OPTIONS *", "")), Status::Ok);
    for line in [
        "DESCRIBE rtsp://h/",
        "PLAY rtsp://h/",
        "GET_PARAMETER rtsp://h/",
    ] {
        assert_eq!(
            step(&mut session, line, ""),
            Step::Challenge(Unauthorized::Missing)
        );
        let now = Instant::now();
        let response = session.challenge(
            &request(line, ""),
            Unauthorized::Missing,
            "n1".to_owned(),
            now,
        );
        assert_eq!(response.status, Status::Unauthorized);
        let challenge = "Digest realm=\"Eyelid\", nonce=\"n1\", algorithm=MD5";
        assert_eq!(response.header("WWW-Authenticate"), Some(challenge));
        let guess = step(&mut session, line, "Authorization: Basic YTpi\r\n");
        assert_eq!(guess, Step::Challenge(Unauthorized::Wrong));
    }
}

#[test]
fn a_nonce_is_good_for_five_timeouts() {
    let mut session = session();
    session.set_users(users());
    let describe = "DESCRIBE rtsp://h/";
    let start = Instant::now();
    session.challenge(
        &request(describe, ""),
        Unauthorized::Missing,
        "n1".to_owned(),
        start,
    );
    // printf %s DESCRIBE:rtsp://h/ | md5sum; printf %s 0{32}:n1:THAT | md5sum
    let header = "Authorization: Digest username=\"anna\", realm=\"Eyelid\", nonce=\"n1\", \
        uri=\"rtsp://h/\", response=\"e2bb1f41e0a76053453384da2586f4c4\"\r\n";
    let mut at = |seconds| {
        let now = start + Duration::from_secs(seconds);
        session.on_request(&request(describe, header), now, |_| false)
    };
    assert!(matches!(at(299), Step::Describe(_)), "{:?}", at(299));
    assert_eq!(at(300), Step::Challenge(Unauthorized::Stale));
}

fn users() -> Option<Rc<Users>> {
    let anna = format!("anna:Eyelid:{}\n", "0".repeat(32));
    Users::parse(&anna, Path::new("f")).ok().map(Rc::new)
}

#[test]
fn a_session_may_stay_as_long_as_its_user() {
    // `printf %s anna:Eyelid:secret | md5sum`
    let anna = "anna:Eyelid:32eefc8cc278024d896ac7dade6083b0\n";
    let file = |text: &str| Users::parse(text, Path::new("f")).ok().map(Rc::new);
    let of_file = |users: Option<Rc<Users>>, headers: &str| {
        let mut session = session();
        session.set_users(users.clone());
        assert!(session.may_stay(users.as_deref()), "nothing is set up");
        set_up(
            &mut session,
            "SETUP rtsp://h/door/track=0",
            &format!("{TCP}{headers}"),
        );
        session
    };
    let others = file(&format!("ben{}", &anna[4..]));
    let of_anna = of_file(file(anna), "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n");
    assert!(of_anna.may_stay(file(anna).as_deref()));
    assert!(of_anna.may_stay(file(&format!("ben:Eyelid:{}\n{anna}", "0".repeat(32))).as_deref()));
    assert!(of_anna.may_stay(None), "everybody may look");
    assert!(!of_anna.may_stay(others.as_deref()));
    assert!(
        !of_anna.may_stay(users().as_deref()),
        "the password is another"
    );
    // One that began when everybody might.
    assert!(!of_file(None, "").may_stay(others.as_deref()));
}

/// What a player does, and a word each 30 s, for 20 minutes without a picture: it is there, and
/// plays on. What ends it is silence alone, which is shorter than that.
#[test]
fn plays_after_20_idle_minutes_in_which_it_says_a_word_now_and_then() {
    let (start, word) = (Instant::now(), Duration::from_secs(30));
    let idle = Duration::from_secs(20 * 60);
    let mut session = session();
    set_up(&mut session, "SETUP rtsp://h/door/track=0", TCP);
    let line = "PLAY rtsp://h/door/";
    let at = |session: &mut Session, line: &str, now| {
        session.on_request(&request(line, "Session: ID\r\n"), now, |_| false)
    };
    assert_eq!(at(&mut session, line, start), Step::Play);
    session.playing(&request(line, ""), 17, 90_000);
    let paused = at(&mut session, "PAUSE rtsp://h/door/", start);
    assert!(matches!(paused, Step::Pause(_)));
    let (mut now, mut words) = (start, 0);
    while now < start + idle {
        assert!(
            session
                .timeout()
                .is_some_and(|timeout| word < timeout && timeout < idle)
        );
        now += word;
        words += 1;
        let answer = at(&mut session, "GET_PARAMETER rtsp://h/door/", now);
        assert_eq!(status(answer), Status::Ok);
        assert!(!session.is_playing() && session.current().is_some());
    }
    assert_eq!(words, 40);
    assert_eq!(at(&mut session, line, now), Step::Play);
    let played = session.playing(&request(line, ""), 18, 90_000);
    assert_eq!(played.header("Session"), Some("ID;timeout=60"));
}
