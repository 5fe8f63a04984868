//! One connection: HTTP by hyper, until a stream takes it over.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::time::Duration;

use eyelid_consumer::RateCap;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;

use crate::answer::{self, Outcome, StreamRequest};
use crate::app::App;
use crate::head;
use crate::patient::Patient;
use crate::seats::Seat;
use crate::socket::{Peer, Socket};
use crate::stream::Stream;
use crate::writer::StreamWriter;

/// How long a client may take for a request's header, and idle between two: browsers and pollers ask again well within
/// it, and one that trickles is gone after it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds of a request's header. Browsers behind OctoPrint send a few KB of cookies.
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// Serves a connection until it ends, fails, must go for another, or the server stops.
pub(crate) async fn serve(app: Rc<App>, socket: Socket, seat: Seat) {
    socket.prepare();
    let peer = socket.peer();
    log::debug!("client {peer} connected");
    let asked = tokio::select! {
        // What has arrived is read first: a request saves the connection.
        biased;
        asked = http(&app, socket, peer, &seat) => asked,
        () = seat.dismissed() => None,
    };
    if let Some((socket, request)) = asked {
        let mut stopping = app.stopping.clone();
        let terms = app.terms();
        let name = request.camera.name();
        let entry = app.clients.enter(peer.to_string(), name.clone());
        let counters = app.metrics.streams(name);
        let interval = |fps| Duration::from_secs_f64(1.0 / fps);
        let cap = request.fps.map(|fps| RateCap::new(interval(fps)));
        let stream = Stream {
            writer: Rc::new(StreamWriter::new(socket, entry, request.header, counters)),
            view: app.cameras.view(request.camera, cap),
            head: head::stream_bytes(terms.service.allow_origin.as_ref()),
            deadline: terms.service.deadline,
        };
        tokio::select! {
            () = stream.run() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Answers requests until one asks for a stream, which is given back with the socket. From its request to the end of its
/// answer the connection is a client's; else it waits.
async fn http(
    app: &Rc<App>,
    socket: Socket,
    peer: Peer,
    seat: &Seat,
) -> Option<(Socket, StreamRequest)> {
    let (give, mut given) = mpsc::channel(1);
    let asked = Rc::new(Cell::new(false));
    let service = service_fn(|request: Request<Incoming>| {
        let (app, give, asked) = (app.clone(), give.clone(), asked.clone());
        let admitted = seat.serve(app.terms().service.max_clients);
        asked.set(admitted);
        // Boxed, for hyper gives the connection back only where its service can be moved.
        Box::pin(async move {
            if !admitted {
                app.metrics.turned_away.inc();
                return Ok(answer::too_many(&app));
            }
            let (request, _body) = request.into_parts();
            match answer::answer(&app, &request, peer).await {
                Outcome::Answer(answer) => {
                    asked.set(false);
                    Ok::<_, Infallible>(answer)
                }
                Outcome::Stream(stream) => {
                    // hyper hears no answer: from here on the connection is the stream's. Nobody else sends on it.
                    let _ = give.send(stream).await;
                    pending().await
                }
            }
        })
    });
    let blocked = Rc::new(Cell::new(false));
    let patient = Patient::new(socket, blocked.clone());
    let mut connection = builder().serve_connection(TokioIo::new(patient), service);
    let mut stopping = app.stopping.clone();
    let mut stopped = false;
    loop {
        let serving = poll_fn(|cx| {
            let ended = connection.poll_without_shutdown(cx);
            if ended.is_pending() && !asked.get() && !blocked.get() {
                seat.wait();
            }
            ended
        });
        tokio::select! {
            biased;
            Some(stream) = given.recv() => {
                return Some((connection.into_parts().io.into_inner().into_socket(), stream));
            }
            ended = serving => {
                if let Err(error) = ended {
                    log::debug!("client {peer}: {error}");
                }
                seat.wait();
                connection.into_parts().io.into_inner().into_socket().part().await;
                return None;
            }
            _ = stopping.wait_for(|stopping| *stopping), if !stopped => {
                stopped = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .title_case_headers(true);
    builder
}
