//! One connection: HTTP by hyper, until a handler takes it over.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::admission::Permit;
use crate::door::Door;
use crate::framing;
use crate::hand_over::{self, HandedOver, Known, Link};
use crate::progress::Progress;
use crate::response::{FullResponse, add_common_headers, close};
use crate::socket::{Peer, Socket};
use crate::stall_timeout::StallTimeout;
use crate::take_over::{TakeOver, TakenOver};

/// How long a client may take for a request's header, and idle between two: browsers and pollers
/// ask again well within it, and one that trickles is gone after it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds of a request's header. Browsers behind OctoPrint send a few KB of cookies.
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// What a program does with requests.
pub trait Handler: 'static {
    /// Answers a request, or takes its connection over. What all responses carry is added to this
    /// one.
    fn handle(
        self: Rc<Self>,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> impl Future<Output = Outcome> + 'static;

    /// Says whether the program serves others than connections, too: then the end of these is not
    /// its own.
    fn is_busy(&self) -> bool {
        false
    }
}

/// How a connection came.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// This program accepted it, from this client: its requests are still to be checked
    /// ([`Door::check`]).
    Accepted(Peer),
    /// Another program handed it over, and has checked its one request.
    HandedOver(Rc<Known>),
}

impl Arrival {
    /// Gives the client.
    pub fn peer(&self) -> Peer {
        match self {
            Self::Accepted(peer) => *peer,
            Self::HandedOver(known) => known.peer,
        }
    }
}

/// The address of this machine by which a request came, among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameBy(pub IpAddr);

/// What a request comes to.
pub enum Outcome {
    /// A response; more requests may follow.
    Response(FullResponse),
    /// HTTP ends here, without a response: this has the connection from now on.
    TakeOver(TakeOver),
    /// It is refused, by what this gives after a while. Meanwhile and from then on the connection
    /// is no client, but one of those that wait, and goes if another needs its room.
    Refused(Refusing),
}

/// A refusal that takes its time.
type Refusing = Pin<Box<dyn Future<Output = Outcome>>>;

impl Outcome {
    /// Takes the connection over.
    pub fn take_over<F: Future<Output = ()> + 'static>(
        take_over: impl FnOnce(TakenOver) -> F + 'static,
    ) -> Self {
        Self::TakeOver(Box::new(|taken| Box::pin(take_over(taken))))
    }

    /// Refuses it.
    pub fn refused(refusing: impl Future<Output = Self> + 'static) -> Self {
        Self::Refused(Box::pin(refusing))
    }
}

/// How HTTP on a connection ends.
enum Ended {
    TakenOver(TakeOver),
    Closed(hyper::Result<()>),
}

/// One connection and what decides about its requests.
struct Connection<'a, H> {
    door: Rc<Door>,
    handler: Rc<H>,
    arrival: Arrival,
    room: Room<'a>,
    progress: Rc<Progress>,
}

/// Where a connection has its room.
#[derive(Clone, Copy)]
enum Room<'a> {
    /// Among those that this program has accepted.
    Here(&'a Rc<Permit>),
    /// Among those of the program that has handed it over.
    Elsewhere(&'a Link),
}

impl Room<'_> {
    fn permit(&self) -> Option<&Rc<Permit>> {
        match self {
            Self::Here(permit) => Some(permit),
            Self::Elsewhere(_) => None,
        }
    }

    /// It is refused: it is no client, but waits.
    fn refuse(&self) {
        match self {
            Self::Here(permit) => permit.wait(),
            Self::Elsewhere(link) => link.refuse(),
        }
    }

    /// Waits until it must go for another.
    async fn until_shed(&self) {
        match self {
            Self::Here(permit) => permit.until_shed().await,
            Self::Elsewhere(link) => link.until_shed().await,
        }
    }
}

/// Serves a connection until it ends, fails, must go for another, or the program ends.
pub(crate) async fn serve<H: Handler>(
    door: Rc<Door>,
    handler: Rc<H>,
    socket: Socket,
    permit: Permit,
) {
    socket.prepare();
    let arrival = Arrival::Accepted(socket.peer());
    log::debug!("client {} connected", arrival.peer());
    let permit = Rc::new(permit);
    let connection = Connection {
        door,
        handler,
        arrival,
        room: Room::Here(&permit),
        progress: Rc::default(),
    };
    connection.run(socket, Bytes::new()).await;
}

/// Serves the one request of a connection that another program hands over by `link`, which stays
/// open for as long as the client is there.
pub(crate) async fn serve_handed_over<H: Handler>(door: Rc<Door>, handler: Rc<H>, link: OwnedFd) {
    let HandedOver {
        known,
        socket,
        read,
        link,
    } = match hand_over::receive(link).await {
        Ok(handed_over) => handed_over,
        Err(error) => return log::warn!("a connection was not handed over: {error}"),
    };
    log::debug!("client {} handed over", known.peer);
    // hyper does not wait until it has written a response that leaves a body unread, and a socket
    // that is new to the runtime takes nothing yet.
    socket.writable().await;
    let connection = Connection {
        door,
        handler,
        arrival: Arrival::HandedOver(Rc::new(known)),
        room: Room::Elsewhere(&link),
        progress: Rc::default(),
    };
    connection.run(socket, read).await;
}

impl<H: Handler> Connection<'_, H> {
    /// Speaks HTTP, then does what has taken the connection over.
    async fn run(&self, socket: Socket, already_read: Bytes) {
        let taken = tokio::select! {
            // What has arrived is read first: a request saves the connection.
            biased;
            taken = self.http(socket, already_read) => taken,
            () = self.room.until_shed() => None,
        };
        if let Some((taken, take_over)) = taken {
            tokio::select! {
                () = take_over(taken) => {}
                // One that is refused.
                () = self.room.until_shed() => {}
                () = self.door.stopped() => {}
            }
        }
    }

    /// Answers requests until a handler takes the connection over. From its request to the end of
    /// its response the connection is a client's; else it waits.
    async fn http(&self, socket: Socket, already_read: Bytes) -> Option<(TakenOver, TakeOver)> {
        let came_by = socket.came_by().map(CameBy);
        let service = service_fn(|mut request: Request<Incoming>| {
            if let Some(came_by) = came_by {
                request.extensions_mut().insert(came_by);
            }
            let admitted = self.admit();
            self.progress.answering.set(admitted);
            // Boxed, for hyper gives the connection back only where its service can be moved.
            Box::pin(async move {
                let response = match admitted {
                    true => self.respond(request).await,
                    false => self.door.turn_away(),
                };
                Ok::<_, Infallible>(self.with_common_headers(response))
            })
        });
        let stall_timeout = StallTimeout::new(socket, already_read, self.progress.clone());
        let mut connection = builder()
            .keep_alive(self.room.permit().is_some())
            .serve_connection(TokioIo::new(stall_timeout), service);
        let mut stopped = false;
        let ended = loop {
            let ended = poll_fn(|cx| {
                let polled = connection.poll_without_shutdown(cx);
                self.progress(polled)
            });
            tokio::select! {
                biased;
                ended = ended => break ended,
                () = self.door.stopped(), if !stopped => {
                    stopped = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let socket = connection.into_parts().io.into_inner().into_socket();
        match ended {
            Ended::TakenOver(take_over) => {
                let read = self.progress.recording.borrow_mut().take();
                let permit = self.room.permit().cloned();
                let taken = TakenOver {
                    socket,
                    read,
                    permit,
                };
                Some((taken, take_over))
            }
            Ended::Closed(closed) => {
                if let Err(error) = closed {
                    log::debug!("client {}: {error}", self.arrival.peer());
                }
                self.wait();
                socket.lingering_close().await;
                None
            }
        }
    }

    /// Gives how HTTP has ended, if it has; else the connection waits if nothing is to be answered.
    fn progress(&self, polled: Poll<hyper::Result<()>>) -> Poll<Ended> {
        if let Some(take_over) = self.progress.wanted.take() {
            return Poll::Ready(Ended::TakenOver(take_over));
        }
        if polled.is_pending() && self.progress.is_idle() {
            self.wait();
        }
        polled.map(Ended::Closed)
    }

    fn admit(&self) -> bool {
        let limit = || self.door.live().options.max_clients;
        let permit = self.room.permit();
        permit.is_none_or(|permit| permit.serve(limit()))
    }

    fn wait(&self) {
        if let Some(permit) = self.room.permit() {
            permit.wait();
        }
    }

    /// Gives what the handler answers. Where it wants the connection instead, this never ends:
    /// hyper, which hears of no response then, is left by [`Connection::http`].
    async fn respond(&self, request: Request<Incoming>) -> FullResponse {
        let has_body = framing::has_body(request.headers());
        let handling = self.handler.clone().handle(request, self.arrival.clone());
        self.come_to(handling.await, has_body).await
    }

    /// Does what a request comes to.
    async fn come_to(&self, mut outcome: Outcome, has_body: bool) -> FullResponse {
        loop {
            outcome = match outcome {
                Outcome::Refused(refusing) => {
                    self.room.refuse();
                    refusing.await
                }
                Outcome::Response(mut response) => {
                    self.progress.answered();
                    if has_body || self.room.permit().is_none() {
                        close(response.headers_mut());
                    }
                    return response;
                }
                Outcome::TakeOver(take_over) => {
                    self.progress.wanted.replace(Some(take_over));
                    return pending().await;
                }
            };
        }
    }

    fn with_common_headers(&self, mut response: FullResponse) -> FullResponse {
        let live = self.door.live();
        let allow_origin = match &self.arrival {
            Arrival::Accepted(_) => live.options.allow_origin.as_ref(),
            Arrival::HandedOver(known) => known.allow_origin.as_ref(),
        };
        add_common_headers(response.headers_mut(), allow_origin);
        response
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

#[cfg(test)]
mod tests;
