//! Which frames clients get: fresh, newest, each at most once, and none that nobody asked for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use common::{HUNG, Producer, Server, Stream, ask, eventually, number, numbered, slots, state};
use eyelid_slot::{FRAME_FILE, Phase, Publisher};

const INTERVAL: Duration = Duration::from_millis(20);

/// Ends the other thread's loop, also when this one fails.
struct EndsWithMe<'a>(&'a AtomicBool);

impl Drop for EndsWithMe<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_snapshot_is_captured_after_its_request_though_an_old_frame_lies_there() {
    let slots = slots();
    fs::write(slots.path().join(FRAME_FILE), numbered(7, 100)).unwrap();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::start(slots.path(), INTERVAL, 1000);
    for _ in 0..20 {
        let before = producer.exposed();
        let snapshot = server.get("/?action=snapshot");
        assert_eq!(snapshot.status(), 200);
        assert!(
            number(&snapshot.body) > before,
            "exposed before the request"
        );
        assert_eq!(
            snapshot.header("Content-Length"),
            Some(snapshot.body.len().to_string().as_str())
        );
        let captured: f64 = snapshot.header("X-Timestamp").unwrap().parse().unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        assert!((0.0..HUNG.as_secs_f64()).contains(&(now - captured)));
        assert!(snapshot.header("Last-Modified").is_some());
    }
}

#[test]
fn without_a_camera_a_snapshot_is_refused_in_time() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "100ms"]);
    let refused = server.get("/snapshot");
    assert_eq!(refused.status(), 503);
    assert!(refused.header("Retry-After").is_some());
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("no camera has written"),
        "{}",
        refused.json()
    );
    fs::write(slots.path().join(FRAME_FILE), numbered(7, 100)).unwrap();
    let refused = server.get("/snapshot");
    assert_eq!(refused.status(), 503, "an old frame is no answer");
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("no new frame for 100ms"),
        "{}",
        refused.json()
    );
}

#[test]
fn a_stream_shows_each_frame_once_and_ends_it_at_once() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let mut publisher = Publisher::open(slots.path()).unwrap();
    publisher
        .publish(&numbered(1, 50_000), SystemTime::now())
        .unwrap();
    let mut stream = server.stream("/stream");
    assert!(
        stream.head.contains(
            "\r\nContent-Type: multipart/x-mixed-replace; boundary=boundarydonotcross\r\n"
        )
    );
    assert!(
        stream.head.contains("\r\nConnection: close\r\n")
            && !stream.head.contains("Transfer-Encoding")
    );
    let mut last = 0;
    for frame in 2..20 {
        // The part and the boundary behind it arrive although no other frame follows.
        let seen = stream.frame().number();
        assert!(seen > last, "{seen} after {last}");
        last = seen;
        eventually("the wish for the next", || {
            publisher.take_in(Instant::now()).unwrap();
            publisher.wished(Instant::now())
        });
        publisher
            .publish(&numbered(frame, 50_000), SystemTime::now())
            .unwrap();
    }
}

#[test]
fn a_picture_of_chromium_has_the_next_header_with_each_frame() {
    has_the_next_header_with_each_frame("/stream", CHROMIUM);
}

#[test]
fn who_asks_for_headers_in_advance_gets_them() {
    has_the_next_header_with_each_frame("/stream?advance_headers=1", "");
}

#[test]
fn who_asks_for_no_headers_in_advance_gets_none() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "200ms"]);
    let mut stream = Stream::open_with(server.connect(), "/stream?advance_headers=0", CHROMIUM);
    stream.part();
}

const CHROMIUM: &str =
    "User-Agent: Mozilla/5.0 Chrome/140.0.0.0\r\nAccept: image/avif,image/*,*/*;q=0.8\r\n";

fn has_the_next_header_with_each_frame(path: &str, headers: &str) {
    const OPENING: &[u8] = b"--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n";
    let slots = slots();
    // More than it takes to read a card: the next one would follow it.
    let server = Server::start(slots.path(), &["--timeout", "1s"]);
    let mut socket = server.connect();
    ask(&mut socket, path, headers);
    let mut heard = Vec::new();
    let mut hear = |end: &[u8]| {
        eventually("what ends so", || {
            let mut some = [0; 65536];
            let read = socket.read(&mut some).unwrap();
            heard.extend_from_slice(&some[..read]);
            heard.ends_with(&[end, b"\r\n", OPENING].concat())
        });
    };
    hear(b"\r\n");
    hear(&[0xFF, 0xD9]); // a card
    let mut publisher = Publisher::open(slots.path()).unwrap();
    for number in 1..4 {
        let jpeg = numbered(number, 50_000);
        publisher.publish(&jpeg, SystemTime::now()).unwrap();
        hear(&[OPENING, &jpeg].concat());
    }
}

#[test]
fn a_client_that_was_slow_gets_the_newest_frame_next() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::start(slots.path(), INTERVAL, 400_000);
    let socket = small_buffer(&server);
    let mut stream = Stream::open(socket, "/stream");
    stream.frame();
    for _ in 0..3 {
        let start = producer.exposed();
        eventually("twenty frames", || producer.exposed() > start + 20);
        let floor = producer.exposed();
        // One frame lies half in the kernel; what comes after it is chosen when that has gone.
        stream.frame();
        let next = stream.frame().number();
        assert!(next >= floor, "{next} is from before {floor}");
    }
}

#[test]
fn frames_larger_than_a_socket_arrive_whole_and_hold_up_nobody() {
    const SIZE: usize = 8 << 20;
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::start(slots.path(), INTERVAL, SIZE);
    let mut keeps_up = server.stream("/stream");
    // One that waits for the next frame with the others, and then takes little of it.
    let mut stops = Stream::open(small_buffer(&server), "/stream");
    stops.frame();
    for _ in 0..5 {
        let frame = keeps_up.frame();
        assert!(frame.jpeg == numbered(frame.number(), SIZE));
    }
    let floor = producer.exposed();
    let frame = stops.frame();
    assert!(frame.jpeg == numbered(frame.number(), SIZE));
    eventually("a frame chosen after the stop", || {
        stops.frame().number() >= floor
    });
}

/// A connection whose receive buffer holds far less than a frame.
fn small_buffer(server: &Server) -> TcpStream {
    let socket = server.connect();
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &16_384).unwrap();
    socket
}

#[test]
fn a_client_shown_few_frames_gets_them_new_and_costs_one_encoding_each() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let interval = Duration::from_millis(50);
    let producer = Producer::start(slots.path(), interval, 1000);
    let mut stream = server.stream("/stream?fps=1.25");
    stream.frame();
    let before = producer.published();
    let behind = |frame: u64| producer.exposed() - frame;
    let mut ages: Vec<u64> = (0..7).map(|_| behind(stream.frame().number())).collect();
    let published = producer.published() - before;
    assert!(
        published <= 8,
        "{published} frames were made for 7 that were wanted"
    );
    ages.sort_unstable();
    // A frame made for the wish before this one would be 16 frames old.
    assert!(ages[3] <= 6, "frames were {ages:?} frames old");
}

#[test]
fn nobody_asks_for_frames_when_nobody_looks() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::start(slots.path(), INTERVAL, 1000);
    eventually("the first frame", || producer.published() > 0);
    for request in [
        ("HEAD", "/snapshot"),
        ("HEAD", "/stream"),
        ("GET", "/status"),
        ("GET", "/"),
        ("GET", "/metrics"),
    ] {
        eventually("rest", || {
            let before = producer.published();
            std::thread::sleep(INTERVAL * 5);
            producer.published() == before
        });
        let before = producer.published();
        assert_eq!(server.request(request.0, request.1, "").status(), 200);
        std::thread::sleep(INTERVAL * 5);
        assert_eq!(producer.published(), before, "{request:?} woke the camera");
    }
    let mut stream = server.stream("/stream");
    stream.frame();
    drop(stream);
    eventually("rest after the client left", || {
        let before = producer.published();
        std::thread::sleep(INTERVAL * 5);
        producer.published() == before
    });
}

#[test]
fn many_clients_share_each_frame() {
    const CLIENTS: usize = 50;
    const FRAMES: u64 = 10;
    const SIZE: usize = 100_000;
    let slots = slots();
    // However slow the machine is, no frame is too old.
    let server = Server::start(slots.path(), &["--max-age", "1day"]);
    let mut publisher = Publisher::open(slots.path()).unwrap();
    let mut publish = |number| {
        eventually("the wish", || {
            publisher.take_in(Instant::now()).unwrap();
            publisher.wished(Instant::now())
        });
        let jpeg = numbered(number, SIZE);
        publisher.publish(&jpeg, SystemTime::now()).unwrap();
    };
    publish(1);
    let mut streams: Vec<_> = (0..CLIENTS).map(|_| server.stream("/stream")).collect();
    for stream in &mut streams {
        assert_eq!(stream.frame().number(), 1);
    }
    let before = bytes_read(&server);
    for number in 2..2 + FRAMES {
        // One is made, and all get it: there is no other before they have.
        publish(number);
        for stream in &mut streams {
            assert_eq!(stream.frame().number(), number);
        }
    }
    let frames = (bytes_read(&server) - before) as f64 / SIZE as f64;
    assert!(
        (FRAMES as f64..FRAMES as f64 * 1.5).contains(&frames),
        "{frames} frames were read for {CLIENTS} clients of {FRAMES}"
    );
    let status = server.get("/status").json();
    assert_eq!(status["cameras"][0]["clients"], CLIENTS);
    assert_eq!(status["clients"].as_array().unwrap().len(), CLIENTS);
}

/// How much a server has read of files (proc_pid_io(5)); what comes by its sockets is received, and
/// not counted.
fn bytes_read(server: &Server) -> u64 {
    let counters = fs::read_to_string(format!("/proc/{}/io", server.child.id())).unwrap();
    let read = counters
        .lines()
        .find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[test]
fn a_stream_says_why_there_is_no_picture_and_recovers_in_place() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "1s"]);
    let mut stream = server.stream("/stream");
    let card = stream.part();
    assert!(!card.is_frame(), "no camera at all");
    assert!(eyelid_jpeg::whole(&card.jpeg).is_ok());

    let producer = Producer::start(slots.path(), INTERVAL, 1000);
    stream.frame();
    drop(producer);
    let mut publisher = Publisher::open(slots.path()).unwrap();
    publisher
        .set_state(&state(Phase::Failed, Some("cable is out")))
        .unwrap();
    while stream.part().is_frame() {}
    let snapshot = server.get("/snapshot");
    assert_eq!(snapshot.status(), 503);
    assert_eq!(snapshot.json()["error"], "camera failed: cable is out");
    drop(publisher);

    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    stream.frame();
    assert_eq!(server.get("/snapshot").status(), 200);
}

#[test]
fn a_stream_outlives_its_slot() {
    let home = slots();
    let slots = home.path().join("webcam");
    fs::create_dir(&slots).unwrap();
    let server = Server::start(&slots, &["--timeout", "300ms"]);
    let producer = Producer::start(&slots, INTERVAL, 1000);
    let mut stream = server.stream("/stream");
    stream.frame();
    for _ in 0..3 {
        let stale = producer.exposed();
        // The producer may write between two removals.
        eventually("removal", || {
            fs::remove_dir_all(&slots).is_ok() || !slots.exists()
        });
        while stream.frame().number() <= stale {}
    }
    // The frame just seen may be the last one in the slot before this one.
    eventually("a frame to remove", || {
        fs::remove_file(slots.join(FRAME_FILE)).is_ok()
    });
    let stale = producer.exposed();
    while stream.frame().number() <= stale {}
}

#[test]
fn an_old_frame_is_never_shown_in_a_stream() {
    let slots = slots();
    let path = slots.path().join(FRAME_FILE);
    fs::write(&path, numbered(7, 100)).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    fs::File::open(&path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let server = Server::start(slots.path(), &["--timeout", "200ms"]);
    let mut stream = server.stream("/stream");
    assert!(!stream.part().is_frame());
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    assert_ne!(stream.frame().jpeg.len(), numbered(7, 100).len());
}

#[test]
fn cards_come_as_often_where_the_timeout_is_longer() {
    let slots = slots();
    let path = slots.path().join(FRAME_FILE);
    fs::write(&path, numbered(7, 100)).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    let file = fs::File::open(&path).unwrap();
    file.set_modified(long_ago).unwrap();
    let server = Server::start(slots.path(), &["--timeout", "6s"]);
    let mut stream = server.stream("/stream");
    assert!(!stream.part().is_frame());
    let first = Instant::now();
    assert!(!stream.part().is_frame());
    // Cards are 5 s apart. They were 11 while the reason seemed to change with the time waited.
    let apart = first.elapsed();
    assert!(apart < Duration::from_secs(8), "{apart:?}");
}

#[test]
fn a_frame_from_before_the_clock_was_set_back_is_no_answer() {
    let slots = slots();
    let path = slots.path().join(FRAME_FILE);
    fs::write(&path, numbered(7, 100)).unwrap();
    let later = SystemTime::now() + Duration::from_secs(3 * 3600);
    fs::File::open(&path).unwrap().set_modified(later).unwrap();
    let server = Server::start(slots.path(), &["--timeout", "2s"]);
    assert_eq!(server.get("/snapshot").status(), 503);
    assert!(!server.stream("/stream").part().is_frame());
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    assert!(server.get("/snapshot").body.len() > 900);
    assert!(server.stream("/stream").frame().jpeg.len() > 900);
}

#[test]
fn frames_of_a_producer_whose_clock_is_ahead_are_shown() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let mut publisher = Publisher::open(slots.path()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = EndsWithMe(&stop);
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Acquire) {
                publisher.take_in(Instant::now()).unwrap();
                if publisher.wished(Instant::now()) {
                    number += 1;
                    let ahead = SystemTime::now() + Duration::from_secs(3600);
                    publisher.publish(&numbered(number, 1000), ahead).unwrap();
                }
                std::thread::sleep(INTERVAL);
            }
        });
        let mut last = 0;
        for _ in 0..3 {
            let snapshot = server.get("/snapshot");
            assert_eq!(snapshot.status(), 200);
            assert!(number(&snapshot.body) > last, "shown before");
            last = number(&snapshot.body);
        }
        let mut stream = server.stream("/stream");
        for _ in 0..10 {
            stream.frame();
        }
        let mut slow = server.stream("/stream?fps=5");
        for _ in 0..3 {
            slow.frame();
        }
        drop(end);
    });
}

#[test]
fn a_frame_that_lay_there_is_not_shown_while_a_newer_one_is_coming() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let newer_bytes = numbered(1, 1000).len();
    let mut in_time = 0;
    for _ in 0..50 {
        let mut publisher = Publisher::open(slots.path()).unwrap();
        publisher
            .publish(&numbered(7, 100), SystemTime::now())
            .unwrap();
        drop(publisher);
        // As when everything is started by this connection: the producer comes after the wish, and
        // says so first.
        let socket = server.connect();
        let asked = Instant::now();
        let opening = std::thread::spawn(move || Stream::open(socket, "/stream").frame());
        std::thread::sleep(Duration::from_millis(50));
        let _producer = Producer::start(slots.path(), INTERVAL, 1000);
        eventually("the newer one", || {
            fs::metadata(slots.path().join(FRAME_FILE)).unwrap().len() == newer_bytes as u64
        });
        // The server waits 250 ms for the newer one; a busy machine may take longer to make it.
        let late = asked.elapsed() > Duration::from_millis(200);
        let shown = opening.join().unwrap().jpeg.len();
        if !late {
            assert_eq!(shown, newer_bytes);
            in_time += 1;
        }
        if in_time == 5 {
            return;
        }
    }
    panic!("only {in_time} newer ones came in time");
}

#[test]
fn every_camera_has_its_own_slot_and_urls() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "1s"]);
    let front = slots.path().join("front");
    let _producer = Producer::start(&front, INTERVAL, 1000);
    for path in [
        "/front/snapshot",
        "/front/?action=snapshot",
        "/webcam/front/snapshot.jpg",
        "/?action=snapshot_0",
    ] {
        assert_eq!(server.get(path).status(), 200, "{path}");
    }
    server.stream("/front/stream.mjpg").frame();
    assert_eq!(server.get("/snapshot").status(), 404);
    assert_eq!(server.get("/back/snapshot").status(), 404);
    assert_eq!(server.get("/?action=snapshot_1").status(), 404);
    let redirected = server.get("/front");
    assert_eq!(
        (redirected.status(), redirected.header("Location")),
        (308, Some("front/"))
    );
    let names = server.get("/status").json()["cameras"][0]["name"].clone();
    assert_eq!(names, "front");
}

#[test]
fn a_client_that_sends_more_than_its_request_still_gets_its_stream() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let _producer = Producer::start(slots.path(), INTERVAL, 1000);
    let mut stream = Stream::open(
        server.connect(),
        "/stream HTTP/1.1\r\nHost: y\r\n\r\nGET /snapshot",
    );
    stream.frame();
    let mut answer = [0; 4096];
    let mut keep_alive = server.connect();
    for _ in 0..3 {
        std::io::Write::write_all(
            &mut keep_alive,
            b"GET /snapshot HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .unwrap();
        let size = keep_alive.read(&mut answer).unwrap();
        assert!(answer[..size].starts_with(b"HTTP/1.1 200 OK"));
    }
}
