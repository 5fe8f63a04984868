//! One place that a camera is sent to: its loop, from resolving the name to the last packet.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_config::RtpCodec;
use eyelid_consumer::SharedFrame;
use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_daemon::timer::at;
use eyelid_daemon::{LogLimit, apart};
use eyelid_rtp_wire::{Farewell, Framing, PacketBytes};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::addresses;
use crate::app::App;
use crate::destinations::DestinationSettings;
use crate::frames::Frames;
use crate::loss_adaptation::LossAdaptation;
use crate::members::Members;
use crate::payload::{Payload, payload_type};
use crate::push::reports::COLLISIONS_LOGGED;
use crate::push_socket::{PushSocket, SendFailure};
use crate::reach::Reach;
use crate::stream::RtpStream;
use crate::video::Video;

mod figures;
mod reports;

/// How often it is seen whether a name is to be looked up again, for it may have moved.
const LOOK_UP: Duration = Duration::from_secs(5);

/// What could be sent to for so long was there: what comes after that is told anew.
const SETTLED: Duration = Duration::from_secs(10);

/// How many routers packets of a group pass where nothing is said: none (ip(7), IP_MULTICAST_TTL).
const MULTICAST_TTL: u8 = 1;

/// The pauses before a name is looked up again that has no address.
const NAME_BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));

/// The pauses before an address is tried again that there is no way to: it costs next to nothing.
const WAY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(2));

/// A camera that is sent to one place.
pub(crate) struct Push {
    pub(crate) settings: DestinationSettings,
    stream: RtpStream,
    /// Where that is, while it is known and can be sent to.
    address: Cell<Option<SocketAddr>>,
    reach: Reach,
    adaptation: RefCell<LossAdaptation>,
    /// Receivers that have its SSRC.
    collisions: LogLimit,
    /// The sessions of RTSP that listen there, where it is a group.
    pub(crate) members: Members,
    /// It is no destination any more: a reload has dropped it, or changed it.
    pub(crate) is_dropped: Cell<bool>,
    /// Its receivers are to be told that nothing more comes.
    leave: Notify,
    since: SystemTime,
    /// What it takes of the camera, while it does.
    frames: RefCell<Weak<Frames>>,
    /// Likewise, of H.264.
    video: RefCell<Weak<Video>>,
    /// Why nothing can be sent.
    error: RefCell<Option<String>>,
}

/// Why nothing more is sent to an address.
enum Ended {
    /// It is not the name's any more, or refuses, and there are others.
    Elsewhere,
    /// The program ends, or this is no destination any more.
    Stopped,
}

impl Push {
    /// Has sent nothing yet.
    ///
    /// # Errors
    /// What the system said: it gives no random numbers.
    pub(crate) fn new(settings: DestinationSettings) -> anyhow::Result<Self> {
        let packet_bytes = PacketBytes::new(settings.mtu.bytes())?;
        let ssrc = settings.ssrc.map(|ssrc| ssrc.bits());
        Ok(Self {
            stream: RtpStream::new(
                ssrc,
                payload_type(settings.codec),
                packet_bytes,
                Framing::Datagrams,
                settings.pace,
            )?,
            address: Cell::default(),
            reach: Reach::new(name(&settings), settings.always),
            adaptation: RefCell::new(LossAdaptation::new(settings.size)),
            collisions: LogLimit::new(4, COLLISIONS_LOGGED),
            members: Members::default(),
            is_dropped: Cell::default(),
            leave: Notify::new(),
            since: SystemTime::now(),
            frames: RefCell::default(),
            video: RefCell::default(),
            error: RefCell::default(),
            settings,
        })
    }

    /// Its stream.
    pub(crate) fn stream(&self) -> &RtpStream {
        &self.stream
    }

    /// The group that it is, if it is one.
    pub(crate) fn group(&self) -> Option<SocketAddr> {
        self.address.get().filter(|to| to.ip().is_multicast())
    }

    /// How many routers packets pass.
    pub(crate) fn ttl(&self) -> u8 {
        self.settings.ttl.unwrap_or(MULTICAST_TTL)
    }

    /// Somebody looks there.
    pub(crate) fn want(&self) {
        self.reach.want();
    }

    /// Tells receivers that nothing more comes, and ends. Says whether there may be any: else there
    /// is nothing to wait for.
    pub(crate) fn leave(&self) -> bool {
        self.leave.notify_one();
        self.address.get().is_some()
    }

    /// Says whether packets go to this host and are refused there.
    pub(crate) fn is_refused_by(&self, host: IpAddr) -> bool {
        self.reach.is_refused() && self.address.get().is_some_and(|to| to.ip() == host)
    }

    /// Sends, whatever happens, until the program ends or this is no destination any more.
    pub(crate) async fn run(&self, app: &App) {
        let (mut names, mut ways) = (NAME_BACKOFF, WAY_BACKOFF);
        let mut told = String::new();
        loop {
            let began = Instant::now();
            let ended = self.run_once(app).await;
            self.address.take();
            let error = match ended {
                Ok(Ended::Elsewhere) => continue,
                Ok(Ended::Stopped) => return,
                Err(error) => format!("{error:#}"),
            };
            self.error.replace(Some(error.clone()));
            if began.elapsed() > SETTLED {
                (names, ways) = (NAME_BACKOFF, WAY_BACKOFF);
                told.clear();
            }
            if error != told {
                log::warn!("{self}: {error}; it is tried again");
                told = error;
            }
            self.reach.on_lost();
            let has_address = self.reach.addresses.borrow().current().is_some();
            let backoff = if has_address { &mut ways } else { &mut names };
            let pause = backoff.failed(jitter());
            tokio::select! {
                () = sleep(pause) => {}
                () = app.stopped() => return,
            }
        }
    }

    /// Sends until another address is to be sent to, or nothing more is.
    ///
    /// # Errors
    /// Why nothing can be sent.
    async fn run_once(&self, app: &App) -> anyhow::Result<Ended> {
        self.look_up().await?;
        let socket = self.open()?;
        let to = socket.rtp_to;
        self.address.set(Some(to));
        self.error.take();
        self.reach.on_open(to, socket.pair.ports()?.0);
        let seldom = async {
            tokio::select! {
                Err(error) = self.report_all(&socket) => Err(error),
                never = self.listen(&socket, to) => match never {},
                ended = self.probe(app, &socket) => ended,
                never = self.tell(app) => match never {},
                () = self.until_left(app) => Ok(Ended::Stopped),
                () = self.moved() => {
                    log::info!("{self}: the name has another address now");
                    Ok(Ended::Elsewhere)
                }
            }
        };
        let ended = tokio::select! {
            Err(error) = self.send_frames(app, &socket) => Err(error),
            ended = apart(seldom) => ended,
        };
        if let Ok(Ended::Stopped) = ended {
            // Who is gone needs not be told.
            let _ = self.report(&socket, Farewell::Bye).await;
        }
        ended
    }

    /// Waits until receivers are to be told that nothing more comes.
    async fn until_left(&self, app: &App) {
        tokio::select! {
            () = app.stopped() => {}
            () = self.leave.notified() => {}
        }
    }

    /// Looks the name up, if it is time to. An address that was one is kept where that fails: who
    /// knows names may be gone, and the receiver not.
    async fn look_up(&self) -> anyhow::Result<()> {
        let (addresses, is_refused) = (&self.reach.addresses, self.reach.is_refused());
        if !addresses.borrow().are_stale(is_refused, Instant::now()) {
            return Ok(());
        }
        let found = match addresses::look_up(&self.settings.to).await {
            Ok(found) => found,
            Err(_) if addresses.borrow().current().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        addresses.borrow_mut().set(found, Instant::now());
        Ok(())
    }

    /// Makes the sockets for the first address, from the current one on, that there is a way to.
    fn open(&self) -> anyhow::Result<PushSocket> {
        let mut addresses = self.reach.addresses.borrow_mut();
        let mut first = None;
        for _ in 0..addresses.count() {
            let to = addresses.current().context("no address")?;
            match PushSocket::new(&self.settings, to) {
                Ok(socket) => return Ok(socket),
                Err(error) => {
                    first.get_or_insert(error.context(format!("cannot send to {to}")));
                    addresses.advance();
                }
            }
        }
        Err(first.unwrap_or_else(|| anyhow::anyhow!("no address")))
    }

    /// Waits until the name no longer has the current address.
    async fn moved(&self) {
        let current = || self.reach.addresses.borrow().current();
        loop {
            sleep(LOOK_UP).await;
            let before = current();
            // One that cannot be looked up now is looked up again.
            let _ = self.look_up().await;
            if current() != before {
                return;
            }
        }
    }

    /// Finds out whether somebody takes packets, while that is to be found out.
    async fn probe(&self, app: &App, socket: &PushSocket) -> anyhow::Result<Ended> {
        let host = socket.rtp_to.ip();
        if host.is_multicast() {
            // Nobody answers for a group.
            return pending().await;
        }
        let sharing = || app.pushes.count_refused_by(host);
        self.reach.probe(socket, &self.stream, sharing).await?;
        Ok(Ended::Elsewhere)
    }

    async fn send_frames(&self, app: &App, socket: &PushSocket) -> anyhow::Result<Infallible> {
        let name = &self.settings.camera;
        loop {
            self.reach.until_wanted().await;
            let camera = app.cameras.camera(name).context("no such camera")?;
            if self.settings.codec == RtpCodec::H264 {
                self.send_video(app, socket).await?;
                continue;
            }
            let frames = Rc::new(Frames::new(
                &app.cameras,
                camera,
                self.settings.size,
                self.settings.fps,
                app.streams.clone(),
            ));
            self.frames.replace(Rc::downgrade(&frames));
            while self.reach.is_wanted() {
                frames.want(self.adaptation.borrow().size());
                let until = self.reach.wanted_until();
                tokio::select! {
                    frame = frames.next(async || Ok(())) => {
                        self.send_frame(app, &frames, &*frame?, socket).await?;
                    }
                    () = at(until.map(Into::into)) => {}
                }
            }
        }
    }

    /// Sends the camera as H.264 while it is wanted.
    async fn send_video(&self, app: &App, socket: &PushSocket) -> anyhow::Result<()> {
        let video = Rc::new(Video::new(self.settings.camera.clone(), app.taps.clone()));
        self.video.replace(Rc::downgrade(&video));
        while self.reach.is_wanted() {
            let until = self.reach.wanted_until();
            tokio::select! {
                unit = video.next() => {
                    let payload = Payload::H264(&unit.annex_b);
                    self.send_payload(app, payload, unit.captured, socket).await?;
                }
                () = at(until.map(Into::into)) => {}
            }
        }
        Ok(())
    }

    async fn send_frame(
        &self,
        app: &App,
        frames: &Frames,
        frame: &SharedFrame,
        socket: &PushSocket,
    ) -> anyhow::Result<()> {
        let mut recoded = None;
        let Some(payload) = frames.payload(frame, &mut recoded).await else {
            self.stream.count_dropped(1);
            return Ok(());
        };
        self.send_payload(app, Payload::Jpeg(&payload), frame.captured, socket)
            .await
    }

    async fn send_payload(
        &self,
        app: &App,
        payload: Payload<'_>,
        captured: SystemTime,
        socket: &PushSocket,
    ) -> anyhow::Result<()> {
        let sent = self
            .stream
            .send(payload, captured, &socket.pair, None)
            .await;
        let Err(error) = sent else {
            return Ok(());
        };
        let sharing = || app.pushes.count_refused_by(socket.rtp_to.ip());
        self.reach.on_frame_failed(error, sharing)
    }

    /// Sends reports, also while no frames go: receivers report by them.
    async fn report_all(&self, socket: &PushSocket) -> anyhow::Result<Infallible> {
        loop {
            // Nor where nobody has the port of RTP: a host tells of so many refusals, and of those
            // more is to be known. Many receivers have no port of RTCP.
            if !self.reach.is_refused()
                && let Err(error) = self.report(socket, Farewell::None).await
                && SendFailure::of(&error) == SendFailure::Socket
            {
                return Err(error).context("cannot send");
            }
            sleep(self.stream.next_report()).await;
        }
    }

    async fn report(&self, socket: &PushSocket, farewell: Farewell) -> io::Result<()> {
        let report = self.stream.report(farewell);
        socket.pair.rtcp.send_to(&report, socket.rtcp_to).await?;
        Ok(())
    }
}

/// How the log calls a destination.
fn name(settings: &DestinationSettings) -> String {
    format!("camera {:?} to {}", settings.camera.as_str(), settings.to)
}

impl fmt::Display for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(&self.settings))
    }
}
