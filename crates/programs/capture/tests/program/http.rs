//! `http`: other servers, however they behave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eyelid_slot::Phase;
use nix::sys::signal::Signal;

use crate::harness::{Capture, directory, eventually, jpeg, run, shows};

/// One connection of a server, after the head of a request.
struct Visitor {
    stream: TcpStream,
    /// The head, as it was sent.
    head: String,
    /// How many requests came before.
    number: usize,
}

impl Visitor {
    fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    fn answer(&mut self, status: &str, head: &str, body: &[u8]) -> bool {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n\r\n");
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Sends parts for as long as they are taken.
    fn stream(&mut self, head: &str, part: impl Fn(usize) -> Vec<u8>) {
        let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
        self.send(head.as_bytes());
        for number in 0.. {
            if !self.send(&part(number)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A server of one's own; what it was asked is kept.
struct Server {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    /// How many connections are open.
    open: Arc<Mutex<usize>>,
}

impl Server {
    fn start(visit: impl Fn(&mut Visitor) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, open) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Mutex<usize>>::default(),
        );
        let (visit, kept, count) = (Arc::new(visit), Arc::clone(&heads), Arc::clone(&open));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (visit, kept, count) = (visit.clone(), kept.clone(), Arc::clone(&count));
                std::thread::spawn(move || {
                    *count.lock().unwrap() += 1;
                    serve(stream.unwrap(), &*visit, &kept);
                    *count.lock().unwrap() -= 1;
                });
            }
        });
        Self { port, heads, open }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Reads requests of one connection, and has them answered.
fn serve(
    stream: TcpStream,
    visit: &(dyn Fn(&mut Visitor) + Send + Sync),
    kept: &Mutex<Vec<String>>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(lines.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let number = {
            let mut kept = kept.lock().unwrap();
            kept.push(head.clone());
            kept.len() - 1
        };
        let stream = stream.try_clone().unwrap();
        let mut visitor = Visitor {
            stream,
            head,
            number,
        };
        visit(&mut visitor);
    }
}

const MULTIPART: &str =
    "Content-Type: multipart/x-mixed-replace;boundary=b\r\nConnection: close\r\n";

fn part(grey: u8) -> Vec<u8> {
    let jpeg = jpeg(64, 48, grey);
    let head = format!(
        "--b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        jpeg.len()
    );
    [head.as_bytes(), &jpeg, b"\r\n"].concat()
}

#[test]
fn streams_are_read_however_they_are_written() {
    let with = |head: &'static str, before: &'static str, after: &'static str| {
        let server = Server::start(move |visitor| {
            visitor.stream(head, |_| {
                [before.as_bytes(), &jpeg(64, 48, 90), after.as_bytes()].concat()
            });
        });
        let capture = Capture::start(&server.url("/stream"), &[]);
        capture.frame_where("the picture", |frame| shows(frame, 90));
        capture.next_frame(capture.captured().unwrap());
    };
    // No length; a quoted boundary, and one with its dashes; line feeds alone; none of it.
    with(MULTIPART, "--b\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n");
    with(
        "Content-Type: multipart/x-mixed-replace; boundary=\"--b c\"\r\n",
        "----b c\r\nContent-Length: 3\r\n\r\n",
        "",
    );
    with(
        "Content-Type: multipart/x-mixed-replace\r\n",
        "\n--x\nContent-type:image/jpeg\n\n",
        "\n",
    );
    with("Content-Type: application/octet-stream\r\n", "", "");
    with("", "noise \u{0}", "");
}

#[test]
fn chunks_need_not_be_parts() {
    let server = Server::start(|visitor| {
        let whole = part(120);
        visitor.send(
            format!("HTTP/1.1 200 OK\r\n{MULTIPART}Transfer-Encoding: chunked\r\n\r\n").as_bytes(),
        );
        let stream: Vec<u8> = whole
            .iter()
            .copied()
            .cycle()
            .take(whole.len() * 50)
            .collect();
        for chunk in stream.chunks(97) {
            let head = format!("{:x}\r\n", chunk.len());
            if !visitor.send(&[head.as_bytes(), chunk, b"\r\n"].concat()) {
                return;
            }
        }
        std::thread::sleep(Duration::from_secs(100));
    });
    let capture = Capture::start(&server.url("/stream"), &[]);
    capture.frame_where("the picture", |frame| shows(frame, 120));
}

#[test]
fn nobody_is_asked_until_somebody_looks_nor_when_nobody_does() {
    let server = Server::start(|visitor| visitor.stream(MULTIPART, |_| part(50)));
    let capture = Capture::start(&server.url("/secret/stream"), &["--linger", "300ms"]);
    capture.frame_where("the picture", |frame| shows(frame, 50));
    let state = capture.wait_size();
    let source = format!("http://127.0.0.1:{}", server.port);
    assert_eq!(state.source, Some(source), "no path in public");
    capture.wait_phase(Phase::Asleep);
    eventually("the end of the connection", || {
        (*server.open.lock().unwrap() == 0).then_some(())
    });
    let asked = server.heads().len();
    capture.wait_silence();
    assert_eq!(server.heads().len(), asked);
    assert!(!capture.log().contains("secret"), "{}", capture.log());
    capture.next_frame(capture.captured().unwrap());
    assert!(server.heads().len() > asked);
}

#[test]
fn single_pictures_are_asked_for_by_one_connection() {
    let server = Server::start(|visitor| {
        let grey = if visitor.number < 3 { 40 } else { 200 };
        visitor.answer(
            "200 OK",
            "Content-Type: image/jpeg\r\n",
            &jpeg(64, 48, grey),
        );
    });
    let capture = Capture::start(&server.url("/snapshot"), &["--fps", "50"]);
    capture.frame_where("the later picture", |frame| shows(frame, 200));
    eventually("more requests", || {
        (server.heads().len() > 10).then_some(())
    });
    assert_eq!(*server.open.lock().unwrap(), 1, "one connection");
}

#[test]
fn beside_a_page_the_stream_is_found() {
    for stream in ["/door/stream", "/door/?action=stream"] {
        let server = Server::start(move |visitor| match visitor.path() {
            "/door" => {
                visitor.answer("308 Permanent Redirect", "Location: /door/\r\n", b"");
            }
            "/door/" => {
                visitor.answer(
                    "200 OK",
                    "Content-Type: text/html\r\n",
                    b"<title>Door</title>",
                );
            }
            path if path == stream => visitor.stream(MULTIPART, |_| part(77)),
            _ => {
                visitor.answer("404 Not Found", "", b"");
            }
        });
        let capture = Capture::start(&server.url("/door"), &[]);
        capture.frame_where("the picture", |frame| shows(frame, 77));
        capture.wait_log("answers with a page: its ");
    }
}

#[test]
fn what_the_other_side_says_is_told() {
    type Answer = (&'static str, &'static str, &'static [u8]);
    let cases: [(Answer, &str); 7] = [
        (
            (
                "404 Not Found",
                "Content-Type: text/plain\r\n",
                b"no camera \"x\"\nat all",
            ),
            "answered 404 Not Found: \"no camera \\\"x\\\"\"",
        ),
        (
            (
                "503 Service Unavailable",
                "Content-Type: application/json\r\n",
                b"{\"error\":\"lens cap\"}",
            ),
            "answered 503 Service Unavailable: \"lens cap\"",
        ),
        (
            ("200 OK", "Content-Type: application/json\r\n", b"{}"),
            "answered with application/json, not with JPEGs",
        ),
        (
            (
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"x\"\r\n",
                b"",
            ),
            "asks for a user and password: give login-file",
        ),
        (
            ("200 OK", "Content-Type: text/html\r\n", b"<html>"),
            "has no stream below it",
        ),
        (
            ("302 Found", "Location: /again\r\n", b""),
            "redirects more than 5 times",
        ),
        (
            (
                "200 OK",
                "Content-Type: multipart/x-mixed-replace\r\n",
                b"hello\r\n",
            ),
            "ended its answer: it sends text, not JPEGs",
        ),
    ];
    for ((status, head, body), words) in cases {
        let server = Server::start(move |visitor| {
            visitor.answer(status, head, body);
        });
        let capture = Capture::start(&server.url("/secret"), &[]);
        let state = capture.wait_phase(Phase::Failed);
        let error = state.error.unwrap();
        assert!(
            error.starts_with(&format!("http://127.0.0.1:{}: ", server.port)),
            "{error}"
        );
        assert!(
            error.contains(words) && !error.contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn nobody_there_is_said_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let capture = Capture::start(&format!("http://127.0.0.1:{port}/"), &[]);
    let error = capture.wait_phase(Phase::Failed).error.unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // An answer before the request is none.
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        let head = format!("HTTP/1.1 200 OK\r\n{MULTIPART}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        while stream.write_all(&part(60)).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    capture.frame_where("the picture", |frame| shows(frame, 60));
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    let server = Server::start(|visitor| {
        visitor.answer("503 Service Unavailable", "Retry-After: 100\r\n", b"busy\n");
    });
    let capture = Capture::start(&server.url("/"), &[]);
    // The camera is tried again, and says the same without having asked.
    let retry = |after: u64| {
        eventually("another try", || {
            let _ = eyelid_slot::Reader::new(&capture.slot).wish();
            capture
                .state()?
                .retry
                .filter(|retry| *retry > UNIX_EPOCH + Duration::from_millis(after))
        })
    };
    let first = retry(0);
    let after = first.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    retry(after);
    assert_eq!(server.heads().len(), 1);
    let error = capture.wait_phase(Phase::Failed).error.unwrap();
    assert!(error.contains("503") && error.contains("busy"), "{error}");
}

#[test]
fn a_camera_that_breaks_off_is_taken_up_again() {
    let server = Server::start(|visitor| {
        let grey = if visitor.number == 0 { 30 } else { 160 };
        let head = format!("HTTP/1.1 200 OK\r\n{MULTIPART}\r\n");
        visitor.send(&[head.as_bytes(), &part(grey), &part(grey)[..400]].concat());
        if visitor.number == 0 {
            visitor.stream.shutdown(std::net::Shutdown::Both).unwrap();
        } else {
            visitor.stream("", |_| part(160));
        }
    });
    let capture = Capture::start(&server.url("/"), &[]);
    capture.frame_where("the picture after that", |frame| shows(frame, 160));
    assert!(capture.log().contains("ended"), "{}", capture.log());
}

#[test]
fn the_card_of_another_eyelid_is_no_frame() {
    let server = Server::start(|visitor| {
        visitor.stream(MULTIPART, |_| {
            let head = b"--b\r\nX-Timestamp: 1.5\r\nX-Eyelid-Signal: none\r\n\r\n";
            [&head[..], &jpeg(64, 48, 9)].concat()
        });
    });
    let capture = Capture::start(&server.url("/"), &[]);
    capture.wait_waiting("has no picture of its camera");
    assert!(capture.captured().is_none());
}

#[test]
fn the_moment_of_capture_is_the_other_sides_where_that_can_be() {
    let start = SystemTime::now();
    let since_1970 = |moment: SystemTime| moment.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    for (ahead_s, told_s) in [(0.0, 0.2), (-3600.0, 0.2), (3600.0, 0.2), (-1e9, 0.2)] {
        let server = Server::start(move |visitor| {
            visitor.stream(MULTIPART, |_| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let told = now.as_secs_f64() + ahead_s - told_s;
                let head = format!("--b\r\nX-Timestamp: {told:.6}\r\n\r\n");
                [head.as_bytes(), &jpeg(64, 48, 90)].concat()
            });
        });
        let capture = Capture::start(&server.url("/"), &[]);
        capture.frame_where("the picture", |frame| shows(frame, 90));
        let captured = capture.captured().unwrap();
        let now = SystemTime::now();
        assert!(captured <= now && since_1970(captured) >= since_1970(start) - told_s);
        if ahead_s == 0.0 {
            // As it was told, to the microsecond: only the other side knows of these 0.2 s.
            let age = now.duration_since(captured).unwrap();
            assert!(age >= Duration::from_millis(200), "{age:?}");
        }
    }
}

#[test]
fn a_server_may_ask_who_is_there() {
    for (challenge, said) in [
        ("Basic realm=\"cam\"", "Basic dXNlcjpwYXNzOndvcmQ="),
        (
            "Digest realm=\"cam\", nonce=\"4f\", qop=\"auth\", algorithm=SHA-256",
            "Digest username=\"user\", realm=\"cam\", nonce=\"4f\", uri=\"/stream?x\"",
        ),
    ] {
        let server = Server::start(move |visitor| {
            let authorization = visitor.head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("authorization")
                    .then(|| value.to_owned())
            });
            if authorization.is_some_and(|value| value.starts_with(said)) {
                visitor.stream(MULTIPART, |_| part(66));
            } else {
                let head = format!("WWW-Authenticate: {challenge}\r\n");
                visitor.answer("401 Unauthorized", &head, b"who are you?");
            }
        });
        let home = directory();
        let file = home.path().join("login");
        std::fs::write(&file, "user:pass:word\n").unwrap();
        let file = file.to_str().unwrap();
        let mut capture = Capture::start(&server.url("/stream?x"), &["--login-file", file]);
        capture.frame_where("the picture", |frame| shows(frame, 66));
        assert!(
            !server.heads()[0].to_lowercase().contains("authorization"),
            "not before it asks"
        );
        capture.stop(Signal::SIGTERM);
        assert!(!capture.log().contains("pass"), "{}", capture.log());
        std::fs::write(file, "other:word\n").unwrap();
        let capture = Capture::start(&server.url("/stream?x"), &["--login-file", file]);
        let error = capture.wait_phase(Phase::Failed).error.unwrap();
        assert!(error.contains("refuses the user and password"), "{error}");
        assert!(error.contains("who are you?"), "{error}");
    }
}

#[test]
fn a_login_goes_to_no_other_server() {
    let other = Server::start(|visitor| {
        visitor.answer(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"x\"\r\n",
            b"",
        );
    });
    let to = other.url("/elsewhere");
    let server = Server::start(move |visitor| {
        if visitor.head.contains("Basic ") {
            let head = format!("Location: {to}\r\n");
            visitor.answer("302 Found", &head, b"");
        } else {
            visitor.answer(
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"x\"\r\n",
                b"",
            );
        }
    });
    let home = directory();
    let file = home.path().join("login");
    std::fs::write(&file, "user:password").unwrap();
    let capture = Capture::start(&server.url("/"), &["--login-file", file.to_str().unwrap()]);
    let error = capture.wait_phase(Phase::Failed).error.unwrap();
    assert!(error.contains("alone is told"), "{error}");
    let heads = other.heads();
    assert!(
        !heads.is_empty() && heads.iter().all(|head| !head.contains("Basic")),
        "{heads:?}"
    );
}

#[test]
fn what_cannot_be_used_is_said_at_once() {
    let home = directory();
    let slot = home.path().join("slot");
    let slot = ["--slot", slot.to_str().unwrap(), "--source"];
    for (arguments, words) in [
        (&["http://h:99999/"][..], "the URL must be http://HOST:PORT"),
        (
            &["http://h/", "--login-file", "/nowhere"],
            "login file \"/nowhere\"",
        ),
        (
            &["https://h/", "--ca-file", "/nowhere"],
            "CA file \"/nowhere\"",
        ),
        (
            &["http://h/", "--ca-file", "/nowhere"],
            "--ca-file: is for https",
        ),
        (
            &["test", "--login-file", "/nowhere"],
            "--login-file: works with source http://",
        ),
    ] {
        let (code, said) = run(&[&slot[..], arguments].concat());
        assert!(matches!(code, 2 | 78), "{code}: {said}");
        assert!(said.contains(words), "{said}");
    }
    let file = home.path().join("eyelid.toml");
    for (keys, words) in [
        ("source = \"http://user:secret@h/\"", "without a user and"),
        (
            "source = \"http://h/\"\nlogin = \"secret\"",
            "USER:PASSWORD",
        ),
    ] {
        std::fs::write(&file, format!("[cameras.default]\n{keys}\n")).unwrap();
        let (code, said) = run(&[&slot[..2], &["--config", file.to_str().unwrap()]].concat());
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(words) && !said.contains("secret"), "{said}");
    }
}
