//! The loop of the process: accept, serve, and end when there is a reason to.

use std::future::{pending, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context;
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_daemon::{LogLimit, is_shortage, manager};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet, yield_now};
use tokio::time::{Instant, sleep_until, timeout};

use crate::app::App;
use crate::connection;
use crate::listener::{Listener, Sockets};
use crate::settings::Settings;
use crate::socket::Socket;

/// How long nothing is accepted after accepting failed for want of descriptors or memory: some connection may end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections are accepted before those there are have a turn. A turn is some 60 steps of theirs (tokio's
/// LocalSet), and a connection of a stranger takes 4 from its start to its end: with fewer, strangers that come faster than
/// they go would pile up before newcomers; with more, clients wait.
const ACCEPTED_AT_ONCE: usize = 16;

/// How far apart lines about that are. A day full of them is not a megabyte of log.
const FAILURES_TOLD: Duration = Duration::from_secs(10);

/// How long snapshots that are being answered may take when the server ends.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs the server until it is told to end, has been idle for long enough, or (with connections passed to it and no
/// listening socket) has served them.
/// `reread` gives what the configuration says now; SIGHUP asks for it.
pub(crate) async fn run(
    settings: Settings,
    mut sockets: Sockets,
    reread: impl Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    for address in &settings.listen {
        sockets.listeners.push(Listener::bind(address)?);
    }
    if sockets.listeners.is_empty() && sockets.connections.is_empty() {
        anyhow::bail!("nothing to listen on: give --listen ADDR, or let systemd pass a socket");
    }
    let (stop, stopping) = watch::channel(false);
    let app = Rc::new(App::new(settings.clone(), descriptors, stopping)?);
    let mut server = Server {
        app: app.clone(),
        served: JoinSet::new(),
        failures: LogLimit::new(1, FAILURES_TOLD),
    };
    for socket in sockets.connections {
        server.take(socket);
    }
    let signals = [SignalKind::interrupt(), SignalKind::terminate()];
    let signals = signals
        .map(signal)
        .into_iter()
        .collect::<io::Result<_>>()
        .context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (accepting, watching) = (Pulse::default(), Pulse::default());
    manager::ready();
    tokio::select! {
        reason = server.accept_until_done(&sockets.listeners, signals, &accepting) => log::info!("ending: {reason}"),
        error = app.cameras.run(&watching) => return error.context("cannot read inotify"),
        () = feed_watchdog([&accepting, &watching]) => {}
        () = reload_when_told(&app, &settings, hang_ups, reread) => {}
    }
    manager::stopping();
    drop(sockets.listeners);
    let _ = stop.send(true);
    let _ = timeout(DRAIN, async {
        while server.served.join_next().await.is_some() {}
    })
    .await;
    Ok(())
}

struct Server {
    app: Rc<App>,
    served: JoinSet<()>,
    /// Accepting failed.
    failures: LogLimit,
}

impl Server {
    /// Accepts connections; gives the reason to end.
    async fn accept_until_done(
        &mut self,
        listeners: &[Listener],
        mut signals: Vec<Signal>,
        pulse: &Pulse,
    ) -> &'static str {
        let mut idle_since = Instant::now();
        let mut seems_idle = false;
        let mut paused_until: Option<Instant> = None;
        let (mut first, mut accepted_at_once) = (0, 0);
        loop {
            if listeners.is_empty() && self.served.is_empty() {
                return "the connection has ended";
            }
            let idle = self.app.terms().service.idle_exit;
            let idle = idle.filter(|_| self.served.is_empty());
            tokio::select! {
                // Ended connections are cleared away however many come, and who has come is served before idleness ends us.
                biased;
                () = any(&mut signals) => return "told to",
                () = pulse.answer() => {}
                Some(ended) = self.served.join_next() => {
                    report(ended);
                    (idle_since, seems_idle) = (Instant::now(), false);
                }
                accepted = accept(listeners, &mut first), if paused_until.is_none() => {
                    match accepted {
                        Ok(socket) => self.take(socket),
                        Err(error) if is_shortage(&error) => {
                            if !self.makes_do(&error) {
                                paused_until = Some(Instant::now() + ACCEPT_PAUSE);
                            }
                        }
                        Err(error) => log::debug!("a client left before it was accepted: {error}"),
                    }
                    accepted_at_once = (accepted_at_once + 1) % ACCEPTED_AT_ONCE;
                    if accepted_at_once == 0 {
                        yield_now().await;
                    }
                }
                () = at(paused_until), if paused_until.is_some() => paused_until = None,
                () = at(idle.map(|idle| idle_since + idle)), if idle.is_some() => {
                    // Of who came while this process got no time, the runtime hears when it asks the kernel again.
                    if seems_idle {
                        return "idle";
                    }
                    seems_idle = true;
                    yield_now().await;
                }
            }
        }
    }

    fn take(&mut self, socket: Socket) {
        let app = self.app.clone();
        app.metrics.connections.inc();
        let seat = app.seats.enter();
        self.served
            .spawn_local(connection::serve(app, socket, seat));
    }

    /// Nothing is left to accept a connection with. Gives whether another goes for it.
    fn makes_do(&self, error: &io::Error) -> bool {
        if let Some(kept_back) = self.failures.allow(Instant::now().into_std()) {
            log::warn!("cannot accept a connection: {error} ({kept_back} times more before)");
        }
        self.app.seats.dismiss()
    }
}

/// Waits for a connection on any of the sockets. The search starts at `first`, which goes on with each, so that a flood on
/// one socket hides none of the others.
async fn accept(listeners: &[Listener], first: &mut usize) -> io::Result<Socket> {
    *first = (*first + 1) % listeners.len().max(1);
    poll_fn(|cx| {
        let (before, from) = listeners.split_at(*first);
        let ready = from
            .iter()
            .chain(before)
            .map(|listener| listener.poll_accept(cx))
            .find(Poll::is_ready);
        ready.unwrap_or(Poll::Pending)
    })
    .await
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

async fn any(signals: &mut [Signal]) {
    poll_fn(|cx| {
        let came = signals
            .iter_mut()
            .any(|signal| signal.poll_recv(cx).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A connection's task ends by itself; one that panicked is a fault of ours that must be seen.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        log::error!("a connection failed: {error} (please report this)");
    }
}

/// Reads the configuration again with each SIGHUP. Clients stay, and those that have begun a stream notice nothing.
async fn reload_when_told(
    app: &App,
    fixed: &Settings,
    mut hang_ups: Signal,
    reread: impl Fn() -> anyhow::Result<Settings>,
) {
    while hang_ups.recv().await.is_some() {
        manager::reloading();
        if let Err(error) = reload(app, fixed, reread()) {
            log::error!("configuration not used: {error:#}");
        }
        manager::ready();
    }
}

fn reload(app: &App, fixed: &Settings, read: anyhow::Result<Settings>) -> anyhow::Result<()> {
    let settings = read?;
    for (what, differs) in [
        ("listen", settings.listen != fixed.listen),
        ("slots", settings.slots != fixed.slots),
    ] {
        if differs {
            log::warn!("{what} takes a restart to change");
        }
    }
    app.reload(settings)?;
    log::info!("configuration read again");
    Ok(())
}

async fn feed_watchdog(loops: [&Pulse; 2]) {
    match manager::watchdog_interval() {
        Some(period) => pulse::feed(period, loops, manager::alive).await,
        None => pending().await,
    }
}

/// Each connection takes a descriptor; the usual soft limit of 1024 is there for programs that use select(2). Gives how
/// many there may be.
fn raise_descriptor_limit() -> usize {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(errno) = raised {
        log::debug!("limit of open files not raised: {errno}");
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    usize::try_from(soft).unwrap_or(usize::MAX)
}
