//! Stands in for the programs to which the server hands connections over, in tests: it says what it
//! got.
//!
//! `stand_in [PATH]` takes connections at the socket PATH, or at the sockets that a service manager
//! passed, and ends once nobody has been connected for `STAND_IN_IDLE_MS`, if that is set. Every
//! request is answered with JSON that says what came; but one whose query has `stream` gets a tick
//! of 16 bytes every 20 ms until it closes, and one that asks for an upgrade gets 101 and then
//! everything it sends back, that which came right behind its head first.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use eyelid_daemon::pulse::Pulse;
use eyelid_daemon::{manager, sockets};
use eyelid_http::response::{head_bytes, typed};
use eyelid_http::{
    Acceptor, Advice, Arrival, Door, Handler, Listener, Outcome, ServeOptions, Sockets, TakenOver,
    raise_descriptor_limit,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use hyper::{Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::sleep;

struct StandIn;

impl Handler for StandIn {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        let is_stream = request.uri().query().is_some_and(|q| q.contains("stream"));
        if request.headers().contains_key(UPGRADE) {
            return Outcome::take_over(echo);
        }
        if is_stream {
            return Outcome::take_over(tick);
        }
        let Arrival::HandedOver(known) = arrival else {
            unreachable!("it listens for nothing else");
        };
        let (request, body) = request.into_parts();
        // A client that leaves in the middle of its body hears nothing anyway.
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => Bytes::from(format!("incomplete: {error}")),
        };
        let said = serde_json::json!({
            "pid": std::process::id(),
            "method": request.method.as_str(),
            "target": request.uri.to_string(),
            "headers": request.headers.len(),
            "body": String::from_utf8_lossy(&body),
            "known": *known,
        });
        Outcome::Response(typed(Bytes::from(said.to_string()), "application/json"))
    }
}

/// Sends until the client closes.
async fn tick(mut taken: TakenOver) {
    let head = head_bytes(StatusCode::OK, &HeaderMap::new());
    let mut sent = taken.socket.write_all(&head).await;
    while sent.is_ok() {
        tokio::select! {
            () = sleep(Duration::from_millis(20)) => {}
            () = taken.socket.peer_closed() => return,
        }
        sent = taken.socket.write_all(b"0123456789abcde\n").await;
    }
}

/// Speaks another protocol: sends back what comes.
async fn echo(mut taken: TakenOver) {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("echo"));
    let head = head_bytes(StatusCode::SWITCHING_PROTOCOLS, &headers);
    let early = taken.read_behind_head().to_vec();
    let mut sent = taken.socket.write_all(&[head, early].concat()).await;
    let mut buffer = [0; 4096];
    while sent.is_ok() {
        match taken.socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => sent = taken.socket.write_all(&buffer[..bytes]).await,
        }
    }
}

fn options() -> ServeOptions {
    let idle_ms = std::env::var("STAND_IN_IDLE_MS").ok();
    ServeOptions {
        idle_exit: idle_ms
            .and_then(|ms| ms.parse().ok())
            .map(Duration::from_millis),
        ..ServeOptions::default()
    }
}

async fn run(mut sockets: Sockets) -> anyhow::Result<()> {
    if let Some(path) = std::env::args_os().nth(1) {
        let listener = Listener::bind_hand_over(&PathBuf::from(path))?;
        sockets.listeners.push(listener);
    }
    let advice = Advice {
        program: "stand_in".to_owned(),
        has_file: false,
    };
    let door = Rc::new(Door::new(options(), advice, raise_descriptor_limit())?);
    let mut acceptor = Acceptor::new(door.clone(), Rc::new(StandIn));
    let mut signals = [signal(SignalKind::terminate())?];
    manager::ready();
    let end = acceptor
        .accept_until_done(&sockets.listeners, &mut signals, &Pulse::default())
        .await;
    log::info!("ending: {}", end.reason());
    drop(sockets);
    door.stop();
    acceptor.drain().await;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    eyelid_daemon::logging::start("stand_in", None);
    let passed = sockets::take()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, async { run(Sockets::adopt(passed)?).await })
}
