//! One session: a camera's pictures to one client, until one of the two has had enough.
//!
//! Its task waits for datagrams, for the next picture, for requests, and for what WebRTC has to do
//! at its time. It owns the connection, the viewer and the permit of its address; it
//! ends with the connection, which ends when the client says so or falls silent, or when its time
//! is over.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_http::Peer;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::checks::Checks;
use super::connection::{Connection, Ended};
use super::handshakes::{Handshakes, Room};
use super::inbox::Inbox;
use super::udp::{Batch, Datagram, Udp};
use super::{ADDRESSES_EACH, Command, Registration, names, stun};
use crate::coded::Coded;
use crate::feeds::{Reception, Report, Viewer};
use crate::limits::SessionPermit;
use crate::signalling::Rejection;
use crate::signalling::credentials::Credentials;

/// How long an offer of ours waits for its answer.
const UNANSWERED: Duration = Duration::from_secs(10);

/// How long a client has to connect, from when both know of each other. Browsers give up after 15 s
/// (webrtc.org, P2PTransportChannel).
const CONNECTING: Duration = Duration::from_secs(15);

/// How often a client is pinged that answers, and how long it may be silent.
const PING: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// Far enough in the future for nothing to be due.
const NEVER: Duration = Duration::from_secs(3600);

/// One session.
pub(super) struct Session {
    pub(super) registration: Registration,
    pub(super) peer: Peer,
    pub(super) connection: Connection,
    pub(super) viewer: Viewer,
    pub(super) inbox: Rc<Inbox>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) udp: Rc<Udp>,
    pub(super) handshakes: Rc<Handshakes>,
    pub(super) max_session: Option<Duration>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) permit: SessionPermit,
    pub(super) state: State,
}

/// What a session knows of itself.
pub(super) struct State {
    began: Instant,
    /// Since when both sides know of each other.
    described: Instant,
    room: Option<Room>,
    checks: Checks,
    /// Which address of this machine each of the client's sends to.
    ways: Vec<(SocketAddr, IpAddr)>,
    report: Report,
    reception: Reception,
    pinged: Instant,
    ponged: Instant,
}

/// Why a session is over.
#[derive(Debug)]
enum Over {
    Connection(Ended),
    Unanswered,
    NotConnected,
    Silent,
    MaxSession,
    Closed,
    Stopping,
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            described: now,
            room: None,
            checks: Checks::default(),
            ways: Vec::new(),
            report: Report::default(),
            reception: Reception::default(),
            pinged: now,
            ponged: now,
        }
    }
}

impl Session {
    /// Serves the session to its end.
    pub(super) async fn run(mut self) {
        let (id, peer) = (self.registration.id, self.peer);
        log::debug!("{peer}: session {id:?} begins");
        let over = self.serve().await;
        self.connection.close();
        self.drive(Instant::now());
        log::debug!("{peer}: session {id:?} ends: {over}");
    }

    async fn serve(&mut self) -> Over {
        loop {
            let now = Instant::now();
            let due = self.drive(now);
            if let Some(ended) = self.connection.ended() {
                return Over::Connection(ended.clone());
            }
            if let Some(over) = self.over(now) {
                return over;
            }
            let wake = due.unwrap_or(now + NEVER).min(self.deadline());
            tokio::select! {
                () = self.inbox.until_some(), if !self.connection.is_offering() => self.read(),
                coded = self.viewer.next(), if self.connection.is_connected() => self.write(&coded),
                command = self.commands.recv() => match command {
                    Some(Command::Answer(answer, taken)) => {
                        let accepted = self.connection.accept(&answer);
                        self.state.described = Instant::now();
                        // Who asked may be gone.
                        let _ = taken.send(accepted);
                    }
                    Some(Command::Restart(theirs, restarted)) => {
                        let _ = restarted.send(self.restart(theirs));
                    }
                    Some(Command::Close) | None => return Over::Closed,
                },
                () = sleep_until(wake.into()) => {}
                () = stopped(&mut self.stopping) => return Over::Stopping,
            }
        }
    }

    /// Begins ICE anew; gives this side's name, and what the client has to know.
    fn restart(&mut self, theirs: Credentials) -> Result<(String, String), Rejection> {
        let ours = names::in_ice()?;
        let fragment = self.connection.restart(ours.clone(), &theirs)?;
        self.registration.is_called(&ours.ufrag, theirs.ufrag);
        // What was sent by the old name is none's any more, and where it came from is forgotten.
        self.state.checks = Checks::default();
        self.state.described = Instant::now();
        Ok((ours.ufrag, fragment))
    }

    /// Reads what has come.
    fn read(&mut self) {
        while let Some(datagram) = self.inbox.take() {
            let Datagram {
                at,
                from,
                to,
                bytes,
            } = datagram;
            if !self.connection.accepts(from, &bytes, at) {
                continue;
            }
            let is_check = stun::is_stun(&bytes);
            if is_check {
                if !self.state.checks.take(&bytes, from) {
                    continue;
                }
                self.registration.is_at(from);
            }
            self.state.note_way(from, to, is_check);
            if stun::is_dtls(&bytes) && !self.may_shake_hands(from, at) {
                continue;
            }
            self.connection.receive(from, &bytes, at);
        }
    }

    /// Says whether there is room for this handshake, and takes it: as one of the address that
    /// asked for the session, or where that was a proxy's, of the one that the datagram comes from.
    fn may_shake_hands(&mut self, from: SocketAddr, now: Instant) -> bool {
        let room = &mut self.state.room;
        if self.connection.is_connected() || room.as_ref().is_some_and(Room::is_held) {
            return true;
        }
        let address = self.permit.address().or(Peer::Tcp(from).network());
        *room = self.handshakes.enter(address, now);
        room.is_some()
    }

    fn write(&mut self, coded: &Coded) {
        let wall = SystemTime::now();
        self.state.reception.age = wall.duration_since(coded.captured).ok();
        self.connection.write(coded, Instant::now(), wall);
    }

    /// Does what WebRTC has to do now, and says when it has to again.
    fn drive(&mut self, now: Instant) -> Option<Instant> {
        let Self {
            connection,
            udp,
            state,
            ..
        } = self;
        let way = |to| state.way(to);
        let mut batch = Batch::new(udp, &way);
        let due = connection.run(now, &mut |transmit| {
            batch.push(transmit.destination, &transmit.contents);
        });
        drop(batch);
        self.heed(now);
        due
    }

    /// Passes on what the client and the pacer say.
    fn heed(&mut self, now: Instant) {
        let told = self.connection.take_told();
        let state = &mut self.state;
        if self.connection.is_connected() {
            state.room = None;
        }
        if told.wants_key {
            self.viewer.ask_key();
        }
        if told.is_broken {
            self.viewer.breaks_off();
        }
        if told.ponged {
            state.ponged = now;
        }
        let report = Report {
            waiting_since: self.connection.waiting_since(),
            estimate_bps: self.connection.estimate_bps(),
        };
        if report != state.report {
            state.report = report;
            self.viewer.report(report);
        }
        if let Some(media) = &told.media {
            state.reception.fraction_lost = media.loss.map(f64::from);
            state.reception.round_trip = media.rtt;
            let jitter = media.remote.as_ref().map(|remote| remote.jitter);
            state.reception.jitter =
                jitter.map(|jitter_90k| Duration::from_secs(1) * jitter_90k / 90_000);
            self.viewer.set_reception(state.reception);
        }
        if now >= state.pinged + PING {
            state.pinged = now;
            if !self.connection.ping() {
                state.ponged = now;
            }
        }
    }

    /// Says when to look whether the session is over, if nothing happens.
    fn deadline(&self) -> Instant {
        let state = &self.state;
        let connecting = match self.connection.is_offering() {
            true => state.began + UNANSWERED,
            false => state.described + CONNECTING,
        };
        let next = match self.is_waiting() {
            true => connecting,
            false => state.pinged + PING,
        };
        self.max_session
            .map_or(next, |max| next.min(state.began + max))
    }

    /// Says whether the client has to connect yet, or again.
    fn is_waiting(&self) -> bool {
        !self.connection.is_connected() || self.connection.is_restarting()
    }

    fn over(&self, now: Instant) -> Option<Over> {
        let state = &self.state;
        if self.max_session.is_some_and(|max| now >= state.began + max) {
            return Some(Over::MaxSession);
        }
        if self.connection.is_offering() {
            return (now >= state.began + UNANSWERED).then_some(Over::Unanswered);
        }
        if self.is_waiting() {
            return (now >= state.described + CONNECTING).then_some(Over::NotConnected);
        }
        (now >= state.ponged + SILENCE).then_some(Over::Silent)
    }
}

/// Waits until sessions are to end; what says so may be gone first.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

impl State {
    /// Remembers where a client sends to: from there it is answered. Checks go everywhere, what is
    /// encrypted goes only where the client has chosen.
    fn note_way(&mut self, from: SocketAddr, to: IpAddr, is_check: bool) {
        match self.ways.iter_mut().find(|(client, _)| *client == from) {
            Some(_) if is_check => {}
            Some((_, way)) => *way = to,
            None => {
                if self.ways.len() == ADDRESSES_EACH {
                    self.ways.remove(0);
                }
                self.ways.push((from, to));
            }
        }
    }

    fn way(&self, client: SocketAddr) -> Option<IpAddr> {
        let mut ways = self.ways.iter();
        ways.find(|(known, _)| *known == client)
            .map(|(_, way)| *way)
    }
}

impl fmt::Display for Over {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connection(Ended::Closed) => "the client has closed it",
            Self::Connection(Ended::Lost) => "nothing came from the client for long",
            Self::Connection(Ended::Failed(error)) => error,
            Self::Unanswered => "the offer was not answered",
            Self::NotConnected => "the client did not connect; does its UDP come here?",
            Self::Silent => "the client did not answer pings",
            Self::MaxSession => "max-session is over",
            Self::Closed => "the client has asked for it",
            Self::Stopping => "the program ends",
        })
    }
}
