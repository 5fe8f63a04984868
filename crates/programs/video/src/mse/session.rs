//! One viewer's WebSocket: the newest picture whenever its socket has drained.
//!
//! The task of a session waits for its socket (what the viewer says, and room), for the next
//! picture and, where nothing of that comes, for the moment to say why or to ask for a sign of
//! life. It ends with the connection.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_http::{Peer, STALL, Socket};
use eyelid_pacing::{Pacer, tcp_info, unacknowledged_bytes};
use eyelid_websocket::Ended;
use serde::Serialize;
use tokio::time::{self, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::connection::{Connection, Event};
use super::fragments::{Described, FragmentError, Fragments};
use super::link_rate::LinkRate;
use super::listening::{Asked, Listening, Said, Unwanted};
use crate::coded::Coded;
use crate::feeds::{Report, Viewer};

/// After which silence of the viewer a sign of life is asked for, and how long that may take.
/// Proxies close connections that are silent for a minute (nginx, `proxy_read_timeout`).
const SILENCE: Duration = Duration::from_secs(30);
const SIGN: Duration = Duration::from_secs(15);

/// After how long without a picture it is said why, if that is known.
const WITHOUT_PICTURE: Duration = Duration::from_secs(1);

/// Close code (RFC 6455, section 7.4.1): gone wrong here.
const INTERNAL: u16 = 1011;

/// A viewer's connection.
pub(crate) struct Session {
    viewer: Viewer,
    connection: Connection,
    socket: Rc<RefCell<Socket>>,
    pacer: Pacer,
    rate: LinkRate,
    fragments: Fragments,
    listening: Listening,
    /// When the viewer gave a sign of life last.
    heard: Instant,
    /// One was asked for since.
    has_asked: bool,
    /// When something was sent last that the socket had not taken.
    sent: Instant,
    /// When it was looked last why no picture comes, or one came.
    looked: Instant,
    told: Option<String>,
}

/// What a page is told between pictures.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Notice<'a> {
    /// The next message is an initialisation segment.
    Init(&'a Described),
    /// Why no picture comes.
    Obstacle { reason: &'a str },
}

/// Why a session ends.
enum End {
    /// We close, and say why.
    Ours(u16, String),
    Theirs(Ended),
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused { code, reason } => Self::Ours(code, reason),
            other => Self::Theirs(other),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Theirs(Ended::Lost(error.to_string()))
    }
}

impl From<Unwanted> for End {
    fn from(unwanted: Unwanted) -> Self {
        Self::Ours(unwanted.code, unwanted.reason.to_owned())
    }
}

impl From<serde_json::Error> for End {
    fn from(error: serde_json::Error) -> Self {
        Self::Ours(INTERNAL, error.to_string())
    }
}

/// What a session goes on with.
enum Next {
    Event(Event),
    Picture(Rc<Coded>),
    /// Why no picture comes may be another.
    Obstacle,
    Due,
}

impl Session {
    pub(crate) fn new(viewer: Viewer, connection: Connection) -> Self {
        let now = now();
        Self {
            viewer,
            socket: connection.socket(),
            connection,
            pacer: Pacer::new(now),
            rate: LinkRate::default(),
            fragments: Fragments::default(),
            listening: Listening::new(now),
            heard: now,
            has_asked: false,
            sent: now,
            looked: now,
            told: None,
        }
    }

    /// Sends pictures until the connection ends.
    pub(crate) async fn run(mut self, peer: Peer) {
        let end = match self.serve().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        // No demand from now on.
        drop(self.viewer);
        match end {
            End::Ours(code, reason) => {
                log::debug!("{peer}: viewer sent away: {reason}");
                self.connection.close(code, &reason).await;
            }
            End::Theirs(ended) => {
                log::debug!("{peer}: viewer left: {ended}");
                self.connection.finish().await;
            }
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            match self.next().await? {
                Next::Event(event) => self.heed(&event)?,
                Next::Picture(coded) => self.show(&coded)?,
                Next::Obstacle => self.tell_obstacle()?,
                Next::Due => self.check()?,
            }
        }
    }

    async fn next(&mut self) -> Result<Next, End> {
        let (viewer, socket) = (&self.viewer, &self.socket);
        let (pacer, rate) = (&mut self.pacer, &mut self.rate);
        let is_sending = self.connection.is_sending();
        let ask = if self.has_asked { SIGN } else { Duration::ZERO };
        let stalls = if is_sending {
            self.sent + STALL
        } else {
            self.heard + SILENCE + SIGN
        };
        let due = (self.heard + SILENCE + ask)
            .min(self.looked + WITHOUT_PICTURE)
            .min(stalls);
        let picture = async {
            drained(socket, pacer).await?;
            rate.on_drained(now(), || Some(tcp_info(&*socket.borrow())?.min_rtt));
            viewer.report(Report {
                waiting_since: None,
                estimate_bps: rate.bits_per_second(),
            });
            io::Result::Ok(viewer.next().await)
        };
        Ok(tokio::select! {
            biased;
            event = self.connection.event() => Next::Event(event?),
            coded = picture, if !is_sending => Next::Picture(coded?),
            () = viewer.obstacle_changed() => Next::Obstacle,
            () = sleep_until(due.into()) => Next::Due,
        })
    }

    /// Does what the viewer asks for.
    fn heed(&mut self, event: &Event) -> Result<(), End> {
        let said = match event {
            Event::Sent => return Ok(()),
            Event::Text(text) => Said::Text(text.as_str()),
            Event::Binary => Said::Binary,
            Event::Sign => Said::Sign,
        };
        let now = now();
        (self.heard, self.has_asked) = (now, false);
        match self.listening.hear(said, now)? {
            Asked::Key => self.viewer.ask_key(),
            Asked::Nothing => {}
        }
        Ok(())
    }

    /// Sends a picture.
    fn show(&mut self, coded: &Coded) -> Result<(), End> {
        let fragment = match self.fragments.next(coded) {
            Ok(fragment) => fragment,
            Err(FragmentError::NoParameterSets) => {
                self.viewer.ask_key();
                return Ok(());
            }
            Err(error) => return Err(End::Ours(INTERNAL, error.to_string())),
        };
        let began = now();
        let mut bytes = fragment.bytes.len();
        if let Some(init) = fragment.init {
            bytes += init.bytes.len();
            self.tell(&Notice::Init(&init.described))?;
            self.connection.send(Message::Binary(init.bytes))?;
        }
        self.connection.send(Message::Binary(fragment.bytes))?;
        self.pacer.on_write(began, bytes as u64);
        self.rate.on_write(began, bytes as u64);
        self.viewer.report(Report {
            waiting_since: Some(began),
            estimate_bps: self.rate.bits_per_second(),
        });
        (self.sent, self.looked, self.told) = (began, began, None);
        Ok(())
    }

    /// Looks what is to be done where nothing happens.
    fn check(&mut self) -> Result<(), End> {
        let now = now();
        if self.connection.is_sending() && now - self.sent >= STALL {
            return Err(io::Error::from(ErrorKind::TimedOut).into());
        }
        let silent_for = now - self.heard;
        if silent_for >= SILENCE + SIGN && self.has_asked {
            return Err(Ended::Lost("no sign of life".to_owned()).into());
        }
        if silent_for >= SILENCE && !self.has_asked {
            self.has_asked = true;
            self.connection.ping()?;
        }
        if now - self.looked >= WITHOUT_PICTURE {
            self.looked = now;
            self.tell_obstacle()?;
        }
        Ok(())
    }

    /// Tells why no picture comes, if the viewer does not know it.
    fn tell_obstacle(&mut self) -> Result<(), End> {
        let obstacle = self.viewer.obstacle();
        if let Some(reason) = obstacle.as_deref().filter(|_| obstacle != self.told) {
            self.tell(&Notice::Obstacle { reason })?;
        }
        self.told = obstacle;
        Ok(())
    }

    fn tell(&mut self, notice: &Notice<'_>) -> Result<(), End> {
        let text = serde_json::to_string(notice)?;
        Ok(self.connection.send(Message::text(text))?)
    }
}

/// Waits until so little lies unacknowledged that the next picture may be chosen ([`Pacer`]).
///
/// # Errors
/// What the socket said; `TimedOut` when nothing left it for [`STALL`].
async fn drained(socket: &Rc<RefCell<Socket>>, pacer: &mut Pacer) -> io::Result<()> {
    loop {
        // Borrowed no longer than this takes: the connection needs it meanwhile.
        let pause = poll_socket(&socket.borrow(), pacer)?;
        match pause {
            Some(pause) => sleep(pause).await,
            None => return Ok(()),
        }
    }
}

fn poll_socket(socket: &Socket, pacer: &mut Pacer) -> io::Result<Option<Duration>> {
    let (now, unacknowledged) = (now(), unacknowledged_bytes(socket)?);
    let pause = pacer.delay(now, unacknowledged, || tcp_info(socket));
    if pause.is_some() && pacer.stalled_for(now) > STALL {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(pause)
}

/// Tokio's clock, which tests may stop.
fn now() -> Instant {
    time::Instant::now().into_std()
}
