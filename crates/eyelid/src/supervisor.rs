//! Starts the programs when somebody connects or opens a slot's frame, again when they die, and ends them when nobody is
//! there.

use std::ffi::OsString;
use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, bail};
use eyelid_config::EXIT_CONFIG;
use eyelid_slot::{Phase, Reader};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::asleep::Asleep;
use crate::backoff::Backoff;
use crate::health::Health;
use crate::plan::{Camera, Plan};
use crate::programs::Programs;
use crate::sockets::Sockets;
use crate::spawn;

/// How long a program may take to end before it is killed: `eyelid-capture` gives its command 2 s.
const FAREWELL: Duration = Duration::from_secs(4);

/// How long a camera that a reader woke may take to say that it is awake: libcamera takes 2 s on a Raspberry Pi.
const WAKING: Duration = Duration::from_secs(10);

/// How often it is looked whether a camera is still awake, while no server runs.
const LOOK: Duration = Duration::from_secs(1);

/// Exit status of a program that does not know its arguments (clap's).
const EXIT_USAGE: i32 = 2;

/// Keeps the programs.
pub(crate) struct Supervisor<'a> {
    sockets: &'a Sockets,
    health: &'a Health,
    server: Program,
    captures: Vec<Program>,
    /// The slots of the captures, in their order.
    slots: Vec<PathBuf>,
}

/// A program to be kept running.
struct Program {
    label: String,
    path: PathBuf,
    arguments: Vec<OsString>,
    state: State,
    backoff: Backoff,
}

enum State {
    Down,
    Up(Child, Instant),
    Waiting(Instant),
}

/// What started the programs.
#[derive(Debug)]
enum Woken {
    /// Somebody connects: the server is wanted, and the cameras.
    Connection,
    /// Somebody opened a slot's frame: only the cameras are wanted.
    Reader,
}

/// Why the programs were ended.
enum Ended {
    Idle,
    Told,
}

impl<'a> Supervisor<'a> {
    /// Prepares for running what `plan` says.
    pub(crate) fn new(
        plan: &Plan,
        slots: &Path,
        programs: Programs,
        sockets: &'a Sockets,
        health: &'a Health,
    ) -> Self {
        let capture = |camera: &Camera| Program {
            label: format!("eyelid-capture of camera {:?}", camera.name.as_str()),
            path: programs.capture.clone(),
            arguments: plan.capture_arguments(camera, slots),
            state: State::Down,
            backoff: Backoff::default(),
        };
        Self {
            sockets,
            health,
            server: Program {
                label: "eyelid-server".into(),
                path: programs.server.clone(),
                arguments: plan.server_arguments(slots),
                state: State::Down,
                backoff: Backoff::default(),
            },
            captures: plan.cameras.iter().map(capture).collect(),
            slots: plan
                .cameras
                .iter()
                .map(|camera| camera.slot(slots))
                .collect(),
        }
    }

    /// Runs until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A program that cannot be started, or refuses its configuration. All others have ended then.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
        let mut told = pin!(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        loop {
            let mut asleep = Asleep::new(&self.slots);
            let woken = tokio::select! {
                () = &mut told => return Ok(()),
                knocked = self.sockets.knock() => knocked.map(|()| Woken::Connection),
                opened = asleep.opened() => opened.map(|()| Woken::Reader),
            };
            drop(asleep);
            let woken = woken.context("cannot wait for connections and readers")?;
            log::debug!("woken by a {woken:?}");
            let ended = tokio::select! {
                () = &mut told => Ok(Ended::Told),
                ended = self.keep_running(woken) => ended,
            };
            self.end_all().await;
            self.health.server_ended();
            match ended? {
                Ended::Told => return Ok(()),
                Ended::Idle => {
                    log::info!("nobody looks: server and camera have ended until somebody does")
                }
            }
        }
    }

    /// Keeps all programs running until the server has ended for want of connections, and no camera is awake for somebody
    /// who reads its slot.
    async fn keep_running(&mut self, woken: Woken) -> anyhow::Result<Ended> {
        let sockets = self.sockets.descriptors();
        let mut awake_until = Instant::now();
        match woken {
            Woken::Connection => self.start_server(&sockets)?,
            Woken::Reader => awake_until += WAKING,
        }
        for capture in &mut self.captures {
            capture.start(&[])?;
        }
        loop {
            let is_served = !matches!(self.server.state, State::Down);
            tokio::select! {
                status = self.server.event() => match status? {
                    Some(status) if status.success() => {
                        self.server.state = State::Down;
                        self.health.server_ended();
                        if !self.is_awake() {
                            return Ok(Ended::Idle);
                        }
                    }
                    Some(status) => {
                        self.server.died(status)?;
                        self.health.server_died(status);
                    }
                    None => self.start_server(&sockets)?,
                },
                knocked = self.sockets.knock(), if !is_served => {
                    knocked.context("cannot wait for connections")?;
                    self.start_server(&sockets)?;
                }
                () = sleep(LOOK), if !is_served => {
                    if self.is_awake() {
                        awake_until = Instant::now();
                    } else if awake_until <= Instant::now() {
                        return Ok(Ended::Idle);
                    }
                }
                (index, status) = any(&mut self.captures) => match status? {
                    Some(status) => self.captures[index].died(status)?,
                    None => self.captures[index].start(&[])?,
                },
            }
        }
    }

    fn start_server(&mut self, sockets: &[BorrowedFd<'_>]) -> anyhow::Result<()> {
        self.server.start(sockets)?;
        self.health.server_runs();
        Ok(())
    }

    /// Says whether a camera is awake, by what its program says: that one knows of every reader.
    fn is_awake(&self) -> bool {
        let running = self.captures.iter().zip(&self.slots);
        running
            .filter(|(capture, _)| matches!(capture.state, State::Up(..)))
            .filter_map(|(_, slot)| Reader::new(slot).state())
            .any(|state| state.state == Phase::Awake)
    }

    async fn end_all(&mut self) {
        for program in std::iter::once(&mut self.server).chain(&mut self.captures) {
            program.tell(Signal::SIGTERM);
        }
        for program in std::iter::once(&mut self.server).chain(&mut self.captures) {
            program.wait_for_end().await;
        }
    }
}

impl Program {
    /// Starts the program; later, where the system is short of something that may be had again.
    fn start(&mut self, sockets: &[BorrowedFd<'_>]) -> anyhow::Result<()> {
        let failed = || format!("cannot start {:?}", self.path);
        self.state = match spawn::start(&self.path, &self.arguments, sockets) {
            Ok(child) => State::Up(child, Instant::now()),
            Err(error) if is_shortage(&error) => {
                let pause = self.backoff.died(Duration::ZERO);
                log::warn!(
                    "{}: {error}; next try in {}",
                    failed(),
                    humantime::format_duration(pause)
                );
                State::Waiting(Instant::now() + pause)
            }
            Err(error) => return Err(error).with_context(failed),
        };
        Ok(())
    }

    /// Waits for the program's end, which is given, or for the moment of its next start.
    async fn event(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.state {
            State::Down => pending().await,
            State::Up(child, _) => child.wait().await.map(Some),
            State::Waiting(until) => {
                sleep_until(*until).await;
                Ok(None)
            }
        }
    }

    /// Takes note of an end that was not asked for. One that a new start would only repeat is an error.
    fn died(&mut self, status: ExitStatus) -> anyhow::Result<()> {
        let ran = match &self.state {
            State::Up(_, since) => since.elapsed(),
            _ => Duration::ZERO,
        };
        if matches!(status.code(), Some(code) if code == EXIT_USAGE || code == i32::from(EXIT_CONFIG))
        {
            self.state = State::Down;
            bail!("{} cannot run with its configuration", self.label);
        }
        let pause = self.backoff.died(ran);
        log::warn!(
            "{} ended ({status}); next start in {}",
            self.label,
            humantime::format_duration(pause)
        );
        self.state = State::Waiting(Instant::now() + pause);
        Ok(())
    }

    fn tell(&self, signal: Signal) {
        if let State::Up(child, _) = &self.state
            && let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok())
        {
            // It may have ended just now.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    async fn wait_for_end(&mut self) {
        if let State::Up(child, _) = &mut self.state
            && timeout(FAREWELL, child.wait()).await.is_err()
        {
            log::warn!("{} does not end; killing it", self.label);
            // It may have ended just now.
            let _ = child.kill().await;
        }
        self.state = State::Down;
    }
}

/// Descriptors, processes or memory: what another program gives back sooner or later.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM)
    )
}

/// Waits for the first event of several programs.
async fn any(programs: &mut [Program]) -> (usize, io::Result<Option<ExitStatus>>) {
    let mut events: Vec<_> = programs
        .iter_mut()
        .map(|program| Box::pin(program.event()))
        .collect();
    poll_fn(|cx| {
        for (index, event) in events.iter_mut().enumerate() {
            if let Poll::Ready(result) = event.as_mut().poll(cx) {
                return Poll::Ready((index, result));
            }
        }
        Poll::Pending
    })
    .await
}
