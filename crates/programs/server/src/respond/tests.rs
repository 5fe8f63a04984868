//! What a request comes to.

use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use eyelid_daemon::listening::bind_seqpacket;
use eyelid_slot::{Phase, Publisher, Rendition, State};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use nix::errno::Errno;
use nix::sys::socket::accept;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::fuzzing::settings;

/// A server of two cameras, `default` and `front`, and its directory of doors.
struct Server {
    app: App,
    slots: TempDir,
    doors: TempDir,
}

impl Server {
    fn new() -> Self {
        let (slots, doors) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut settings = settings(slots.path().to_owned());
        settings.doors = doors.path().to_owned();
        Self {
            app: App::new(settings, 1024).unwrap(),
            slots,
            doors,
        }
    }

    async fn ask(&self, method: Method, target: &str) -> Found {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("Host", "192.0.2.1")
            .header(USER_AGENT, "curl/8");
        let (request, ()) = request.body(()).unwrap().into_parts();
        respond(&self.app, &request, Peer::Unix).await
    }

    /// Asks for something that is answered with a response.
    async fn response(&self, method: Method, target: &str) -> (StatusCode, String, FullResponse) {
        match self.ask(method, target).await {
            Found::Response(response) => {
                let body = response.body().clone().collect().await.unwrap();
                let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                (response.status(), text, response)
            }
            Found::Stream(_) | Found::HandOver(..) => panic!("no response to {target}"),
        }
    }

    /// A program behind the door listens.
    fn program(&self, name: &str) -> OwnedFd {
        bind_seqpacket(&self.door(name)).unwrap()
    }

    fn door(&self, name: &str) -> std::path::PathBuf {
        self.doors.path().join(name)
    }
}

/// A slot that notices who opens its frame.
fn slot(directory: &Path) -> Publisher {
    let mut publisher = Publisher::open(directory).unwrap();
    let jpeg = b"\xFF\xD8\xFF\xD9";
    publisher.publish(jpeg, SystemTime::now()).unwrap();
    publisher.take_in(Instant::now()).unwrap();
    publisher
}

#[tokio::test]
async fn a_head_gets_the_header_of_get_and_wakes_no_camera() {
    let server = Server::new();
    let publisher = slot(server.slots.path());
    for (target, content_type) in [
        ("/stream", "multipart/x-mixed-replace;"),
        ("/snapshot", "image/jpeg"),
    ] {
        let (status, body, response) = server.response(Method::HEAD, target).await;
        let type_sent = response.headers()[CONTENT_TYPE].to_str().unwrap();
        assert!(type_sent.starts_with(content_type), "{type_sent}");
        assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    }
    publisher.take_in(Instant::now()).unwrap();
    assert!(!publisher.noticed());
    assert!(matches!(
        server.ask(Method::GET, "/stream").await,
        Found::Stream(_)
    ));
}

#[tokio::test]
async fn a_stream_is_of_the_camera_asked_for_and_as_it_was_asked_for() {
    let server = Server::new();
    use HeaderTiming::{InAdvance, WithFrame};
    use RenditionHeader::{LeftOut, Sent};
    let half = Wanted::Rendition(Rendition::Half);
    let frame = Wanted::Frame;
    for (target, camera, fps, wanted, timing, rendition) in [
        ("/stream", "default", None, frame, WithFrame, LeftOut),
        (
            "/front/stream?fps=2.5",
            "front",
            Some(2.5),
            frame,
            WithFrame,
            LeftOut,
        ),
        (
            "/stream_1?advance_headers=1",
            "front",
            None,
            frame,
            InAdvance,
            LeftOut,
        ),
        ("/stream?size=half", "default", None, half, WithFrame, Sent),
        (
            "/stream?size=current",
            "default",
            None,
            frame,
            WithFrame,
            Sent,
        ),
    ] {
        let Found::Stream(stream) = server.ask(Method::GET, target).await else {
            panic!("no stream at {target}");
        };
        assert_eq!(stream.camera.name().as_str(), camera, "{target}");
        let headers = PartHeaders { timing, rendition };
        assert_eq!((stream.fps, stream.headers), (fps, headers), "{target}");
        assert_eq!(stream.wanted, wanted, "{target}");
        assert_eq!(stream.camera.viewers(), 0, "nobody looks yet");
    }
}

#[tokio::test]
async fn who_asks_for_a_camera_that_is_not_there_is_told_which_are() {
    let server = Server::new();
    let (status, body, _) = server.response(Method::GET, "/back/stream").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for words in ["no camera \\\"back\\\"", "(/stream)", "(/front/stream)"] {
        assert!(body.contains(words), "{body}");
    }
    let (_, body, _) = server.response(Method::GET, "/snapshot_7").await;
    assert!(body.contains("no camera number 7"), "{body}");
    for number in 0..LISTED {
        std::fs::create_dir(server.slots.path().join(format!("c{number:02}"))).unwrap();
    }
    let (_, body, _) = server.response(Method::GET, "/back/snapshot").await;
    assert!(
        body.contains("(/c13/snapshot), and more: see /status"),
        "{body}"
    );
    assert!(!body.contains("c14"), "{body}");
}

/// A camera's state, and a frame that notices who opens it, in a slot of its own.
fn far(slots: &Path, name: &str) -> Publisher {
    let mut publisher = slot(&slots.join(name));
    let state = State::new(Phase::Asleep, SystemTime::now());
    publisher.set_state(&state).unwrap();
    publisher.take_in(Instant::now()).unwrap();
    publisher
}

#[tokio::test]
async fn a_list_of_very_many_cameras_wakes_none_and_lets_others_have_their_turn() {
    const COUNT: usize = 1000;
    let server = Server::new();
    let slots = server.slots.path();
    let watched: Vec<_> = ["far.0001", "far.0999"].map(|name| far(slots, name)).into();
    for number in 0..COUNT {
        std::fs::create_dir_all(slots.join(format!("far.{number:04}"))).unwrap();
    }
    let turns = Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let whole = tokio::select! {
        biased;
        (_, body, _) = server.response(Method::GET, "/status") => body,
        () = others => unreachable!(),
    };
    assert!(turns.get() >= COUNT / 32, "{turns:?} turns of others");
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["camera_count"], COUNT + 2);
    assert_eq!(whole["cameras"].as_array().unwrap().len(), COUNT + 2);

    let target = "/status?cameras=far.0999,front,far.1000,gone.door";
    let (_, some, _) = server.response(Method::GET, target).await;
    assert!(some.len() < 2000, "{} bytes", some.len());
    let some: Value = serde_json::from_str(&some).unwrap();
    let names: Vec<_> = some["cameras"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["front", "far.0999"]);
    assert_eq!(some["cameras"][1]["state"], "asleep");
    assert_eq!(some["camera_count"], COUNT + 2);

    for target in ["/", "/metrics", "/far.0001/"] {
        let (status, body, _) = server.response(Method::GET, target).await;
        assert_eq!(status, StatusCode::OK, "{target}");
        assert!(body.len() < 400 * COUNT, "{target}: {} bytes", body.len());
    }
    for publisher in watched {
        publisher.take_in(Instant::now()).unwrap();
        assert!(!publisher.noticed());
    }
}

#[tokio::test]
async fn no_frame_in_time_is_counted_and_says_when_to_come_again() {
    let server = Server::new();
    let (status, _, response) = server.response(Method::GET, "/front/snapshot").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    let (_, metrics, _) = server.response(Method::GET, "/metrics").await;
    let counted = "eyelid_snapshot_failures_total{camera=\"front\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn another_program_gets_a_connection_with_its_camera_if_it_is_there() {
    let server = Server::new();
    let (status, body, _) = server.response(Method::POST, "/front/whep").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("package eyelid-video"), "{body}");

    let listening = server.program("video");
    match server.ask(Method::POST, "/front/whep").await {
        Found::HandOver(_, known) => {
            assert_eq!(known.camera.unwrap().as_str(), "front");
            assert_eq!((known.peer, known.user), (Peer::Unix, None));
            assert_eq!(known.allow_origin.unwrap().as_str(), "*");
        }
        _ => panic!("not handed over"),
    }
    let (status, body, _) = server.response(Method::POST, "/back/whep").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("no camera"), "{body}");

    drop(listening);
    assert!(server.door("video").exists());
    let (status, _, response) = server.response(Method::POST, "/front/whep").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "2");
}

#[tokio::test]
async fn the_status_and_the_page_name_the_programs_that_are_there_and_start_none() {
    let server = Server::new();
    let programs = async || {
        let (_, body, _) = server.response(Method::GET, "/status").await;
        let status: serde_json::Value = serde_json::from_str(&body).unwrap();
        let (_, page, _) = server.response(Method::GET, "/front/").await;
        let named = status["programs"].as_array().unwrap().iter();
        let named: Vec<&str> = named.map(|name| name.as_str().unwrap()).collect();
        let on_page = format!("data-programs=\"{}\"", named.join(" "));
        assert!(page.contains(&on_page), "{on_page} in {page}");
        named.join(" ")
    };
    assert_eq!(programs().await, "");
    std::fs::write(server.door("watch"), "no socket").unwrap();
    let (video, _receive) = (server.program("video"), server.program("receive"));
    assert_eq!(programs().await, "receive video");
    let nobody_came = accept(video.as_raw_fd());
    assert_eq!(nobody_came, Err(Errno::EAGAIN));
    std::fs::remove_file(server.door("video")).unwrap();
    assert_eq!(programs().await, "receive");
}
