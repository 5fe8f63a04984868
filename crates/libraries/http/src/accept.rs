//! The loop that accepts connections, and ends when there is a reason to.

use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use eyelid_daemon::pulse::Pulse;
use eyelid_daemon::timer::at;
use eyelid_daemon::{LogLimit, is_shortage, manager};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinSet, yield_now};
use tokio::time::{Instant, timeout};

use crate::admission::{Admission, Permit};
use crate::connection::{self, Handler};
use crate::door::Door;
use crate::listener::{Accepted, Listener};
use crate::socket::Socket;

/// How long nothing is accepted after accepting failed for want of descriptors or memory: some
/// connection may end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How far apart lines about that are. A day full of them is not a megabyte of log.
const FAILURES_LOGGED: Duration = Duration::from_secs(10);

/// How many connections are accepted before those there are have a turn. A turn is some 60 steps of
/// theirs (tokio's LocalSet), and a connection of a stranger takes 4 from its start to its end:
/// with fewer, strangers that come faster than they go would pile up before newcomers; with more,
/// clients wait.
const ACCEPTED_AT_ONCE: usize = 16;

/// How long responses under way may take when the program ends.
const DRAIN: Duration = Duration::from_secs(2);

/// What is spoken on the connections that are accepted: HTTP, as [`Acceptor::new`] has it, or what
/// another program speaks.
pub trait Protocol: 'static {
    /// Serves a connection until it ends, fails, must go for another ([`Permit::until_shed`]), or
    /// the program ends.
    fn serve(self: Rc<Self>, socket: Socket, permit: Permit) -> impl Future<Output = ()> + 'static;

    /// Serves a connection that another program hands over by `link`, if that is done here.
    fn serve_handed_over(self: Rc<Self>, link: OwnedFd) -> impl Future<Output = ()> + 'static {
        drop(link);
        std::future::ready(())
    }

    /// Room for connections.
    fn admission(&self) -> &Rc<Admission>;

    /// When to end for want of connections.
    fn idle_exit(&self) -> Option<Duration>;

    /// Says whether there is something to do without any connection: then there is no end for want
    /// of them.
    fn is_busy(&self) -> bool {
        false
    }
}

/// HTTP, whose requests a [`Handler`] answers.
pub struct Http<H> {
    door: Rc<Door>,
    handler: Rc<H>,
}

impl<H: Handler> Protocol for Http<H> {
    fn serve(self: Rc<Self>, socket: Socket, permit: Permit) -> impl Future<Output = ()> + 'static {
        self.door.accepted();
        connection::serve(self.door.clone(), self.handler.clone(), socket, permit)
    }

    fn serve_handed_over(self: Rc<Self>, link: OwnedFd) -> impl Future<Output = ()> + 'static {
        connection::serve_handed_over(self.door.clone(), self.handler.clone(), link)
    }

    fn admission(&self) -> &Rc<Admission> {
        &self.door.admission
    }

    fn idle_exit(&self) -> Option<Duration> {
        self.door.live().options.idle_exit
    }

    fn is_busy(&self) -> bool {
        self.handler.is_busy()
    }
}

/// Accepts connections and has a task serve each.
pub struct Acceptor<P> {
    protocol: Rc<P>,
    served: JoinSet<()>,
    failures: LogLimit,
}

/// Why nothing more is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A signal told the program to.
    Signalled,
    /// Nobody was connected for long enough.
    Idle,
    /// There is no listening socket, and the connections there were have been served.
    Served,
}

impl<H: Handler> Acceptor<Http<H>> {
    /// Speaks HTTP, and has accepted nothing yet.
    pub fn new(door: Rc<Door>, handler: Rc<H>) -> Self {
        Self::speaking(Rc::new(Http { door, handler }))
    }
}

impl<P: Protocol> Acceptor<P> {
    /// Has accepted nothing yet.
    pub fn speaking(protocol: Rc<P>) -> Self {
        Self {
            protocol,
            served: JoinSet::new(),
            failures: LogLimit::new(1, FAILURES_LOGGED),
        }
    }

    /// Serves a connection.
    pub fn take(&mut self, socket: Socket) {
        let permit = self.protocol.admission().enter();
        self.served
            .spawn_local(self.protocol.clone().serve(socket, permit));
    }

    /// Accepts connections until one of `signals` comes, or there is another reason to end. Answers
    /// the `pulse` meanwhile.
    pub async fn accept_until_done(
        &mut self,
        listeners: &[Listener],
        signals: &mut [Signal],
        pulse: &Pulse,
    ) -> End {
        let mut idle_since = Instant::now();
        let mut seems_idle = false;
        let mut paused_until: Option<Instant> = None;
        let (mut first, mut accepted_at_once) = (0, 0);
        loop {
            let is_idle = self.served.is_empty() && !self.protocol.is_busy();
            if listeners.is_empty() && is_idle {
                return End::Served;
            }
            let idle = self.protocol.idle_exit();
            let idle = idle.filter(|_| is_idle);
            tokio::select! {
                // Ended connections are cleared away however many come, and who has come is served
                // before idleness ends us.
                biased;
                () = any(signals) => return End::Signalled,
                () = pulse.answer() => {}
                Some(ended) = self.served.join_next() => {
                    report(ended);
                    (idle_since, seems_idle) = (Instant::now(), false);
                }
                accepted = accept(listeners, &mut first), if paused_until.is_none() => {
                    paused_until = self.accepted(accepted);
                    accepted_at_once = (accepted_at_once + 1) % ACCEPTED_AT_ONCE;
                    if accepted_at_once == 0 {
                        yield_now().await;
                    }
                }
                () = at(paused_until), if paused_until.is_some() => paused_until = None,
                () = at(idle.map(|idle| idle_since + idle)), if idle.is_some() => {
                    // Somebody may have come while this process got no processor time. The runtime
                    // learns of that only when it asks the kernel again: it does so in between.
                    if seems_idle {
                        return End::Idle;
                    }
                    seems_idle = true;
                    yield_now().await;
                }
            }
        }
    }

    /// Serves a connection that another program hands over.
    fn take_handed_over(&mut self, link: OwnedFd) {
        self.served
            .spawn_local(self.protocol.clone().serve_handed_over(link));
    }

    /// Waits until all connections have ended, which were told to ([`Door::stop`]); but not for
    /// long.
    pub async fn drain(mut self) {
        let all = async { while self.served.join_next().await.is_some() {} };
        let _ = timeout(DRAIN, all).await;
    }

    /// Serves what was accepted. Gives until when to accept nothing, if there is nothing to accept
    /// with.
    fn accepted(&mut self, accepted: io::Result<Accepted>) -> Option<Instant> {
        match accepted {
            Ok(Accepted::Client(socket)) => self.take(socket),
            Ok(Accepted::Link(link)) => self.take_handed_over(link),
            Err(error) if is_shortage(&error) => {
                if let Some(suppressed) = self.failures.allow(Instant::now().into_std()) {
                    log::warn!("cannot accept a connection: {error}{suppressed}");
                }
                if !self.protocol.admission().shed() {
                    return Some(Instant::now() + ACCEPT_PAUSE);
                }
            }
            Err(error) => log::debug!("a client left before it was accepted: {error}"),
        }
        None
    }
}

impl End {
    /// Says why, for the log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Signalled => "told to",
            Self::Idle => "idle",
            Self::Served => "the connection has ended",
        }
    }
}

/// Waits for a connection on any of the sockets. The search starts at `first`, which goes on with
/// each, so that a flood on one socket hides none of the others.
async fn accept(listeners: &[Listener], first: &mut usize) -> io::Result<Accepted> {
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

/// The signals that end a program: SIGINT and SIGTERM.
///
/// # Errors
/// What the runtime said.
pub fn end_signals() -> io::Result<[Signal; 2]> {
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ])
}

/// Calls `reload` with each SIGHUP, and tells the service manager and the log. Ends never, unless
/// no signal can come.
pub async fn reload_on_hang_up<E: Display>(
    mut hang_ups: Signal,
    mut reload: impl FnMut() -> Result<(), E>,
) {
    while hang_ups.recv().await.is_some() {
        manager::reloading();
        match reload() {
            Ok(()) => log::info!("configuration read again"),
            Err(error) => log::error!("configuration not used: {error:#}"),
        }
        manager::ready();
    }
}

/// Each connection takes a descriptor; the usual soft limit of 1024 is there for programs that use
/// select(2). Gives how many there may be.
pub fn raise_descriptor_limit() -> usize {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(errno) = raised {
        log::debug!("limit of open files not raised: {errno}");
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    usize::try_from(soft).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
