//! Requests that open, change and end sessions.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eyelid_figures::ViewerWay;
use eyelid_http::CameBy;
use eyelid_http::response::FullResponse;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use nix::ifaddrs::getifaddrs;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::connection::Connection;
use super::session::{Session, State};
use super::set_up::SetUp;
use super::udp::Udp;
use super::{Command, Entry, Inbox, Peers, Table, names};
use crate::feeds::{About, Pace, Viewer};
use crate::limits::SessionPermit;
use crate::signalling::ask::Ask;
use crate::signalling::candidates::Ways;
use crate::signalling::fragment::SdpFragment;
use crate::signalling::json::{self, Message};
use crate::signalling::offer::Description;
use crate::signalling::session_id::SessionId;
use crate::signalling::whep::{self, Condition, Taken, Trickled, WhepRequest};
use crate::signalling::{BODY_BYTES, Rejection, count_candidates};

/// How long a body may take: it comes in one or two packets.
const BODY_TIME: Duration = Duration::from_secs(5);

/// How many requests to one session wait: it heeds each at once.
const COMMANDS: usize = 4;

/// A session that may begin.
struct Opening {
    id: SessionId,
    permit: SessionPermit,
    viewer: Viewer,
    set_up: SetUp,
    udp: Rc<Udp>,
    now: Instant,
}

impl Peers {
    /// Answers WHEP; `session` is what its path has behind `whep/`.
    pub(crate) async fn whep(
        &self,
        ask: Ask<'_>,
        session: Option<&str>,
        body: Incoming,
    ) -> FullResponse {
        let answered = self.answer_whep(ask, session, body).await;
        answered.unwrap_or_else(|rejection| rejection.response())
    }

    /// Answers camera-streamer's JSON.
    pub(crate) async fn json(&self, ask: Ask<'_>, body: Incoming) -> FullResponse {
        let answered = self.answer_json(ask, body).await;
        answered.unwrap_or_else(|rejection| rejection.response())
    }

    async fn answer_whep(
        &self,
        ask: Ask<'_>,
        session: Option<&str>,
        body: Incoming,
    ) -> Result<FullResponse, Rejection> {
        match whep::read(&ask.parts.method, &ask.parts.headers, session)? {
            WhepRequest::Preflight(response) => Ok(response),
            WhepRequest::Open => {
                let offer = whep::offer(&whole(body).await?)?;
                let (id, answer) = self.open(&ask, &offer)?;
                let tag = self.table.tag(id);
                Ok(whep::created(ask.parts.uri.path(), id, &tag, answer))
            }
            WhepRequest::Trickle(id, condition) => {
                let fragment = SdpFragment::parse(&whole(body).await?)?;
                match self.trickle(&ask, id, &condition, &fragment)? {
                    Taken::Candidates(_) => Ok(whep::trickled()),
                    Taken::Restart(theirs) => {
                        let (restarted, answered) = oneshot::channel();
                        self.command(&ask, id, Command::Restart(theirs, restarted))?;
                        let (tag, fragment) = answer_of(answered).await?;
                        Ok(whep::restarted(&tag, fragment))
                    }
                }
            }
            WhepRequest::Close(id) => {
                self.command(&ask, id, Command::Close)?;
                Ok(whep::closed())
            }
        }
    }

    async fn answer_json(&self, ask: Ask<'_>, body: Incoming) -> Result<FullResponse, Rejection> {
        if let Some(response) = json::preflight(&ask.parts.method)? {
            return Ok(response);
        }
        match json::read(&whole(body).await?)? {
            Message::Offer(offer, _) => {
                let (id, answer) = self.open(&ask, &offer)?;
                Ok(json::answered(id, &answer))
            }
            Message::Request(keep_alive) => {
                let opening = self.opening(&ask)?;
                let offered = Connection::offer(&opening.set_up, keep_alive, opening.now)?;
                let (connection, offer) = offered;
                let id = self.begin(&ask, opening, connection, None);
                Ok(json::offered(id, &offer))
            }
            Message::Answer(id, answer) => {
                let candidates = answer.candidates;
                self.count(&ask, id, candidates)?;
                let (taken, answered) = oneshot::channel();
                self.command(&ask, id, Command::Answer(Box::new(answer), taken))?;
                answer_of(answered).await?;
                Ok(json::taken())
            }
            Message::Candidates(id, more) => {
                self.count(&ask, id, more)?;
                Ok(json::taken())
            }
        }
    }

    /// Opens a session by an offer; gives its name, and the answer.
    fn open(&self, ask: &Ask<'_>, offer: &Description) -> Result<(SessionId, String), Rejection> {
        let opening = self.opening(ask)?;
        let (connection, answer) = Connection::answer(&opening.set_up, offer, opening.now)?;
        let id = self.begin(ask, opening, connection, Some(offer));
        Ok((id, answer))
    }

    /// Has a camera watched, if it may be by whom asks. That wakes it.
    fn opening(&self, ask: &Ask<'_>) -> Result<Opening, Rejection> {
        let now = Instant::now();
        let no_camera = || {
            let what = format!("there is no H.264 of a camera {:?}", ask.camera.as_str());
            Rejection::new(StatusCode::NOT_FOUND, what)
        };
        let limits = self.feeds.limits_of(ask.camera).ok_or_else(no_camera)?;
        // Counted now: others may have come while the body was read.
        let free = (ask.terms.max_viewers).saturating_sub(self.feeds.count());
        let permit = self.limits.enter(ask.peer, free, now)?;
        // Before the camera wakes.
        let udp = self.port.get()?;
        let (id, credentials) = names::of_session()?;
        let viewer = self
            .feeds
            .watch(ask.camera, Pace::Holds)
            .ok_or_else(no_camera)?;
        viewer.set_about(About {
            way: ViewerWay::WebRtc,
            peer: ask.peer.to_string(),
        });
        let set_up = SetUp {
            crypto: self.crypto.clone(),
            certificate: self.certificate.clone(),
            credentials,
            candidates: candidates(ask, udp.bound()),
            bitrate_bps: u64::from(limits.most_bps),
        };
        Ok(Opening {
            id,
            permit,
            viewer,
            set_up,
            udp,
            now,
        })
    }

    /// Begins a session.
    fn begin(
        &self,
        ask: &Ask<'_>,
        opening: Opening,
        connection: Connection,
        offer: Option<&Description>,
    ) -> SessionId {
        let id = opening.id;
        let inbox: Rc<Inbox> = Rc::default();
        let (commands, heard) = mpsc::channel(COMMANDS);
        let entry = Entry {
            camera: ask.camera.clone(),
            ufrag: opening.set_up.credentials.ufrag,
            client_ufrag: offer.map(|offer| offer.ice_ufrag.clone()),
            candidates: offer.map_or(0, |offer| offer.candidates),
            inbox: inbox.clone(),
            commands,
            addresses: Vec::new(),
        };
        let session = Session {
            registration: self.table.enter(id, entry),
            peer: ask.peer,
            connection,
            viewer: opening.viewer,
            inbox,
            commands: heard,
            udp: opening.udp,
            handshakes: self.handshakes.clone(),
            max_session: ask.terms.max_session,
            stopping: self.stopping.subscribe(),
            permit: opening.permit,
            state: State::new(opening.now),
        };
        spawn_local(session.run());
        id
    }

    fn trickle(
        &self,
        ask: &Ask<'_>,
        id: SessionId,
        condition: &Condition,
        fragment: &SdpFragment,
    ) -> Result<Taken, Rejection> {
        self.with_entry(ask, id, |entry| {
            let trickled = Trickled {
                tag: &entry.ufrag,
                ice_ufrag: entry.client_ufrag.as_deref(),
                candidates: entry.candidates,
            };
            let taken = trickled.take(condition, fragment)?;
            if let Taken::Candidates(count) = taken {
                entry.candidates = count;
            }
            Ok(taken)
        })
    }

    /// Counts candidates that a client has told.
    fn count(&self, ask: &Ask<'_>, id: SessionId, more: usize) -> Result<(), Rejection> {
        self.with_entry(ask, id, |entry| {
            entry.candidates = count_candidates(entry.candidates, more)?;
            Ok(())
        })
    }

    fn command(&self, ask: &Ask<'_>, id: SessionId, command: Command) -> Result<(), Rejection> {
        self.with_entry(ask, id, |entry| {
            let busy = |_| {
                let what = "this session is asked too much at once";
                Rejection::new(StatusCode::TOO_MANY_REQUESTS, what)
            };
            entry.commands.try_send(command).map_err(busy)
        })
    }

    /// Does something to a session of this camera.
    fn with_entry<T>(
        &self,
        ask: &Ask<'_>,
        id: SessionId,
        then: impl FnOnce(&mut Entry) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let mut sessions = self.table.sessions.borrow_mut();
        let entry = sessions
            .get_mut(&id)
            .filter(|entry| entry.camera == *ask.camera);
        then(entry.ok_or_else(Rejection::no_session)?)
    }
}

impl Table {
    /// Gives a session's tag.
    fn tag(&self, id: SessionId) -> String {
        let sessions = self.sessions.borrow();
        sessions
            .get(&id)
            .map(|entry| entry.ufrag.clone())
            .unwrap_or_default()
    }
}

/// Waits for what a session makes of a command; it may have ended meanwhile.
async fn answer_of<T>(answered: oneshot::Receiver<Result<T, Rejection>>) -> Result<T, Rejection> {
    answered
        .await
        .unwrap_or_else(|_| Err(Rejection::no_session()))
}

/// Reads a body to its end.
async fn whole(body: Incoming) -> Result<Bytes, Rejection> {
    let collected = timeout(BODY_TIME, Limited::new(body, BODY_BYTES).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::too_long()),
        Ok(Err(error)) => {
            let what = format!("the body ends too early: {error}");
            Err(Rejection::new(StatusCode::BAD_REQUEST, what))
        }
        Err(_) => {
            let what = "the body does not come";
            Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, what))
        }
    }
}

/// Gives the addresses by which the client is to find the socket that is bound there.
fn candidates(ask: &Ask<'_>, bound: SocketAddr) -> Vec<SocketAddr> {
    let came_by = ask.parts.extensions.get::<CameBy>();
    let ways = Ways {
        came_by: came_by.map(|came_by| came_by.0),
        bound,
        interfaces: &interfaces(),
        configured: &ask.terms.candidates,
    };
    ways.candidates()
}

/// Gives the addresses of this machine.
fn interfaces() -> Vec<IpAddr> {
    let all = getifaddrs().inspect_err(|error| log::debug!("no list of interfaces: {error}"));
    let addresses = all.into_iter().flatten().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    addresses.collect()
}
