//! One of the programs: started, told, waited for.

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context;
use eyelid_config::EXIT_CONFIG;
use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_daemon::is_shortage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout};

use crate::spawn;

/// How long a program may take to end before it is killed: `eyelid-capture` gives its command 2 s.
const FAREWELL: Duration = Duration::from_secs(4);

/// The pauses before a program that died is started again. The first is long enough for what it needs to be released,
/// the longest short enough for who waits.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// A program that ran this long was well: its next death is a first one.
const WELL: Duration = Duration::from_secs(10);

/// Exit status of a program that does not know its arguments (clap's).
const EXIT_USAGE: i32 = 2;

/// A program to be kept running.
pub(crate) struct Program {
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

/// What follows from an end that was not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It is started again after a pause.
    Again,
    /// It cannot run with its arguments or its configuration, and is not started again.
    Refused,
}

impl Program {
    /// A program that does not run yet. `label` is what people call it.
    pub(crate) fn new(label: String, path: PathBuf, arguments: Vec<OsString>) -> Self {
        Self {
            label,
            path,
            arguments,
            state: State::Down,
            backoff: PAUSES,
        }
    }

    /// What people call it.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// What it is started with.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Starts it with others from its next start on.
    pub(crate) fn set_arguments(&mut self, arguments: Vec<OsString>) {
        self.arguments = arguments;
    }

    /// Its process, if it has one.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let State::Up(child, _) = &self.state else {
            return None;
        };
        child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw)
    }

    /// Says whether it neither runs nor waits for its next start.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.state, State::Down)
    }

    /// Starts the program; later, where the system is short of something that may be had again.
    pub(crate) fn start(&mut self, sockets: &[BorrowedFd<'_>]) -> anyhow::Result<()> {
        let failed = || format!("cannot start {:?}", self.path);
        self.state = match spawn::start(&self.path, &self.arguments, sockets) {
            Ok(child) => State::Up(child, Instant::now()),
            Err(error) if is_shortage(&error) => {
                let pause = self.backoff.failed(jitter());
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
    pub(crate) async fn event(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.state {
            State::Down => pending().await,
            State::Up(child, _) => child.wait().await.map(Some),
            State::Waiting(until) => {
                sleep_until(*until).await;
                Ok(None)
            }
        }
    }

    /// Takes note of an end by its own choice.
    pub(crate) fn ended(&mut self) {
        self.state = State::Down;
    }

    /// Takes note of an end that was not asked for. One that a new start would only repeat is final.
    pub(crate) fn died(&mut self, status: ExitStatus) -> Consequence {
        let ran = match &self.state {
            State::Up(_, since) => since.elapsed(),
            _ => Duration::ZERO,
        };
        if matches!(status.code(), Some(code) if code == EXIT_USAGE || code == i32::from(EXIT_CONFIG))
        {
            self.state = State::Down;
            return Consequence::Refused;
        }
        if ran >= WELL {
            self.backoff.succeeded();
        }
        let pause = self.backoff.failed(jitter());
        log::warn!(
            "{} ended ({status}); next start in {}",
            self.label,
            humantime::format_duration(pause)
        );
        self.state = State::Waiting(Instant::now() + pause);
        Consequence::Again
    }

    /// Sends it a signal, if it runs.
    pub(crate) fn tell(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended just now.
            let _ = kill(pid, signal);
        }
    }

    /// Waits until it has ended, which it was told to, and kills it if it takes too long.
    pub(crate) async fn wait_for_end(&mut self) {
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
