//! One place that a camera is sent to: its loop, from resolving the name to the last packet.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use eyelid_consumer::SharedFrame;
use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_daemon::timer::at;
use eyelid_rtp_wire::{Farewell, Framing, PacketBytes};
use tokio::net::lookup_host;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

use crate::app::App;
use crate::demand::Demand;
use crate::frames::Frames;
use crate::loss_adaptation::LossAdaptation;
use crate::push_socket::{PushSocket, needs_new_socket};
use crate::settings::DestinationSettings;
use crate::stream::RtpStream;

/// How often a name is looked up again, for it may have moved.
const LOOK_UP: Duration = Duration::from_secs(60);

/// How often it is found out whether somebody is there again where packets were refused.
const PROBE: Duration = Duration::from_secs(5);

/// How many routers packets of a group pass where nothing is said: none (ip(7), IP_MULTICAST_TTL).
const MULTICAST_TTL: u8 = 1;

/// The pauses before a destination is tried again that cannot be sent to at all.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// A camera that is sent to one place.
pub(crate) struct Push {
    pub(crate) settings: DestinationSettings,
    stream: RtpStream,
    /// Where that is, while it is known and can be sent to.
    address: Cell<Option<SocketAddr>>,
    demand: RefCell<Demand>,
    adaptation: RefCell<LossAdaptation>,
    /// Frames are wanted that were not.
    has_demand: Notify,
    /// It is no destination any more: a reload has dropped it, or changed it.
    pub(crate) is_dropped: Cell<bool>,
    counters: Counters,
}

/// Why nothing more is sent to an address.
enum Ended {
    /// It is not the name's any more.
    Moved,
    /// The program ends.
    Stopped,
}

/// What was sent since the log was last told.
#[derive(Default)]
struct Counters {
    frames: Cell<u64>,
    /// Frames that were not sent whole.
    dropped: Cell<u64>,
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
            stream: RtpStream::new(ssrc, packet_bytes, Framing::Datagrams, settings.pace)?,
            address: Cell::default(),
            demand: RefCell::new(Demand::new(settings.always, Instant::now())),
            adaptation: RefCell::new(LossAdaptation::new(settings.size)),
            has_demand: Notify::new(),
            is_dropped: Cell::default(),
            counters: Counters::default(),
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
        self.demand.borrow_mut().on_report(Instant::now());
        self.has_demand.notify_one();
    }

    /// Sends, whatever happens, until the program ends.
    pub(crate) async fn run(&self, app: &App) {
        let mut backoff = BACKOFF;
        let mut told = String::new();
        loop {
            let began = Instant::now();
            let ended = self.run_once(app).await;
            self.address.take();
            let error = match ended {
                Ok(Ended::Moved) => continue,
                Ok(Ended::Stopped) => return,
                Err(error) => error,
            };
            let error = format!("{error:#}");
            if began.elapsed() > LOOK_UP {
                backoff.succeeded();
                told.clear();
            }
            if error != told {
                log::warn!("{self}: {error}; it is tried again");
                told = error;
            }
            sleep(backoff.failed(jitter())).await;
        }
    }

    /// Sends until the name leads to another address, or the program ends.
    ///
    /// # Errors
    /// Why nothing can be sent by these sockets, or by any.
    async fn run_once(&self, app: &App) -> anyhow::Result<Ended> {
        let to = self.resolve().await?;
        let socket =
            PushSocket::new(&self.settings, to).with_context(|| format!("cannot send to {to}"))?;
        let (rtp_port, _) = socket.pair.ports()?;
        self.address.set(Some(to));
        log::info!("{self}: sending to {to} from port {rtp_port}");
        tokio::select! {
            Err(error) = self.send_frames(app, &socket) => Err(error),
            Err(error) = self.report_all(&socket) => Err(error),
            never = self.listen(&socket, to) => match never {},
            Err(error) = self.probe(&socket) => Err(error),
            never = self.tell(app) => match never {},
            () = app.stopped() => {
                // Who is gone needs not be told.
                let _ = self.report(&socket, Farewell::Bye).await;
                Ok(Ended::Stopped)
            }
            () = self.moved(to) => {
                log::info!("{self}: the name has another address now");
                Ok(Ended::Moved)
            }
        }
    }

    async fn resolve(&self) -> anyhow::Result<SocketAddr> {
        let to = &self.settings.to;
        let mut found = lookup_host((to.host.as_str(), to.port))
            .await
            .with_context(|| format!("cannot find {:?}", to.host))?;
        let address = found.next();
        address.with_context(|| format!("cannot find {:?}: no address", to.host))
    }

    /// Waits until the name no longer has this address.
    async fn moved(&self, to: SocketAddr) {
        loop {
            sleep(LOOK_UP).await;
            let host = self.settings.to.host.as_str();
            if let Ok(mut found) = lookup_host((host, to.port())).await
                && !found.any(|address| address == to)
            {
                return;
            }
        }
    }

    async fn send_frames(&self, app: &App, socket: &PushSocket) -> anyhow::Result<Infallible> {
        let name = &self.settings.camera;
        loop {
            self.until_wanted().await;
            let camera = app.cameras.camera(name).context("no such camera")?;
            let mut frames = Frames::new(
                &app.cameras,
                camera,
                self.settings.size,
                self.settings.fps,
                app.streams.clone(),
            );
            while self.demand.borrow().is_wanted(Instant::now()) {
                frames.want(self.adaptation.borrow().size());
                let until = self.demand.borrow().wanted_until();
                tokio::select! {
                    frame = frames.next(async || Ok(())) => {
                        self.send_frame(&frames, &*frame?, socket).await?;
                    }
                    () = at(until.map(Into::into)) => {}
                }
            }
        }
    }

    async fn send_frame(
        &self,
        frames: &Frames,
        frame: &SharedFrame,
        socket: &PushSocket,
    ) -> anyhow::Result<()> {
        let mut recoded = None;
        let Some(payload) = frames.payload(frame, &mut recoded).await else {
            return Ok(());
        };
        let sent = self
            .stream
            .send(&payload, frame.captured, &socket.pair, None)
            .await;
        match sent {
            Ok(()) => self.counters.frames.set(self.counters.frames.get() + 1),
            Err(error) => {
                self.counters.dropped.set(self.counters.dropped.get() + 1);
                self.on_refused(error)?;
            }
        }
        Ok(())
    }

    /// Waits until frames are to go. Nobody is asked for any until then.
    async fn until_wanted(&self) {
        let mut is_told = false;
        while !self.demand.borrow().is_wanted(Instant::now()) {
            let is_refused = self.demand.borrow().is_refused();
            if !is_told && !is_refused {
                log::info!("{self}: no receiver reports; the camera may sleep");
                is_told = true;
            }
            self.has_demand.notified().await;
        }
        if is_told {
            log::info!("{self}: a receiver reports");
        }
    }

    /// Says that nobody takes packets there, once, and has the camera sleep until somebody does.
    ///
    /// # Errors
    /// One that takes other sockets to go away.
    fn on_refused(&self, error: io::Error) -> anyhow::Result<()> {
        let was_refused = self.demand.borrow().is_refused();
        self.demand.borrow_mut().on_refused();
        if needs_new_socket(&error) {
            return Err(error).context("cannot send");
        }
        if !was_refused {
            log::warn!("{self}: {error}; it is tried again");
        }
        Ok(())
    }

    /// Finds out whether somebody is there again: by a packet of a payload type that no receiver
    /// has (RFC 6263, section 4.5), so that the camera need not be woken for it.
    async fn probe(&self, socket: &PushSocket) -> anyhow::Result<Infallible> {
        loop {
            if self.demand.borrow().is_refused() {
                match socket.pair.rtp.send(&self.stream.probe()).await {
                    Ok(_) => self.on_probe(),
                    Err(error) => self.on_refused(error)?,
                }
            }
            sleep(PROBE).await;
        }
    }

    fn on_probe(&self) {
        self.demand.borrow_mut().on_probe(Instant::now());
        if !self.demand.borrow().is_refused() {
            log::info!("{self}: packets are taken again");
            self.has_demand.notify_one();
        }
    }

    /// Sends reports, also while no frames go: receivers report by them.
    async fn report_all(&self, socket: &PushSocket) -> anyhow::Result<Infallible> {
        loop {
            // Many receivers have no port of RTCP.
            if let Err(error) = self.report(socket, Farewell::None).await
                && needs_new_socket(&error)
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

    /// Hears what receivers report.
    async fn listen(&self, socket: &PushSocket, to: SocketAddr) -> Infallible {
        let (mut own, mut of_group) = ([0; 2048], [0; 2048]);
        loop {
            let (packet, from) = tokio::select! {
                received = socket.pair.rtcp.recv_from(&mut own) => match received {
                    Ok((bytes, from)) => (&own[..bytes], from),
                    // A report of ours was refused: there is no port of RTCP.
                    Err(_) => continue,
                },
                Ok((bytes, from)) = receive(socket.group_reports.as_ref(), &mut of_group) => {
                    (&of_group[..bytes], from)
                }
            };
            if (to.ip().is_multicast() || from.ip() == to.ip()) && self.stream.hear(packet) {
                self.want();
                self.adapt();
            }
        }
    }

    /// Sends what arrives, by what receivers report.
    fn adapt(&self) {
        let Some(lost) = self.stream.lost().filter(|_| self.settings.adapt) else {
            return;
        };
        let mut adaptation = self.adaptation.borrow_mut();
        let before = adaptation.size();
        adaptation.on_report(lost, Instant::now());
        let after = adaptation.size();
        if after != before {
            let lost = lost * 100.0;
            log::info!("{self}: {lost:.1} % lost; sending {after:?} instead of {before:?}");
        }
    }

    /// Tells the log what was sent.
    async fn tell(&self, app: &App) -> Infallible {
        loop {
            let due = Instant::now() + app.stats_interval.get();
            let before = self.stream.sent();
            sleep_until(due.into()).await;
            let (frames, dropped) = (self.counters.frames.take(), self.counters.dropped.take());
            if frames + dropped > 0 {
                let sent = self.stream.sent();
                log::info!(
                    "{self}: {frames} frames, {} packets, {} bytes, {dropped} dropped{}",
                    sent.packets.wrapping_sub(before.packets),
                    sent.octets.wrapping_sub(before.octets),
                    self.stream.reception_text()
                );
            }
        }
    }
}

/// How the log calls it.
impl fmt::Display for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        write!(
            f,
            "camera {:?} to {}",
            settings.camera.as_str(),
            settings.to
        )
    }
}

async fn receive(
    socket: Option<&tokio::net::UdpSocket>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => pending().await,
    }
}
