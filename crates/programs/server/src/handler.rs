//! From a request to what is done with its connection: a response, a stream on it, or another
//! program's.

use std::rc::Rc;
use std::time::Duration;

use eyelid_consumer::RateCap;
use eyelid_http::{Arrival, Handler, Outcome, Peer, Socket};
use eyelid_looks::Way;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;

use crate::adapter::Adapter;
use crate::app::App;
use crate::respond::{Found, StreamRequest, respond};
use crate::stream::Stream;
use crate::stream_head;
use crate::turn::TurnTaker;
use crate::writer::StreamWriter;

impl Handler for App {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        let peer = arrival.peer();
        let (request, _body) = request.into_parts();
        match respond(&self, &request, peer).await {
            Found::Response(response) => Outcome::Response(response),
            Found::HandOver(recipient, known) => Outcome::take_over(move |taken| async move {
                // What it gets, and whether it looks, the other program knows.
                let _entry = known.camera.clone().map(|camera| {
                    let user = known.user.clone();
                    self.clients.enter(peer.to_string(), user, camera, None)
                });
                recipient.hand_over(&known, taken).await;
            }),
            Found::Stream(wanted) => {
                let authorization = request.headers.get(AUTHORIZATION).cloned();
                Outcome::take_over(move |taken| async move {
                    let camera = wanted.camera.name().clone();
                    let stream = stream(&self, wanted, taken.socket, peer);
                    tokio::select! {
                        biased;
                        () = stream.run() => {}
                        () = self.door.until_locked_out(authorization.as_ref(), peer) => {
                            log::info!(
                                "client {peer} of camera {:?} left: its user may look no more",
                                camera.as_str()
                            );
                        }
                    }
                })
            }
        }
    }
}

/// A stream for a client whose request is read, and nothing answered yet.
fn stream(app: &App, request: StreamRequest, socket: Socket, peer: Peer) -> Stream {
    let name = request.camera.name();
    let user = request.looker.user.clone();
    let look = app.looks.looking(request.looker, Way::Stream);
    let entry = app
        .clients
        .enter(peer.to_string(), user, name.clone(), Some(look));
    let counters = app.metrics.streams(name);
    let interval = |fps| Duration::from_secs_f64(1.0 / fps);
    let cap = request.fps.map(|fps| RateCap::new(interval(fps)));
    let view = app.cameras.view(request.camera, cap);
    view.want(request.wanted);
    let adapter = Adapter::new(request.adapt, app.adapt().min_fps, request.fps);
    let socket = Rc::new(socket);
    // A peer on this computer is a proxy, or keeps up. Streams that fit their link need no turns.
    let network = peer.network().filter(|address| !address.is_loopback());
    let takes_turns = app.takes_turns() && adapter.is_none() && network.is_some();
    let turn =
        takes_turns.then(|| TurnTaker::new(app.turn_takers.clone(), socket.clone(), network));
    let writer = StreamWriter::new(socket, entry, request.headers, counters, adapter, turn);
    Stream {
        writer: Rc::new(writer),
        view,
        head: stream_head::bytes(app.door.live().options.allow_origin.as_ref(), request.fps),
        deadline: app.deadline(),
    }
}
