//! One connection: HTTP by hyper, until a stream takes it over.

use std::convert::Infallible;
use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::answer::{self, Outcome, StreamRequest};
use crate::app::App;
use crate::head;
use crate::outlet::Outlet;
use crate::socket::Socket;
use crate::stream::Stream;

/// How long a client may take for a request's header, and idle between two: browsers and pollers ask again well within
/// it, and one that trickles is gone after it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds of a request's header. Browsers behind OctoPrint send a few KB of cookies.
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// How long a client that is turned away may take to hear so.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves a connection until it ends, fails, or the server stops.
pub(crate) async fn serve(app: Rc<App>, socket: Socket) {
    socket.prepare();
    let peer = socket.peer();
    log::debug!("client {peer} connected");
    if let Some((socket, request)) = http(&app, socket, &peer).await {
        let mut stopping = app.stopping.clone();
        let terms = app.terms();
        let entry = app.clients.enter(peer, request.camera.name.clone());
        let counters = app.metrics.streams(&request.camera.name);
        let stream = Stream {
            outlet: Rc::new(Outlet::new(socket, entry, counters)),
            view: app.slots.view(request.camera),
            head: head::stream_bytes(terms.service.allow_origin.as_ref()),
            fps: request.fps,
            patience: terms.service.patience,
        };
        tokio::select! {
            () = stream.run() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Answers requests until one asks for a stream, which is given back with the socket.
async fn http(app: &Rc<App>, socket: Socket, peer: &str) -> Option<(Socket, StreamRequest)> {
    let (give, mut given) = mpsc::channel(1);
    let service = service_fn(|request: Request<Incoming>| {
        let (app, give) = (app.clone(), give.clone());
        // Boxed, for hyper gives the connection back only where its service can be moved.
        Box::pin(async move {
            let (request, _body) = request.into_parts();
            match answer::answer(&app, &request).await {
                Outcome::Answer(answer) => Ok::<_, Infallible>(answer),
                Outcome::Stream(stream) => {
                    // hyper hears no answer: from here on the connection is the stream's. Nobody else sends on it.
                    let _ = give.send(stream).await;
                    pending().await
                }
            }
        })
    });
    let mut connection = builder().serve_connection(TokioIo::new(socket), service);
    let mut stopping = app.stopping.clone();
    let mut stopped = false;
    loop {
        tokio::select! {
            biased;
            Some(stream) = given.recv() => {
                return Some((connection.into_parts().io.into_inner(), stream));
            }
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(error) = ended {
                    log::debug!("client {peer}: {error}");
                }
                connection.into_parts().io.into_inner().part().await;
                return None;
            }
            _ = stopping.wait_for(|stopping| *stopping), if !stopped => {
                stopped = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

/// Tells a client that there are too many.
pub(crate) async fn turn_away(app: Rc<App>, socket: Socket) {
    let service = service_fn(|_| {
        let mut answer = answer::no_frame("too many clients; try again later");
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        head::common(
            answer.headers_mut(),
            app.terms().service.allow_origin.as_ref(),
        );
        ready(Ok::<_, Infallible>(answer))
    });
    let answered = builder()
        .serve_connection(TokioIo::new(socket), service)
        .without_shutdown();
    // Whether it hears it in time is its own affair.
    if let Ok(Ok(parts)) = timeout(FAREWELL, answered).await {
        parts.io.into_inner().part().await;
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
