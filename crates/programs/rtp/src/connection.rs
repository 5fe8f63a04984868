//! One RTSP connection: its requests are read, decided about by its session, and done.

mod set_up;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_config::RtpCodec;
use eyelid_daemon::timer::at;
use eyelid_http::{Peer, Permit, Socket};
use eyelid_rtp_wire::{Destination, Media, Origin, SessionDescription};
use eyelid_slot::CameraName;
use socket2::SockRef;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::app::App;
use crate::connection_writer::ConnectionWriter;
use crate::delivery::Delivery;
use crate::dscp::mark;
use crate::frames::wanted;
use crate::payload::H264_PAYLOAD_TYPE;
use crate::random;
use crate::refusals;
use crate::rtsp::auth::Unauthorized;
use crate::rtsp::message::{Request, Response, Status};
use crate::rtsp::reader::{Incoming, ReadError, Reader};
use crate::rtsp::session::{Session, Step};
use crate::rtsp::target::Target;
use crate::shares::Share;

/// How many bytes are read at once: requests and reports are hardly ever longer. Each connection
/// has as many, and most of them wait.
const READ_BYTES: usize = 1024;

/// How long who has given a wrong password waits for the answer: guessing is slow then.
const WRONG_PASSWORD_PAUSE: Duration = Duration::from_secs(1);

/// One connection.
struct Connection {
    app: Rc<App>,
    peer: Peer,
    /// The address that the client has connected to, where it is one.
    local: Option<SocketAddr>,
    permit: Permit,
    share: Share,
    writer: ConnectionWriter,
    session: RefCell<Session>,
    delivery: RefCell<Option<Rc<Delivery>>>,
    /// There is another delivery, or it is to play, or is not.
    changed: Notify,
    /// When the client was last heard of.
    heard: Cell<Instant>,
}

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
enum Left {
    #[error("it closed")]
    Closed,
    #[error("{0}")]
    Failed(io::Error),
    #[error("nothing was heard of it for too long")]
    Silent,
    #[error("another needs its room")]
    Shed,
    #[error("its user is in the password file no more, or has another password")]
    NotAllowed,
    #[error("the program ends")]
    Stopping,
}

/// Serves a connection until it ends, fails, must go for another, or the program ends.
pub(crate) async fn serve(app: Rc<App>, socket: Socket, permit: Permit) {
    socket.notice_loss();
    // A client that reads slowly has longer than one that answers nothing.
    socket.prepare();
    let peer = socket.peer();
    if let Some(address) = peer.ip()
        && let Err(error) = mark(&SockRef::from(&socket), app.dscp(), address)
    {
        log::debug!("client {peer}: packets not marked: {error}");
    }
    let share = match app.shares.enter(peer) {
        Ok(share) => share,
        Err(reason) => {
            let status = Status::ServiceUnavailable;
            app.refusals.tell(peer, status, &reason.to_string());
            // It is not waited for, nor what it asks.
            let _ = socket.try_write(&Response::new(status).to_bytes());
            return;
        }
    };
    log::debug!("client {peer} connected");
    let connection = match Connection::new(app, socket, permit, share) {
        Ok(connection) => connection,
        Err(error) => return log::warn!("client {peer} cannot be served: {error}"),
    };
    let left = connection.run().await;
    let level = match left {
        Left::NotAllowed => log::Level::Info,
        _ => log::Level::Debug,
    };
    log::log!(level, "client {peer} left: {left}");
    if matches!(left, Left::Shed) {
        // Its room is another's already; to wait for its side would take room that nobody has.
        return;
    }
    // Frames end, and the camera may sleep, before the client has closed its side.
    if let Some(delivery) = connection.delivery.take() {
        delivery.end(&connection.writer).await;
    }
    connection.writer.close().await;
}

impl Connection {
    fn new(app: Rc<App>, socket: Socket, permit: Permit, share: Share) -> io::Result<Self> {
        let peer = socket.peer();
        let local = match &socket {
            Socket::Tcp(stream) => Some(stream.local_addr()?),
            Socket::Unix(_) => None,
        };
        let id = random::digits()?;
        let timeout = app.session_timeout();
        let session = Session::new(id, app.users(), peer.ip(), timeout);
        Ok(Self {
            app,
            peer,
            local,
            permit,
            share,
            writer: ConnectionWriter::new(socket),
            session: RefCell::new(session),
            delivery: RefCell::default(),
            changed: Notify::new(),
            heard: Cell::new(Instant::now()),
        })
    }

    /// Gives why it ends.
    async fn run(&self) -> Left {
        tokio::select! {
            // What has arrived is read first: a request saves the connection.
            biased;
            ended = self.answer_all() => match ended {
                Ok(()) => Left::Closed,
                Err(error) => Left::Failed(error),
            },
            failed = self.deliver() => Left::Failed(failed),
            () = self.silence() => Left::Silent,
            () = self.app.until_users(|users| !self.session.borrow().may_stay(users)) => {
                Left::NotAllowed
            }
            () = self.permit.until_shed() => Left::Shed,
            () = self.app.stopped() => Left::Stopping,
        }
    }

    async fn answer_all(&self) -> io::Result<()> {
        let mut reader = Reader::default();
        let mut buffer = [0; READ_BYTES];
        loop {
            match reader.next() {
                Ok(Some(Incoming::Request(request))) => {
                    // On the heap while it lasts, as is what is delivered: a connection that waits,
                    // of which strangers open many, has neither.
                    let response = Box::pin(self.answer(&request)).await;
                    // Nothing is sent any more when the client reads that, and nothing yet when it
                    // reads that something will be.
                    if !self.session.borrow().is_playing() {
                        self.follow_session();
                    }
                    self.writer.write(&response.to_bytes()).await?;
                    self.follow_session();
                }
                Ok(Some(Incoming::Interleaved { channel, packet })) => {
                    if let Some(delivery) = &*self.delivery.borrow() {
                        delivery.hear(channel, &packet);
                    }
                }
                Ok(Some(Incoming::Response)) => {}
                Ok(None) => {
                    let read = self.writer.read(&mut buffer).await?;
                    if read == 0 {
                        return Ok(());
                    }
                    self.heard.set(Instant::now());
                    reader.push(&buffer[..read]);
                }
                Err(error) => {
                    let status = match error {
                        ReadError::Malformed => Status::BadRequest,
                        ReadError::Version => Status::VersionNotSupported,
                        ReadError::TooLong => Status::RequestEntityTooLarge,
                    };
                    self.writer.write(&Response::new(status).to_bytes()).await?;
                    return Err(io::Error::other(error));
                }
            }
        }
    }

    async fn answer(&self, request: &Request) -> Response {
        let step = {
            let mut session = self.session.borrow_mut();
            // A password that was set since binds those, too, that were there before.
            session.set_users(self.app.users());
            session.on_request(request, Instant::now(), |target| {
                self.group(target).is_some()
            })
        };
        let response = match step {
            Step::Respond(response) => response,
            Step::Challenge(reason) => {
                if reason == Unauthorized::Wrong {
                    self.tell(Status::Unauthorized, &refusals::wrong_password(request));
                    sleep(WRONG_PASSWORD_PAUSE).await;
                }
                self.challenge(request, reason)
            }
            Step::RespondToDialect(response) => {
                self.tell(response.status, &refusals::dialect(request));
                response
            }
            Step::Describe(target) => self.describe(request, &target).await,
            Step::SetUp(set_up) => self.set_up(request, set_up),
            Step::Play => self.play(request),
            Step::Elsewhere(camera) => self.elsewhere(request, &camera),
            Step::Pause(response) => response,
            Step::TearDown(response) => {
                self.deliver_instead(None);
                self.end_session();
                response
            }
        };
        if let Some(why) = refusals::why(request, response.status) {
            self.tell(response.status, &why);
        }
        if response.status != Status::Ok {
            let asked = refusals::asked(request);
            log::debug!("client {}: {asked}: {}", self.peer, response.status);
        }
        response
    }

    /// Asks for a password.
    fn challenge(&self, request: &Request, reason: Unauthorized) -> Response {
        let mut session = self.session.borrow_mut();
        match random::word() {
            Ok(nonce) => session.challenge(request, reason, nonce, Instant::now()),
            Err(error) => self.unavailable(&session, request, &error),
        }
    }

    /// Says what there is to see.
    async fn describe(&self, request: &Request, target: &Target) -> Response {
        let Some(camera) = self.app.cameras.camera(&target.camera) else {
            return self.session.borrow().not_found(request);
        };
        // Known to players beforehand as a rule, which is worth to wait for.
        let sets = match target.codec {
            RtpCodec::Jpeg => None,
            RtpCodec::H264 => match self.app.taps.parameter_sets(&target.camera).await {
                Ok(sets) => Some(sets),
                Err(error) => {
                    return self.unavailable(&self.session.borrow(), request, &error);
                }
            },
        };
        let media = sets.as_ref().map_or(Media::Jpeg, |sets| Media::H264 {
            payload_type: H264_PAYLOAD_TYPE,
            sequence_parameters: sets.sps(),
            picture_parameters: sets.pps(),
        });
        let (of_frames, frames_per_second) = camera.size_and_fps(wanted(target.size));
        let size_px = match &sets {
            None => of_frames,
            Some(sets) => sets.parse().ok().map(|sps| (sps.width, sps.height)),
        };
        let mut session = self.session.borrow_mut();
        let local = self.local.map(|local| local.ip().to_canonical());
        let any = match local {
            Some(IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Some(IpAddr::V4(_)) | None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        session.described(request, |control| {
            let description = SessionDescription {
                origin: Origin {
                    id: self.app.started_s(),
                    version: 1,
                    address: local.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                },
                name: camera.name().as_str(),
                destination: Destination::Unicast(any),
                port: 0,
                control: Some(control),
                media,
                size_px,
                frames_per_second,
            };
            description.to_string()
        })
    }

    /// There is no room for a client, or nothing to serve it with.
    fn unavailable(
        &self,
        session: &Session,
        request: &Request,
        reason: &dyn fmt::Display,
    ) -> Response {
        let response = session.unavailable(request);
        self.tell(response.status, &reason.to_string());
        response
    }

    fn play(&self, request: &Request) -> Response {
        let mut session = self.session.borrow_mut();
        let (next_sequence, now) = match &*self.delivery.borrow() {
            Some(delivery) => (delivery.stream().next_sequence(), delivery.stream().now()),
            None => return session.unavailable(request),
        };
        session.playing(request, next_sequence, now.rtp_90k)
    }

    /// Refuses what was asked of a camera that is not the session's.
    fn elsewhere(&self, request: &Request, camera: &CameraName) -> Response {
        let session = self.session.borrow();
        match self.app.cameras.camera(camera) {
            Some(_) => session.nothing_set_up(request),
            None => session.not_found(request),
        }
    }

    /// Sends what the session has set up, as long as it plays, and wakes the camera before.
    async fn deliver(&self) -> io::Error {
        loop {
            let changed = self.changed.notified();
            let delivery = self.delivery.borrow().clone();
            let delivered = async {
                match &delivery {
                    Some(delivery) => {
                        let hear = || self.heard.set(Instant::now());
                        Box::pin(delivery.run(&self.writer, hear)).await
                    }
                    None => pending().await,
                }
            };
            tokio::select! {
                // What was paused or ended is not begun.
                biased;
                () = changed => {}
                Err(error) = delivered => return error,
            }
        }
    }

    fn deliver_instead(&self, delivery: Option<Rc<Delivery>>) {
        self.delivery.replace(delivery);
        self.changed.notify_waiters();
    }

    /// Plays as long as the session does.
    fn follow_session(&self) {
        let is_playing = self.session.borrow().is_playing();
        let delivery = self.delivery.borrow();
        if let Some(delivery) = &*delivery
            && delivery.set_playing(is_playing) != is_playing
        {
            self.changed.notify_waiters();
        }
    }

    /// Waits until the client has been silent for too long.
    async fn silence(&self) {
        loop {
            let changed = self.changed.notified();
            let timeout = self.session.borrow().timeout();
            let end = timeout.map(|timeout| self.heard.get() + timeout);
            if end.is_some_and(|end| end <= Instant::now()) {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = at(end.map(Into::into)) => {}
            }
        }
    }

    /// Has the log say why the client is refused.
    fn tell(&self, status: Status, why: &str) {
        self.app.refusals.tell(self.peer, status, why);
    }
}
