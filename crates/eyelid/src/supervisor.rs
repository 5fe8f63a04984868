//! Starts the programs when somebody connects, again when they die, and ends them when nobody is there.

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
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

use crate::backoff::Backoff;
use crate::health::Health;
use crate::plan::{Camera, Plan};
use crate::programs::Programs;
use crate::sockets::Sockets;
use crate::spawn;

/// How long a program may take to end before it is killed: `eyelid-capture` gives its command 2 s.
const FAREWELL: Duration = Duration::from_secs(4);

/// Exit status of a program that does not know its arguments (clap's).
const EXIT_USAGE: i32 = 2;

/// Keeps the programs.
pub(crate) struct Supervisor<'a> {
    sockets: &'a Sockets,
    health: &'a Health,
    server: Program,
    captures: Vec<Program>,
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
            tokio::select! {
                () = &mut told => return Ok(()),
                knocked = self.sockets.knock() => knocked.context("cannot wait for connections")?,
            }
            log::debug!("somebody connects");
            let ended = tokio::select! {
                () = &mut told => Ok(Ended::Told),
                ended = self.keep_running() => ended,
            };
            self.end_all().await;
            self.health.server_ended();
            match ended? {
                Ended::Told => return Ok(()),
                Ended::Idle => log::info!(
                    "nobody is connected: server and camera have ended until somebody is"
                ),
            }
        }
    }

    /// Keeps all programs running until the server ends for want of connections.
    async fn keep_running(&mut self) -> anyhow::Result<Ended> {
        let sockets = self.sockets.descriptors();
        self.server.start(&sockets)?;
        self.health.server_runs();
        for capture in &mut self.captures {
            capture.start(&[])?;
        }
        loop {
            tokio::select! {
                status = self.server.event() => match status? {
                    Some(status) if status.success() => return Ok(Ended::Idle),
                    Some(status) => {
                        self.server.died(status)?;
                        self.health.server_died(status);
                    }
                    None => {
                        self.server.start(&sockets)?;
                        self.health.server_runs();
                    }
                },
                (index, status) = any(&mut self.captures) => match status? {
                    Some(status) => self.captures[index].died(status)?,
                    None => self.captures[index].start(&[])?,
                },
            }
        }
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
