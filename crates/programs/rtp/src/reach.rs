//! Whether one destination takes packets, and at which of its addresses: found out, and told.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use eyelid_daemon::LogLimit;
use eyelid_daemon::timer::at;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::addresses::{Addresses, Round};
use crate::demand::{Demand, Retry};
use crate::push_socket::{PushSocket, SendFailure};
use crate::stream::RtpStream;

/// Within this a host's refusal is back, as far as cameras are sent.
const REFUSAL_COMES: Duration = Duration::from_millis(250);

/// How many probes are not to be refused: one may be lost, or its refusal.
const PROBES: usize = 2;

/// A receiver that is away for less has been started anew, which nobody needs to be told.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// A few lines in so long are about one that comes and goes.
const REFUSALS_LOGGED: Duration = Duration::from_secs(60);

/// What is known of a destination.
pub(crate) struct Reach {
    /// How the log calls it.
    name: String,
    pub(crate) addresses: RefCell<Addresses>,
    demand: RefCell<Demand>,
    /// Frames are wanted that were not.
    has_demand: Notify,
    /// A packet was refused that none was before.
    is_refused: Notify,
    /// The address that the log says packets go to.
    told_address: Cell<Option<SocketAddr>>,
    /// The log says that nobody takes them.
    is_told_refused: Cell<bool>,
    refusals: LogLimit,
    /// What the last refusal was.
    refusal: RefCell<Option<String>>,
}

impl Reach {
    /// Nothing has been sent.
    pub(crate) fn new(name: String, always: bool) -> Self {
        Self {
            name,
            addresses: RefCell::default(),
            demand: RefCell::new(Demand::new(always, Instant::now())),
            has_demand: Notify::new(),
            is_refused: Notify::new(),
            told_address: Cell::default(),
            is_told_refused: Cell::default(),
            refusals: LogLimit::new(4, REFUSALS_LOGGED),
            refusal: RefCell::default(),
        }
    }

    /// Says whether frames are to go now.
    pub(crate) fn is_wanted(&self) -> bool {
        self.demand.borrow().is_wanted(Instant::now())
    }

    /// Says until when they are to go, if nothing is heard; `None` for always.
    pub(crate) fn wanted_until(&self) -> Option<Instant> {
        self.demand.borrow().wanted_until()
    }

    /// Says whether nobody takes what is sent.
    pub(crate) fn is_refused(&self) -> bool {
        self.demand.borrow().refused_since().is_some()
    }

    /// Why nobody takes it.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.borrow().clone()
    }

    /// Somebody looks there.
    pub(crate) fn want(&self) {
        let was_asleep = !self.is_wanted() && !self.is_refused();
        self.demand.borrow_mut().on_report(Instant::now());
        if was_asleep {
            log::info!("{}: a receiver reports", self.name);
        }
        self.has_demand.notify_one();
    }

    /// Waits until frames are to go. Nobody is asked for any until then.
    pub(crate) async fn until_wanted(&self) {
        let mut is_told = false;
        while !self.is_wanted() {
            if !is_told && !self.is_refused() {
                log::info!("{}: no receiver reports; the camera may sleep", self.name);
                is_told = true;
            }
            self.has_demand.notified().await;
        }
    }

    /// Packets go to this address from now on, or will when they are taken there.
    pub(crate) fn on_open(&self, to: SocketAddr, from_port: u16) {
        if !self.is_refused() {
            self.tell_address(to, from_port);
        }
    }

    /// Nothing can be sent to any address; of what comes after that, all is told again.
    pub(crate) fn on_lost(&self) {
        self.told_address.take();
        self.addresses.borrow_mut().distrust();
    }

    /// A frame did not go. The camera sleeps, where that is because nobody takes it, until somebody
    /// does, here or at another address. `sharing` says how many destinations of this host are
    /// refused.
    ///
    /// # Errors
    /// One that takes other sockets to go away.
    pub(crate) fn on_frame_failed(
        &self,
        error: io::Error,
        sharing: impl Fn() -> u32,
    ) -> anyhow::Result<()> {
        match SendFailure::of(&error) {
            SendFailure::Socket => Err(error).context("cannot send"),
            SendFailure::Passing => Ok(()),
            SendFailure::Refused => {
                // This one is refused from now on, too.
                self.on_refused(&error, sharing() + 1);
                self.is_refused.notify_one();
                Ok(())
            }
        }
    }

    /// Finds out, while packets are refused and while nobody reports, whether somebody has the
    /// port: by packets of a payload type that no receiver has (RFC 6263, section 4.5), so that the
    /// camera need not be woken for it. Ends when another address is to be tried. `sharing` says
    /// how many destinations of this host are refused.
    ///
    /// # Errors
    /// One that takes other sockets to go away.
    pub(crate) async fn probe(
        &self,
        socket: &PushSocket,
        stream: &RtpStream,
        sharing: impl Fn() -> u32,
    ) -> anyhow::Result<()> {
        let address = self.addresses.borrow().current();
        loop {
            self.until_probe_is_due().await;
            if self.addresses.borrow().current() != address {
                return Ok(());
            }
            let Err(error) = try_probes(socket, stream).await else {
                self.on_taken(socket)?;
                continue;
            };
            match SendFailure::of(&error) {
                SendFailure::Socket => return Err(error).context("cannot send"),
                SendFailure::Passing => continue,
                SendFailure::Refused => {}
            }
            self.on_refused(&error, sharing());
            self.tell_refused(&error);
        }
    }

    async fn until_probe_is_due(&self) {
        loop {
            let due = self.demand.borrow().probe_at();
            if due.is_some_and(|due| due <= Instant::now()) {
                return;
            }
            tokio::select! {
                () = at(due.map(Into::into)) => {}
                () = self.is_refused.notified() => {}
            }
        }
    }

    /// Goes on to the next address.
    fn on_refused(&self, error: &io::Error, sharing: u32) {
        self.refusal.replace(Some(error.to_string()));
        let retry = match self.addresses.borrow_mut().advance() {
            Round::Goes => Retry::AtOnce,
            Round::IsOver => Retry::Later { sharing },
        };
        self.demand.borrow_mut().on_refused(Instant::now(), retry);
    }

    fn tell_refused(&self, error: &io::Error) {
        let now = Instant::now();
        let since = self.demand.borrow().refused_since();
        let is_long = since.is_some_and(|since| now.duration_since(since) >= TOLD_AFTER);
        if is_long && !self.is_told_refused.get() && self.refusals.allow(now).is_some() {
            log::warn!("{}: {error}; it is tried again", self.name);
            self.is_told_refused.set(true);
        }
    }

    fn on_taken(&self, socket: &PushSocket) -> anyhow::Result<()> {
        if !self.demand.borrow_mut().on_taken(Instant::now()) {
            return Ok(());
        }
        let is_told = self.is_told_refused.take();
        let (from_port, _) = socket.pair.ports()?;
        if !self.tell_address(socket.rtp_to, from_port) && is_told {
            log::info!("{}: packets are taken again", self.name);
        }
        self.has_demand.notify_one();
        Ok(())
    }

    /// Gives whether it was news.
    fn tell_address(&self, to: SocketAddr, from_port: u16) -> bool {
        let is_new = self.told_address.replace(Some(to)) != Some(to);
        if is_new {
            log::info!("{}: sending to {to} from port {from_port}", self.name);
        }
        is_new
    }
}

/// Sends what no receiver shows, and waits for it to be refused.
async fn try_probes(socket: &PushSocket, stream: &RtpStream) -> io::Result<()> {
    let rtp = &socket.pair.rtp;
    // What became of packets before says nothing of now.
    let _ = rtp.socket().take_error();
    for _ in 0..PROBES {
        rtp.send(|socket| socket.send(&stream.probe())).await?;
        match timeout(REFUSAL_COMES, rtp.recv(&mut [0])).await {
            Ok(Err(error)) => return Err(error),
            // Nobody else may send to a socket that is connected.
            Ok(Ok(_)) => return Ok(()),
            Err(_) => {}
        }
    }
    Ok(())
}
