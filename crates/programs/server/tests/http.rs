//! HTTP around the frames: headers, methods, limits, sockets, exit statuses.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{
    HUNG, Producer, Server, Stream, ask, command, eventually, exchange, numbered, slots, state,
};
use eyelid_slot::{Phase, Publisher};
use nix::sys::signal::Signal;

const INTERVAL: Duration = Duration::from_millis(20);

#[test]
fn the_viewer_page_brings_all_it_needs() {
    let slots = slots();
    fs::create_dir(slots.path().join("front")).unwrap();
    let server = Server::start(slots.path(), &[]);
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/front/", "text/html; charset=utf-8"),
        ("/viewer.js", "text/javascript; charset=utf-8"),
        ("/video.js", "text/javascript; charset=utf-8"),
        ("/viewer.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/webcam/", "text/html; charset=utf-8"),
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status(), answer.header("Content-Type")),
            (200, Some(content_type)),
            "{path}"
        );
        assert_eq!(
            answer.header("X-Content-Type-Options"),
            Some("nosniff"),
            "{path}"
        );
        let policy = answer.header("Content-Security-Policy");
        assert_eq!(
            policy.is_some_and(|p| p.contains("default-src 'none'")),
            content_type.contains("html"),
            "{path}"
        );
    }
    assert!(
        String::from_utf8(server.get("/").body)
            .unwrap()
            .contains("front/stream")
    );
}

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

#[test]
fn people_get_a_page_that_says_why_there_is_no_other() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    for (path, status, root) in [
        ("/nothing", 404, "./"),
        ("/nothing/here/at/all", 404, "./../../../"),
        ("/webcam/nothing/here", 404, "./../"),
        ("/nowhere/", 404, "./../"),
        ("/stream?fps=fast", 400, "./"),
    ] {
        let page = server.request("GET", path, BROWSER);
        assert_eq!(page.status(), status, "{path}");
        assert_eq!(
            page.header("Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert!(page.header("Content-Security-Policy").is_some(), "{path}");
        let html = String::from_utf8(page.body).unwrap();
        assert!(html.contains(&format!("href=\"{root}\"")), "{path}: {html}");
        let json = server.request("GET", path, "Accept: image/avif,*/*;q=0.8\r\n");
        assert_eq!(json.status(), status, "{path}");
        assert!(json.json()["error"].is_string(), "{path}");
    }
    let page = server.request(
        "GET",
        "/nothing",
        "Accept: text/html\r\nHost: evil.example\r\n",
    );
    assert_eq!(page.status(), 400, "two hosts");
    let address = "GET http://evil.example/<b> HTTP/1.1";
    assert!(!String::from_utf8(page.body).unwrap().contains(address));
}

#[test]
fn where_no_camera_is_the_default_one_it_says_which_there_are() {
    let slots = slots();
    let config = slots.path().join("eyelid.toml");
    fs::write(&config, "[cameras.nozzle]\n[cameras.bed]\n").unwrap();
    let server = Server::start(slots.path(), &["--config", config.to_str().unwrap()]);
    for (path, action) in [("/snapshot", "snapshot"), ("/?action=stream", "stream")] {
        let answer = server.get(path);
        assert_eq!(answer.status(), 404, "{path}");
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        let there = format!("\"nozzle\" (/nozzle/{action}), \"bed\" (/bed/{action})");
        assert!(said.contains(&there), "{said}");
    }
    let page = server.request("GET", "/snapshot", BROWSER);
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("/nozzle/snapshot"), "{html}");
    // One that comes later is found.
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    assert_eq!(server.get("/snapshot").status(), 200);
}

#[test]
fn a_camera_that_a_flag_names_is_there_before_its_slot() {
    let slots = slots();
    let config = slots.path().join("eyelid.toml");
    fs::write(&config, "[cameras.bed]\n").unwrap();
    let config = config.to_str().unwrap();
    let flags = ["--config", config, "--name", "default", "--timeout", "10ms"];
    let server = Server::start(slots.path(), &flags);
    assert_eq!(server.get("/snapshot").status(), 503);
    assert_eq!(
        server.get("/status").json()["cameras"][1]["name"],
        "default"
    );
}

#[test]
fn cameras_come_in_the_order_of_the_file_and_by_their_titles() {
    let slots = slots();
    for directory in ["attic", "status", "current.half"] {
        fs::create_dir(slots.path().join(directory)).unwrap();
    }
    let config = slots.path().join("eyelid.toml");
    let title = "Über dem <Bett> & \\\"so\\\"";
    fs::write(
        &config,
        format!("[cameras.nozzle]\n[cameras.default]\n[cameras.bed]\ntitle = \"{title}\"\n"),
    )
    .unwrap();
    let server = Server::start(slots.path(), &["--config", config.to_str().unwrap()]);
    let status = server.get("/status").json();
    let cameras = status["cameras"].as_array().unwrap();
    let names: Vec<_> = cameras.iter().map(|camera| &camera["name"]).collect();
    assert_eq!(names, ["nozzle", "default", "bed", "attic"]);
    assert_eq!(cameras[2]["title"], "Über dem <Bett> & \"so\"");
    assert_eq!(cameras[0]["title"], serde_json::Value::Null);
    let html = String::from_utf8(server.get("/").body).unwrap();
    let places: Vec<_> = [
        "nozzle",
        "Camera",
        "Über dem &lt;Bett&gt; &amp; &quot;so&quot;",
        "attic",
    ]
    .map(|label| html.find(&format!("<h2>{label}</h2>")).expect(label))
    .into();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn methods_are_answered_as_http_says() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--allow-origin", "*"]);
    let options = server.request("OPTIONS", "/snapshot", "");
    assert_eq!(
        (
            options.status(),
            options.header("Access-Control-Allow-Origin")
        ),
        (204, Some("*"))
    );
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        let answer = server.request(method, "/snapshot", "Content-Length: 0\r\n");
        assert_eq!(
            (answer.status(), answer.header("Allow")),
            (405, Some("GET, HEAD, OPTIONS")),
            "{method}"
        );
    }
    let head = server.request("HEAD", "/snapshot", "");
    assert_eq!(
        (head.status(), head.header("Content-Type"), head.body.len()),
        (200, Some("image/jpeg"), 0)
    );
    assert_eq!(
        head.header("Content-Length"),
        None,
        "the length of a frame that is not there is not known"
    );
    let head = server.request("HEAD", "/stream", "");
    assert!(
        head.header("Content-Type")
            .unwrap()
            .starts_with("multipart/x-mixed-replace")
    );
    assert_eq!(server.get("/nothing/here").status(), 404);
    assert_eq!(server.get("/stream?fps=fast").status(), 400);
}

#[test]
fn every_answer_may_be_read_by_the_origin_that_is_allowed_and_is_never_kept() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let server = Server::start(slots.path(), &["--allow-origin", "http://octopi.local"]);
    for path in [
        "/",
        "/snapshot",
        "/?action=snapshot",
        "/status",
        "/metrics",
        "/nowhere/",
        "/stream?fps=x",
    ] {
        let answer = server.get(path);
        assert_eq!(
            answer.header("Access-Control-Allow-Origin"),
            Some("http://octopi.local"),
            "{path}"
        );
        assert_eq!(answer.header("Vary"), Some("Origin"), "{path}");
        let cache = answer.header("Cache-Control").unwrap();
        assert!(
            cache.contains("no-store") && cache.contains("no-transform"),
            "{path}"
        );
    }
    assert!(
        server
            .stream("/stream")
            .head
            .contains("\r\nAccess-Control-Allow-Origin: http://octopi.local\r\n")
    );
    let closed = Server::start(slots.path(), &[]);
    assert_eq!(
        closed
            .get("/snapshot")
            .header("Access-Control-Allow-Origin"),
        None
    );
}

#[test]
fn the_status_is_as_its_schema_says() {
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../docs/status.schema.json"
    );
    let schema = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let slots = slots();
    let doors = format!("--doors={}", slots.path().join(".doors").display());
    let server = Server::start(slots.path(), &[&doors]);
    let check = |what: &str| {
        let status = server.get("/status").json();
        let errors: Vec<_> = validator
            .iter_errors(&status)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:?} in {status}");
        status
    };
    assert_eq!(check("no camera")["cameras"][0]["state"], "unknown");
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    fs::create_dir(slots.path().join("back")).unwrap();
    let mut stream = server.stream("/stream");
    (0..5).for_each(|_| drop(stream.frame()));
    let status = check("a camera and a client");
    assert_eq!(status["cameras"][0]["state"], "awake");
    assert_eq!(status["cameras"][1]["path"], "back/");
    assert_eq!(status["clients"][0]["camera"], "default");
    assert!(status["rtp"].is_null());
    let rtp = rtp_figures();
    tell(&slots.path().join(".doors/rtp"), rtp.to_string());
    let told = || server.get("/status").json()["rtp"] == rtp;
    eventually("what eyelid-rtp tells", told);
    let status = check("eyelid-rtp");
    let packets = r#"eyelid_rtp_packets_total{camera="door",to="192.0.2.7:5000"}"#;
    assert_eq!(metric(&server, packets), 70);
    for place in [
        "",
        "/rtp",
        "/rtp/destinations/0",
        "/rtp/sessions/0",
        "/rtp/session_totals/0",
    ] {
        let mut wrong = status.clone();
        wrong.pointer_mut(place).unwrap()["surprise"] = true.into();
        let can_fail = !validator.is_valid(&wrong);
        assert!(can_fail, "the schema must be able to fail at {place:?}");
    }
}

/// What `eyelid-rtp` tells that sends to one destination and has one session.
fn rtp_figures() -> serde_json::Value {
    let counts = serde_json::json!({
        "camera": "door", "frames": 7, "dropped": 1, "packets": 70, "bytes": 98000, "packets_lost": 2,
    });
    let stream = serde_json::json!({
        "transport": "udp", "size": "current", "rendition": "half", "state": "sending",
        "error": null, "since": "2026-11-29T06:00:00.000Z", "receivers": 1,
        "fraction_lost": 0.25, "jitter_ms": 1.5, "round_trip_ms": null,
    });
    let with = |more: serde_json::Value| {
        let mut all = serde_json::Map::new();
        for part in [&counts, &stream, &more] {
            all.extend(part.as_object().unwrap().clone());
        }
        all
    };
    serde_json::json!({
        "since": "2026-11-29T06:00:00.000Z",
        "destinations": [with(serde_json::json!({
            "to": "192.0.2.7:5000", "address": "192.0.2.7:5000",
        }))],
        "sessions": [with(serde_json::json!({"peer": "192.0.2.1:40000"}))],
        "session_totals": [counts],
    })
}

/// Tells this to all that ask at the socket of a directory.
fn tell(directory: &Path, figures: String) {
    fs::create_dir_all(directory).unwrap();
    let socket = UnixListener::bind(directory.join("status")).unwrap();
    std::thread::spawn(move || {
        for asking in socket.incoming() {
            let _ = asking.unwrap().write_all(figures.as_bytes());
        }
    });
}

/// Gives a counter of `/metrics`, by its name and labels.
fn metric(server: &Server, name: &str) -> usize {
    let metrics = server.get("/metrics");
    let content_type = metrics.header("Content-Type").unwrap();
    assert!(content_type.starts_with("application/openmetrics-text"));
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[test]
fn full_pictures_are_counted_as_the_camera_says() {
    let slots = slots();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    let server = Server::start(slots.path(), &[]);
    let taken = "eyelid_full_pictures_total{camera=\"default\"}";
    let mut told = state(Phase::Awake, None);
    // Its program may have started anew, and say less than before.
    for (count, kept_ms) in [(2, 1500), (3, 2250), (1, 500)] {
        let full = serde_json::json!({ "taken": count, "kept_ms": kept_ms });
        told.more.insert("full_pictures".to_owned(), full.clone());
        publisher.set_state(&told).unwrap();
        assert_eq!(
            server.get("/status").json()["cameras"][0]["full_pictures"],
            full
        );
        assert_eq!(metric(&server, taken), count);
        let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
        let seconds = f64::from(kept_ms) / 1000.0;
        let kept =
            format!("eyelid_full_pictures_kept_seconds_total{{camera=\"default\"}} {seconds}");
        assert!(metrics.lines().any(|line| line == kept), "{metrics}");
    }
    for oddity in [serde_json::json!(7), serde_json::json!({ "taken": -1 })] {
        told.more.insert("full_pictures".to_owned(), oddity);
        publisher.set_state(&told).unwrap();
        assert!(server.get("/status").json()["cameras"][0]["full_pictures"].is_null());
    }
}

#[test]
fn the_metrics_count() {
    const FRAMES: usize = 5;
    let slots = slots();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    publisher.set_state(&state(Phase::Awake, None)).unwrap();
    fs::create_dir(slots.path().join("off")).unwrap();
    let limits = [
        "--max-clients",
        "3",
        "--timeout",
        "100ms",
        "--max-age",
        "1day",
    ];
    let server = Server::start(slots.path(), &limits);
    // The second may have a frame a second, so it does not get all of them.
    let mut streams = [server.stream("/stream"), server.stream("/stream?fps=1")];
    let (mut sent, mut bytes) = (0, 0);
    let mut count = |stream: &mut Stream| {
        let part = stream.frame();
        sent += 1;
        bytes += part.head.len() + part.jpeg.len() + "\r\n--boundarydonotcross\r\n".len();
        usize::try_from(part.number()).unwrap()
    };
    for number in 1..=FRAMES {
        let jpeg = numbered(number as u64, 1000 * number);
        publisher.publish(&jpeg, SystemTime::now()).unwrap();
        while count(&mut streams[0]) < number {}
        if number == 1 {
            assert_eq!(count(&mut streams[1]), 1);
        }
    }
    while count(&mut streams[1]) < FRAMES {}
    let mut looking = server.stream("/stream");
    assert_eq!(count(&mut looking), FRAMES);
    let skipped = 2 * FRAMES + 1 - sent;
    assert!(skipped > 0, "none was skipped: nothing to count");
    assert_eq!(server.get("/snapshot").status(), 503, "a fourth client");
    drop(looking);
    let ours = r#"{camera="default"}"#;
    eventually("two clients", || {
        metric(&server, &format!("eyelid_clients{ours}")) == 2
    });
    drop(streams);
    eventually("no client", || {
        metric(&server, &format!("eyelid_clients{ours}")) == 0
    });
    assert_eq!(server.get("/off/snapshot").status(), 503);
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    assert_eq!(server.get("/snapshot").status(), 200);

    let connections = metric(&server, "eyelid_connections_total");
    assert_eq!(metric(&server, "eyelid_connections_total"), connections + 1);
    let off = r#"{camera="off"}"#;
    for (name, value) in [
        (format!("eyelid_frames_sent_total{ours}"), sent),
        (format!("eyelid_frames_skipped_total{ours}"), skipped),
        (format!("eyelid_stream_sent_bytes_total{ours}"), bytes),
        (format!("eyelid_snapshots_total{ours}"), 1),
        (format!("eyelid_snapshot_failures_total{off}"), 1),
        ("eyelid_connections_turned_away_total".to_owned(), 1),
        ("eyelid_connections_dismissed_total".to_owned(), 0),
    ] {
        assert_eq!(metric(&server, &name), value, "{name}");
    }
}

#[test]
fn a_password_keeps_strangers_out() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let file = slots.path().join("htpasswd");
    fs::write(
        &file,
        format!("anna:{}\n", bcrypt::hash("secret", 4).unwrap()),
    )
    .unwrap();
    let server = Server::start(slots.path(), &["--auth-file", file.to_str().unwrap()]);
    for path in [
        "/",
        "/snapshot",
        "/stream",
        "/status",
        "/metrics",
        "/viewer.js",
        "/nowhere/",
    ] {
        for (method, header) in [
            ("GET", ""),
            ("HEAD", ""),
            ("GET", "Authorization: Basic YW5uYTp3cm9uZw==\r\n"),
        ] {
            let answer = server.request(method, path, header);
            assert_eq!(answer.status(), 401, "{method} {path}");
            assert!(
                answer
                    .header("WWW-Authenticate")
                    .unwrap()
                    .starts_with("Basic realm=")
            );
        }
    }
    assert_eq!(server.request("OPTIONS", "/snapshot", "").status(), 204);
    for _ in 0..2 {
        let answer = server.request(
            "GET",
            "/snapshot",
            "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n",
        );
        assert_eq!(answer.status(), 200);
    }
}

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let server = Server::start(slots.path(), &["--max-clients", "2"]);
    let mut streams = [server.stream("/stream"), server.stream("/stream")];
    let refused = server.get("/snapshot");
    assert_eq!(refused.status(), 503);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("too many clients")
    );
    streams.iter_mut().for_each(|stream| drop(stream.frame()));
    drop(streams);
    eventually("room again", || server.get("/snapshot").status() == 200);
}

#[test]
fn a_header_that_is_too_long_or_no_http_is_refused() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let long = server.request("GET", "/", &format!("X-Long: {}\r\n", "x".repeat(20_000)));
    assert_eq!(long.status(), 431);
    let mut stream = server.connect();
    stream
        .write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    assert_eq!(server.get("/status").status(), 200);
}

#[test]
fn listens_on_several_sockets_of_every_kind() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let path = slots.path().join("http.sock");
    // A socket that a killed server left is no hindrance.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let unix = format!("unix:{}", path.display());
    let mut server = Server::start(slots.path(), &["--listen", &unix]);
    eventually("the socket", || UnixStream::connect(&path).is_ok());
    assert_eq!(
        exchange(UnixStream::connect(&path).unwrap(), "GET", "/snapshot", "").status(),
        200
    );
    assert_eq!(server.get("/snapshot").status(), 200);
    assert!(server.terminate().success());
    assert!(!path.exists(), "its own socket goes with it");
}

#[test]
fn a_camera_may_have_its_slot_elsewhere() {
    let (slots, elsewhere) = (slots(), slots());
    let config = slots.path().join("eyelid.toml");
    let text = format!("[cameras.far]\nslot = {:?}\n", elsewhere.path());
    fs::write(&config, text).unwrap();
    let server = Server::start(slots.path(), &["--config", config.to_str().unwrap()]);
    let _producer = Producer::start(elsewhere.path(), INTERVAL, 1000);
    assert_eq!(server.get("/far/snapshot").status(), 200);
}

/// Changes a file all at once: a server that is slow to hear of the change before must not read
/// half of this one.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

#[test]
fn sighup_has_the_configuration_read_again_and_streams_go_on() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let (config, users) = (slots.path().join("eyelid.toml"), slots.path().join("users"));
    replace(&config, "[server]\nallow-origin = \"http://old\"\n");
    let server = Server::start(slots.path(), &["--config", config.to_str().unwrap()]);
    let origin = || {
        let answer = server.request("OPTIONS", "/snapshot", "");
        let origin = answer.header("Access-Control-Allow-Origin");
        origin.map(str::to_owned)
    };
    assert_eq!(origin().as_deref(), Some("http://old"));
    let anna = "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n";
    let mut stream = Stream::open_with(server.connect(), "/stream", anna);
    stream.frame();
    let mut of_nobody = server.stream("/stream");
    of_nobody.frame();

    let hash = bcrypt::hash("secret", 4).unwrap();
    fs::write(&users, format!("anna:{hash}\n")).unwrap();
    let new = format!(
        "[server]\nallow-origin = \"http://new\"\nauth-file = {users:?}\n[cameras.attic]\n"
    );
    replace(&config, &new);
    server.signal(Signal::SIGHUP);
    eventually("the new origin", || {
        origin().as_deref() == Some("http://new")
    });
    assert_eq!(server.get("/snapshot").status(), 401);
    of_nobody.end();
    assert_eq!(server.request("GET", "/snapshot", anna).status(), 200);
    let status = server.request("GET", "/status", anna).json();
    assert_eq!(status["cameras"][1]["name"], "attic");

    // What cannot be used changes nothing.
    for broken in [
        "[server]\nallow-origin = 1\n",
        "[server]\nauth-file = \"/nowhere\"\n",
    ] {
        replace(&config, broken);
        server.signal(Signal::SIGHUP);
        stream.frame();
    }
    let newest = new.replace("//new", "//newest").replace("attic", "cellar");
    replace(&config, &newest);
    server.signal(Signal::SIGHUP);
    eventually("the newest origin", || {
        assert_eq!(server.get("/snapshot").status(), 401, "the password stays");
        origin().as_deref() == Some("http://newest")
    });
    let attic = server.request("GET", "/attic/snapshot", anna);
    assert_eq!(attic.status(), 404, "it is gone");
    stream.frame();
}

#[test]
fn sighup_ends_the_streams_of_users_who_may_look_no_more() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let users = slots.path().join("users");
    let hash = bcrypt::hash("secret", 4).unwrap();
    let (of_anna, of_ben) = (format!("anna:{hash}\n"), format!("ben:{hash}\n"));
    replace(&users, &format!("{of_anna}{of_ben}"));
    let server = Server::start(slots.path(), &["--auth-file", users.to_str().unwrap()]);
    let stream = |credentials: &str| {
        let authorization = format!("Authorization: Basic {credentials}\r\n");
        Stream::open_with(server.connect(), "/stream", &authorization)
    };
    let (mut anna, mut ben) = (stream("YW5uYTpzZWNyZXQ="), stream("YmVuOnNlY3JldA=="));
    anna.frame();
    replace(&users, &of_ben);
    server.signal(Signal::SIGHUP);
    anna.end();
    ben.frame();
    let mut again = stream("YmVuOnNlY3JldA==");
    // Another hash of the same password is nobody's business.
    replace(
        &users,
        &format!("ben:{}\n", bcrypt::hash("secret", 4).unwrap()),
    );
    server.signal(Signal::SIGHUP);
    replace(
        &users,
        &format!("ben:{}\n{of_anna}", bcrypt::hash("another", 4).unwrap()),
    );
    server.signal(Signal::SIGHUP);
    ben.end();
    again.end();
}

#[test]
fn the_watchdog_is_fed_while_both_loops_go_round() {
    let slots = slots();
    let manager = slots.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&manager).unwrap();
    manager.set_read_timeout(Some(HUNG)).unwrap();
    let mut command = command(slots.path(), &["--listen", "127.0.0.1:0"]);
    command
        .env("NOTIFY_SOCKET", slots.path().join("notify"))
        .env("WATCHDOG_USEC", "200000")
        .env_remove("WATCHDOG_PID");
    let mut child = command.spawn().unwrap();
    let mut heard = [0; 256];
    let mut fed = 0;
    while fed < 5 {
        let length = manager.recv(&mut heard).unwrap();
        let text = String::from_utf8_lossy(&heard[..length]);
        fed += usize::from(text.contains("WATCHDOG=1"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn ends_by_itself_when_idle_but_not_while_somebody_looks() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let mut server = Server::start(slots.path(), &["--idle-exit", "1s"]);
    let mut stream = server.stream("/stream");
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        stream.frame();
    }
    assert!(server.child.try_wait().unwrap().is_none());
    drop(stream);
    assert!(server.wait().success());
}

#[test]
fn serves_who_came_before_it_found_itself_idle() {
    let slots = slots();
    let mut server = Server::start(slots.path(), &["--idle-exit", "2s"]);
    for _ in 0..3 {
        assert_eq!(server.get("/status").status(), 200);
        std::thread::sleep(Duration::from_millis(100)); // it sees the end of that
        // As on a busy machine: it gets no time, and then finds both at once.
        server.signal(Signal::SIGSTOP);
        let mut waiting = server.connect();
        ask(&mut waiting, "/status", "Connection: close\r\n");
        std::thread::sleep(Duration::from_millis(2100));
        server.signal(Signal::SIGCONT);
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
    assert!(server.wait().success());
}

#[test]
fn ends_at_once_when_told_to_though_clients_stream() {
    let slots = slots();
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let mut server = Server::start(slots.path(), &[]);
    let mut stream = server.stream("/stream");
    stream.frame();
    let _idle: TcpStream = server.connect();
    let mut half: TcpStream = server.connect();
    half.write_all(b"GET /snapshot HTTP/1.1\r\n").unwrap();
    // Else it may not have seen that half when it is told to.
    assert_eq!(server.get("/status").status(), 200);
    let told = std::time::Instant::now();
    assert!(server.terminate().success());
    // Whoever does not hang up is waited for (`DRAIN` in http's accept.rs), and nobody else is.
    assert!(
        told.elapsed() < 2 * Duration::from_secs(2),
        "{:?}",
        told.elapsed()
    );
}

#[test]
fn says_what_is_wrong_and_exits_with_the_right_status() {
    let slots = slots();
    let config = slots.path().join("eyelid.toml");
    fs::write(&config, "[server]\ntimeout = 4\n").unwrap();
    let passwords = slots.path().join("htpasswd");
    fs::write(&passwords, "anna:plain\n").unwrap();
    let (config, passwords) = (config.to_str().unwrap(), passwords.to_str().unwrap());
    let listen = ["--listen", "127.0.0.1:0"];
    for (arguments, status, words) in [
        (vec![], 1, "nothing to listen on"),
        (
            vec!["--listen", "256.0.0.1:1"],
            1,
            "cannot listen on 256.0.0.1:1",
        ),
        (vec!["--listen", "here"], 2, "HOST:PORT"),
        (vec!["--timeout", "4 parsecs"], 2, "--timeout"),
        (vec!["--max-clients", "0"], 2, "--max-clients"),
        (vec!["--config", config], 78, "line 2, key \"timeout\""),
        (vec!["--config", "/nowhere.toml"], 78, "/nowhere.toml"),
        (
            [&listen[..], &["--auth-file", passwords]].concat(),
            78,
            "line 1: the hash is not bcrypt",
        ),
    ] {
        let output = command(slots.path(), &arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    assert!(Path::new(config).exists());
}
