//! Streams that are made to fit their clients' links. A client that reads slowly is a slow link.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Producer, Server, ask, eventually, slots};
use eyelid_slot::Rendition;
use tempfile::TempDir;

/// Larger than what the client's buffers take at once.
const FRAME_BYTES: usize = 600_000;

const OFFERED: [Rendition; 3] = [Rendition::Low, Rendition::Half, Rendition::Quarter];

/// A client that reads as fast as it can, or 1.6 MB a second: fewer than 3 frames.
struct Client {
    is_slow: Arc<AtomicBool>,
}

impl Client {
    fn new(server: &Server, path: &str) -> Self {
        let mut socket = server.connect();
        ask(&mut socket, path, "");
        let is_slow = Arc::new(AtomicBool::new(true));
        let slow = is_slow.clone();
        std::thread::spawn(move || read(socket, &slow));
        Self { is_slow }
    }
}

fn read(mut socket: TcpStream, is_slow: &AtomicBool) {
    let mut buffer = [0; 32_000];
    // Until the server ends.
    while socket.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {
        if is_slow.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(arguments: &[&str]) -> (TempDir, Server, Producer) {
    let slots = slots();
    let server = Server::start(slots.path(), arguments);
    let interval = Duration::from_millis(40);
    let producer = Producer::offering(slots.path(), interval, FRAME_BYTES, &OFFERED);
    (slots, server, producer)
}

/// What `/status` says of the client that came last.
fn client(server: &Server) -> serde_json::Value {
    let status = server.get("/status").json();
    let clients = status["clients"].as_array().unwrap();
    clients.last().cloned().unwrap_or_default()
}

#[test]
fn a_client_that_is_too_slow_gets_smaller_pictures() {
    let (_slots, server, _producer) = start(&[]);
    let _reader = Client::new(&server, "/stream?adapt=smooth");
    eventually("a smaller size", || {
        let client = client(&server);
        client["rendition"] == "half" || client["rendition"] == "quarter"
    });
    let reduced = client(&server);
    assert_eq!(reduced["adapt"], "smooth");
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("eyelid_adapted_clients{"));
    assert!(line.unwrap().ends_with(" 1"), "{metrics}");
}

#[test]
fn who_may_see_no_change_of_size_gets_fewer_bytes_at_most_and_all_again_when_quick() {
    let (_slots, server, _producer) = start(&["--adapt", "sharp"]);
    let reader = Client::new(&server, "/stream");
    eventually("fewer bytes", || client(&server)["rendition"] == "low");
    let reduced = client(&server);
    assert_eq!(
        (&reduced["adapt"], &reduced["reason"]),
        (&"sharp".into(), &"slow-link".into())
    );
    reader.is_slow.store(false, Ordering::Release);
    eventually("the frame again", || {
        client(&server)["rendition"] == "current"
    });
}

#[test]
fn without_adapt_a_stream_stays_as_it_is_and_says_nothing() {
    let (_slots, server, _producer) = start(&["--adapt", "smooth"]);
    for path in ["/stream?adapt=off", "/stream?size=half"] {
        let _reader = Client::new(&server, path);
        eventually("frames", || {
            client(&server)["frames_sent"].as_u64() >= Some(5)
        });
        let plain = client(&server);
        assert_eq!(plain["adapt"], serde_json::Value::Null, "{path}");
        let shown = if path.ends_with("half") {
            "half"
        } else {
            "current"
        };
        assert_eq!(plain["rendition"], shown, "{path}");
    }
    let mut plain = server.stream("/stream?adapt=off");
    assert_eq!(plain.frame().header("X-Rendition"), None);
    let mut adapted = server.stream("/stream");
    assert_eq!(adapted.frame().header("X-Rendition"), Some("current"));
    assert_eq!(server.get("/stream?adapt=fast").status(), 400);
}
