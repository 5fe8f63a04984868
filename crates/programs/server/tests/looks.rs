//! Who looks, in the log, in `/status` and in `/metrics`. That looks end by themselves is in
//! `tests/sockets`, where there is time for it; what ends here ends with the server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::time::Duration;

use common::{Producer, Server, Stream, eventually, slots};
use nix::sys::signal::Signal;
use serde_json::json;

const INTERVAL: Duration = Duration::from_millis(20);

/// `anna:secret`.
const ANNA: &str = "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n";

const FORWARDED: &str = "X-Forwarded-For: 192.0.2.7\r\n";

const PLAIN: &str = r#"info: 127.0.0.1 looks at camera "default" by MJPEG"#;

/// The lines about looks.
fn looks(log: &str) -> Vec<&str> {
    let lines = log.lines();
    lines.filter(|line| line.contains(" look")).collect()
}

/// How many frames and bytes a line says that a look came to.
fn sums(line: &str) -> (u64, u64) {
    let words: Vec<_> = line.split_whitespace().collect();
    let before = |what: &str| {
        let place = words.iter().position(|word| word.starts_with(what));
        words[place.expect(what) - 1].parse().unwrap()
    };
    (before("frame"), before("bytes"))
}

#[test]
fn a_stream_is_told_of_with_its_first_frame_and_with_its_end() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "200ms"]);
    let mut stream = server.stream("/stream");
    assert!(!stream.part().is_frame(), "there is no camera yet");
    assert_eq!(server.log(), "", "a card is nothing that anybody looks at");
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let mut second = server.stream("/stream");
    (0..10).for_each(|_| drop(stream.frame()));
    second.frame();
    drop(second);
    assert_eq!(server.get("/snapshot").status(), 200);
    eventually("the line about it", || looks(&server.log()).len() == 1);
    assert!(server.log().contains(PLAIN), "{}", server.log());
    let look = json!({
        "camera": "default", "user": null, "address": "127.0.0.1", "proxy": null,
        "way": "stream", "clients": 1,
    });
    // The second client may not have left yet.
    eventually("the look of one client", || {
        let mut looks = server.get("/status").json()["looks"].clone();
        assert!(looks[0]["began_s"].is_u64());
        looks[0].as_object_mut().unwrap().remove("began_s");
        looks == json!([look])
    });
    let told = server.get("/status").json();
    assert_eq!(told["cameras"][0]["looks"], 1);
    assert_eq!(told["clients"][0]["user"], json!(null));
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = "eyelid_looks_total{camera=\"default\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    let log = server.log_to_its_end();
    let looks = looks(&log);
    let [_, ended] = looks[..] else {
        panic!("{log}");
    };
    let words = r#"info: 127.0.0.1 looked at camera "default" by MJPEG: "#;
    assert!(ended.contains(words), "{ended}");
    let (told, bytes) = sums(ended);
    assert!(told >= 12, "{ended}");
    assert!(bytes > told * 1000 && bytes < told * 1300, "{ended}");
}

#[test]
fn who_polls_snapshots_is_one_look_and_who_gets_none_is_no_look() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "100ms"]);
    assert_eq!(server.get("/snapshot").status(), 503);
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    for _ in 0..20 {
        eventually("a snapshot", || server.get("/snapshot").status() == 200);
    }
    assert_eq!(server.request("HEAD", "/snapshot", "").status(), 200);
    assert_eq!(server.get("/").status(), 200);
    let look = server.get("/status").json()["looks"][0].clone();
    assert_eq!(
        (&look["way"], &look["clients"]),
        (&json!("snapshot"), &json!(0))
    );
    let log = server.log_to_its_end();
    let looks = looks(&log);
    assert_eq!(looks.len(), 1, "{log}");
    let words = r#"127.0.0.1 looked at camera "default" by snapshots: 20 frames, "#;
    assert!(looks[0].contains(words), "{log}");
}

#[test]
fn users_are_told_by_name_once_they_are_let_in_and_proxies_for_whom_they_ask() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let file = slots.path().join("password");
    fs::write(&file, "anna:secret\n").unwrap();
    let server = Server::start(slots.path(), &["--password-file", file.to_str().unwrap()]);
    for wrong in ["", "Authorization: Basic YmVuOnNlY3JldA==\r\n"] {
        assert_eq!(server.request("GET", "/snapshot", wrong).status(), 401);
    }
    let headers = [ANNA, FORWARDED].concat();
    let mut stream = Stream::open_with(server.connect(), "/stream", &headers);
    stream.frame();
    let line = r#""anna" at 192.0.2.7 (through 127.0.0.1) looks at camera "default" by MJPEG"#;
    eventually("the line about it", || server.log().contains(line));
    let status = server.request("GET", "/status", ANNA).json();
    assert_eq!(status["clients"][0]["user"], "anna");
    let look = &status["looks"][0];
    assert_eq!(
        (&look["user"], &look["address"], &look["proxy"]),
        (&json!("anna"), &json!("192.0.2.7"), &json!("127.0.0.1"))
    );
    let log = server.log_to_its_end();
    assert_eq!(looks(&log).len(), 2, "{log}");
    assert!(!log.contains("ben"), "a stranger's name is nowhere: {log}");
}

#[test]
fn the_configuration_switches_the_lines_off_and_on_and_counts_go_on() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let file = slots.path().join("eyelid.toml");
    fs::write(&file, "[server]\nlog-looks = false\n").unwrap();
    let server = Server::start(slots.path(), &["--config", file.to_str().unwrap()]);
    let mut stream = server.stream("/stream");
    stream.frame();
    assert_eq!(server.get("/status").json()["cameras"][0]["looks"], 1);
    assert_eq!(server.log(), "");
    fs::write(&file, "").unwrap();
    server.signal(Signal::SIGHUP);
    eventually("a reload", || server.log().contains("read again"));
    // The end of what began unheard is told.
    let log = server.log_to_its_end();
    let looks = looks(&log);
    assert_eq!(looks.len(), 1, "{log}");
    assert!(looks[0].contains("looked at camera"), "{log}");
}
