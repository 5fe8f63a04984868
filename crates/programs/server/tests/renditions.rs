//! Pictures of another size, as clients ask for them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::{Duration, Instant, SystemTime};

use common::{
    Producer, Response, Server, Stream, eventually, number, numbered, rendition_bytes, slots, state,
};
use eyelid_slot::{Phase, Publisher, Rendition, RenditionSize, State};

const INTERVAL: Duration = Duration::from_millis(20);

const FRAME_BYTES: usize = 12_000;

/// Those that HTTP clients may ask for.
const PICTURES: [Rendition; 4] = [
    Rendition::Low,
    Rendition::Half,
    Rendition::Quarter,
    Rendition::Full,
];

/// How many bytes a file has for which a producer was told so many.
fn made_bytes(bytes: usize) -> usize {
    numbered(0, bytes).len()
}

fn bytes_of(rendition: Rendition) -> usize {
    made_bytes(rendition_bytes(rendition, FRAME_BYTES))
}

fn assert_is(response: &Response, rendition: Option<Rendition>) {
    assert_eq!(response.status(), 200, "{}", response.head);
    let name = rendition.map_or("current", Rendition::name);
    assert_eq!(response.header("X-Rendition"), Some(name));
    let bytes = rendition.map_or_else(|| made_bytes(FRAME_BYTES), bytes_of);
    assert_eq!(response.body.len(), bytes, "{name}");
}

#[test]
fn a_snapshot_has_the_size_that_was_asked_for_and_says_so() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::offering(slots.path(), INTERVAL, FRAME_BYTES, &PICTURES);
    for rendition in PICTURES {
        for path in [
            "/snapshot?",
            "/default/?action=snapshot&",
            "/?action=snapshot_0&",
        ] {
            let before = producer.exposed();
            let snapshot = server.get(&format!("{path}size={rendition}"));
            assert_is(&snapshot, Some(rendition));
            assert!(
                number(&snapshot.body) > before,
                "exposed before the request"
            );
            assert!(snapshot.header("X-Timestamp").is_some());
        }
    }
    assert_is(&server.get("/snapshot?size=current"), None);
    let plain = server.get("/snapshot");
    assert_eq!(plain.header("X-Rendition"), None);
    assert_eq!(plain.body.len(), made_bytes(FRAME_BYTES));
}

#[test]
fn a_stream_has_the_size_that_was_asked_for_and_nothing_else_is_made() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::offering(slots.path(), INTERVAL, FRAME_BYTES, &PICTURES);
    // It had no frame when it started, which counts as a wish.
    eventually("the first frame", || producer.published() > 0);
    let mut streams =
        ["/stream?size=half", "/?action=stream&size=half"].map(|path| server.stream(path));
    let mut last = [0, 0];
    for _ in 0..20 {
        for (stream, last) in streams.iter_mut().zip(&mut last) {
            let part = stream.frame();
            assert_eq!(part.header("X-Rendition"), Some("half"));
            assert_eq!(part.jpeg.len(), bytes_of(Rendition::Half));
            assert!(part.number() > *last, "{} after {last}", part.number());
            *last = part.number();
        }
    }
    assert_eq!(producer.published(), 1, "frames that nobody asked for");
    let status = server.get("/status").json();
    assert_eq!(status["clients"][0]["rendition"], "half");
    let half = &status["cameras"][0]["renditions"]["half"];
    assert!(half["width"].is_null(), "{status}");
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let counter = "eyelid_rendition_frames_total{camera=\"default\",rendition=\"half\"} ";
    assert!(metrics.contains(counter), "{metrics}");
}

#[test]
fn who_knows_nothing_of_sizes_sees_no_difference() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let _producer = Producer::offering(slots.path(), INTERVAL, FRAME_BYTES, &PICTURES);
    // Both get their parts out of the same bytes.
    let mut asks = server.stream("/stream?size=current");
    let mut plain = server.stream("/stream");
    for _ in 0..5 {
        assert_eq!(asks.frame().header("X-Rendition"), Some("current"));
        let part = plain.frame();
        assert!(
            part.head.starts_with("Content-Type: image/jpeg\r\n"),
            "{}",
            part.head
        );
        assert_eq!(part.header("X-Rendition"), None);
        assert_eq!(part.jpeg.len(), made_bytes(FRAME_BYTES));
    }
    assert_eq!(
        server.get("/status").json()["clients"][1]["rendition"],
        "current"
    );
}

#[test]
fn what_is_not_offered_is_the_frame_and_says_so() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let _producer = Producer::offering(slots.path(), INTERVAL, FRAME_BYTES, &[Rendition::Low]);
    for query in ["size=full", "size=half", "width=8", "width=10000"] {
        assert_is(&server.get(&format!("/snapshot?{query}")), None);
        let part = server.stream(&format!("/stream?{query}")).frame();
        assert_eq!(part.header("X-Rendition"), Some("current"), "{query}");
        assert_eq!(part.jpeg.len(), made_bytes(FRAME_BYTES), "{query}");
    }
}

#[test]
fn a_width_gives_the_smallest_picture_that_is_so_wide() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    // It says that its frames are 16 pixels wide, and nothing of the others.
    let _producer = Producer::offering(slots.path(), INTERVAL, FRAME_BYTES, &PICTURES);
    for (width, of_snapshot, of_stream) in [
        (4, Some(Rendition::Quarter), Some(Rendition::Quarter)),
        (5, Some(Rendition::Half), Some(Rendition::Half)),
        (9, None, None),
        (17, Some(Rendition::Full), None),
    ] {
        assert_is(
            &server.get(&format!("/snapshot?width={width}")),
            of_snapshot,
        );
        let part = server.stream(&format!("/stream?width={width}")).frame();
        let name = of_stream.map_or("current", Rendition::name);
        assert_eq!(part.header("X-Rendition"), Some(name), "{width}");
    }
}

#[test]
fn what_is_offered_and_does_not_come_is_the_frame() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let producer = Producer::start(slots.path(), INTERVAL, FRAME_BYTES);
    eventually("a frame", || producer.published() > 0);
    let says = State {
        renditions: [("full".to_owned(), RenditionSize::default())].into(),
        ..state(Phase::Awake, None)
    };
    let path = slots.path().join("state.new");
    std::fs::write(&path, says.to_json()).unwrap();
    std::fs::rename(&path, slots.path().join("state.json")).unwrap();
    let start = Instant::now();
    assert_is(&server.get("/snapshot?size=full"), None);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_card_is_as_large_as_what_it_stands_for() {
    let slots = slots();
    let server = Server::start(slots.path(), &["--timeout", "300ms"]);
    let mut publisher = Publisher::open(slots.path()).unwrap();
    publisher.offer(Rendition::Half).unwrap();
    let (width, height) = (Some(320), Some(240));
    let state = State {
        renditions: [("half".to_owned(), RenditionSize::default())].into(),
        width,
        height,
        ..State::failed("cable is out".to_owned(), SystemTime::now())
    };
    publisher.set_state(&state).unwrap();
    let size = |path| {
        let card = server.stream(path).part();
        assert!(!card.is_frame());
        assert_eq!(card.header("X-Rendition"), None, "it is none");
        let (header, _) = eyelid_jpeg::whole(&card.jpeg).unwrap();
        (header.width, header.height)
    };
    assert_eq!(size("/stream"), (320, 240));
    assert_eq!(size("/stream?size=half"), (160, 120));
}

#[test]
fn headers_that_come_in_advance_do_not_say_what_is_not_known() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    let _producer = Producer::offering(slots.path(), INTERVAL, FRAME_BYTES, &PICTURES);
    let mut stream = Stream::open(server.connect(), "/stream?size=half&advance_headers=1");
    let head = "Content-Type: image/jpeg\r\n\r\n".len();
    let bytes = stream.bytes(head + bytes_of(Rendition::Half));
    assert!(bytes.starts_with(b"Content-Type: image/jpeg\r\n\r\n\xFF\xD8"));
    assert!(bytes.ends_with(b"\xFF\xD9"));
}

#[test]
fn a_size_that_makes_no_sense_is_refused_with_a_reason() {
    let slots = slots();
    let server = Server::start(slots.path(), &[]);
    for (query, words) in [
        ("size=y4m", "size: use low, half, quarter, full or current"),
        ("size=huge", "size: use low"),
        ("width=wide", "width: use a number of pixels"),
        ("width=640&size=half", "one of the two"),
    ] {
        for path in ["/stream", "/snapshot"] {
            let refused = server.get(&format!("{path}?{query}"));
            assert_eq!(refused.status(), 400, "{path}?{query}");
            let reason = refused.json()["error"].as_str().unwrap().to_owned();
            assert!(reason.contains(words), "{reason}");
        }
    }
}
