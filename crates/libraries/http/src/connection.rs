//! One connection: HTTP by hyper, until a handler takes it over.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::admission::Permit;
use crate::door::Door;
use crate::framing;
use crate::response::{FullResponse, add_common_headers, close};
use crate::socket::{Peer, Socket};
use crate::stall_timeout::StallTimeout;

/// How long a client may take for a request's header, and idle between two: browsers and pollers ask again well within
/// it, and one that trickles is gone after it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds of a request's header. Browsers behind OctoPrint send a few KB of cookies.
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// What a program does with requests.
pub trait Handler: 'static {
    /// Answers a request, or takes its connection over. What all responses carry is added to this one.
    fn handle(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Outcome> + 'static;
}

/// What a request comes to.
pub enum Outcome {
    /// A response; more requests may follow.
    Response(FullResponse),
    /// HTTP ends here, without a response: this has the connection from now on.
    TakeOver(TakeOver),
}

/// What is done with a connection that is taken over. It is dropped when the program is told to end.
pub type TakeOver = Box<dyn FnOnce(TakenOver) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A connection that was taken over.
pub struct TakenOver {
    /// The client's socket, from which the request was read and to which nothing was written in response to it.
    pub socket: Socket,
}

impl Outcome {
    /// Takes the connection over.
    pub fn take_over<F: Future<Output = ()> + 'static>(
        take_over: impl FnOnce(TakenOver) -> F + 'static,
    ) -> Self {
        Self::TakeOver(Box::new(|taken| Box::pin(take_over(taken))))
    }
}

/// How far a connection is: what its parts tell each other.
#[derive(Default)]
pub(crate) struct Progress {
    /// A request is being answered.
    answering: Cell<bool>,
    /// There is something to write that the client does not take yet.
    pub(crate) blocked: Cell<bool>,
    /// A handler wants the connection.
    wanted: RefCell<Option<TakeOver>>,
}

/// How HTTP on a connection ends.
enum Ended {
    TakenOver(TakeOver),
    Closed(hyper::Result<()>),
}

/// Serves a connection until it ends, fails, must go for another, or the program ends.
pub(crate) async fn serve<H: Handler>(
    door: Rc<Door>,
    handler: Rc<H>,
    socket: Socket,
    permit: Permit,
) {
    socket.prepare();
    let peer = socket.peer();
    log::debug!("client {peer} connected");
    let taken = tokio::select! {
        // What has arrived is read first: a request saves the connection.
        biased;
        taken = http(&door, handler, socket, peer, &permit) => taken,
        () = permit.until_shed() => None,
    };
    if let Some((taken, take_over)) = taken {
        tokio::select! {
            () = take_over(taken) => {}
            () = door.stopped() => {}
        }
    }
}

/// Answers requests until a handler takes the connection over. From its request to the end of its response the connection
/// is a client's; else it waits.
async fn http<H: Handler>(
    door: &Rc<Door>,
    handler: Rc<H>,
    socket: Socket,
    peer: Peer,
    permit: &Permit,
) -> Option<(TakenOver, TakeOver)> {
    let progress = Rc::new(Progress::default());
    let service = service_fn(|request| {
        let admitted = permit.serve(door.live().options.max_clients);
        progress.answering.set(admitted);
        let (door, handler, progress) = (door.clone(), handler.clone(), progress.clone());
        // Boxed, for hyper gives the connection back only where its service can be moved.
        Box::pin(async move {
            let response = if admitted {
                respond(&door, handler, request, peer, &progress).await
            } else {
                with_common_headers(&door, door.turn_away())
            };
            Ok::<_, Infallible>(response)
        })
    });
    let io = TokioIo::new(StallTimeout::new(socket, progress.clone()));
    let mut connection = builder().serve_connection(io, service);
    let mut stopped = false;
    loop {
        let ended = poll_fn(|cx| {
            let polled = connection.poll_without_shutdown(cx);
            if let Some(take_over) = progress.wanted.take() {
                return Poll::Ready(Ended::TakenOver(take_over));
            }
            if polled.is_pending() && !progress.answering.get() && !progress.blocked.get() {
                permit.wait();
            }
            polled.map(Ended::Closed)
        });
        let ended = tokio::select! {
            biased;
            ended = ended => ended,
            () = door.stopped(), if !stopped => {
                stopped = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
        };
        let socket = connection.into_parts().io.into_inner().into_socket();
        let closed = match ended {
            Ended::TakenOver(take_over) => return Some((TakenOver { socket }, take_over)),
            Ended::Closed(closed) => closed,
        };
        if let Err(error) = closed {
            log::debug!("client {peer}: {error}");
        }
        permit.wait();
        socket.lingering_close().await;
        return None;
    }
}

/// Gives what the handler answers. Where it wants the connection instead, this never ends: hyper, which hears of no
/// response then, is left by [`http`].
async fn respond<H: Handler>(
    door: &Door,
    handler: Rc<H>,
    request: Request<Incoming>,
    peer: Peer,
    progress: &Progress,
) -> FullResponse {
    let has_body = framing::has_body(request.headers());
    match handler.handle(request, peer).await {
        Outcome::Response(mut response) => {
            progress.answering.set(false);
            if has_body {
                close(response.headers_mut());
            }
            with_common_headers(door, response)
        }
        Outcome::TakeOver(take_over) => {
            progress.wanted.replace(Some(take_over));
            pending().await
        }
    }
}

fn with_common_headers(door: &Door, mut response: FullResponse) -> FullResponse {
    let live = door.live();
    add_common_headers(response.headers_mut(), live.options.allow_origin.as_ref());
    response
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
