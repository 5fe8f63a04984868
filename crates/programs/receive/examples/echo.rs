//! Sends back what comes by a WebSocket, for suites that test how the protocol is spoken: `echo
//! ADDR`.

use std::rc::Rc;

use anyhow::Context;
use eyelid_daemon::pulse::Pulse;
use eyelid_http::response::problem;
use eyelid_http::{
    Acceptor, Advice, Arrival, Door, Handler, Listener, Outcome, ServeOptions, TakenOver,
    raise_descriptor_limit,
};
use eyelid_receive::websocket::{Bounds, Buffers, Received, WebSocket};
use eyelid_websocket::{Ended, Handshake};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// What the largest messages of Autobahn's suite need.
const BOUNDS: Bounds = Bounds {
    message_bytes: 32 << 20,
    write_bytes: 64 << 20,
};

struct Echo;

impl Handler for Echo {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, _: Arrival) -> Outcome {
        let (request, _) = request.into_parts();
        match Handshake::read(&request, "") {
            Ok(handshake) => Outcome::take_over(|taken| echo(handshake, taken)),
            Err(_) => Outcome::Response(problem(StatusCode::UPGRADE_REQUIRED, "a WebSocket only")),
        }
    }
}

async fn echo(handshake: Handshake, taken: TakenOver) {
    let Ok(mut socket) = WebSocket::open(handshake, taken, BOUNDS, Buffers::default()).await else {
        return;
    };
    match send_back(&mut socket).await {
        Err(Ended::Refused { code, reason }) => socket.close(code, &reason).await,
        _ => socket.finish().await,
    }
}

async fn send_back(socket: &mut WebSocket) -> Result<(), Ended> {
    loop {
        match socket.next().await? {
            Received::Binary(bytes, _) => socket.send_binary(bytes).await?,
            Received::Text(text) => socket.send_text(&text).await?,
            Received::Sign => {}
        }
    }
}

async fn run(address: &str) -> anyhow::Result<()> {
    let listeners = [Listener::bind("http", &address.parse()?)?];
    let advice = Advice {
        program: "echo".to_owned(),
        has_file: false,
    };
    let options = ServeOptions::default();
    let door = Rc::new(Door::new(options, advice, raise_descriptor_limit())?);
    let mut acceptor = Acceptor::new(door, Rc::new(Echo));
    let mut signals = [signal(SignalKind::terminate())?];
    acceptor
        .accept_until_done(&listeners, &mut signals, &Pulse::default())
        .await;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    eyelid_daemon::logging::start("echo", None);
    let address = std::env::args().nth(1).context("usage: echo ADDR")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, run(&address))
}
