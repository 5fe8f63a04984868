//! One process of a program: started, signalled, started again.

use std::ffi::OsString;
use std::io;
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
use tokio::time::{Instant, timeout};

use crate::spawn::{self, Inherited};

/// How long a program may take to end before it is killed: `eyelid-capture` gives its command 2 s.
const KILL_AFTER: Duration = Duration::from_secs(4);

/// The pauses before a program that exited is started again. The first is long enough for what it
/// needs to be released, the longest short enough for who waits.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// A program that ran this long was well: its next death is a first one.
const WELL: Duration = Duration::from_secs(10);

/// Exit status of a program that does not know its arguments (clap's).
const EXIT_USAGE: i32 = 2;

/// A process to be kept running.
#[derive(Debug)]
pub(crate) struct Process {
    label: String,
    path: PathBuf,
    arguments: Vec<OsString>,
    condition: Condition,
    backoff: Backoff,
}

#[derive(Debug)]
enum Condition {
    Down,
    Up { child: Child, since: Instant },
    Waiting { until: Instant },
}

/// What follows from an end that was not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It is started again after a pause.
    Again,
    /// It cannot run with its arguments or its configuration, and is not started again.
    Refused,
}

impl Process {
    /// One that does not run yet. `label` is what people call it.
    pub(crate) fn new(label: String, path: PathBuf, arguments: Vec<OsString>) -> Self {
        Self {
            label,
            path,
            arguments,
            condition: Condition::Down,
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

    /// Its number, if it runs.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let Condition::Up { child, .. } = &self.condition else {
            return None;
        };
        child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw)
    }

    /// Says whether it neither runs nor waits for its next start.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.condition, Condition::Down)
    }

    /// When it is to be started again.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.condition {
            Condition::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Starts it; later, where the system is short of something that may be had again.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn start(&mut self, inherited: &Inherited<'_>) -> anyhow::Result<()> {
        let failed = || format!("cannot start {:?}", self.path);
        self.condition = match spawn::start(&self.path, &self.arguments, inherited) {
            Ok(child) => Condition::Up {
                child,
                since: Instant::now(),
            },
            Err(error) if is_shortage(&error) => {
                let pause = self.backoff.failed(jitter());
                log::warn!(
                    "{}: {error}; next try in {}",
                    failed(),
                    humantime::format_duration(pause)
                );
                Condition::Waiting {
                    until: Instant::now() + pause,
                }
            }
            Err(error) => return Err(error).with_context(failed),
        };
        Ok(())
    }

    /// Says how it ended, if it has and that was not known yet. It counts as running until
    /// [`Self::ended`] or [`Self::exited`].
    ///
    /// # Errors
    /// What wait(2) said.
    pub(crate) fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.condition {
            Condition::Up { child, .. } => child.try_wait(),
            _ => Ok(None),
        }
    }

    /// Takes note of an end by its own choice, or that it is not to be started again.
    pub(crate) fn ended(&mut self) {
        self.condition = Condition::Down;
    }

    /// Takes note of an end that was not asked for. One that a new start would only repeat is
    /// final.
    pub(crate) fn exited(&mut self, status: ExitStatus) -> Consequence {
        let ran = match &self.condition {
            Condition::Up { since, .. } => since.elapsed(),
            _ => Duration::ZERO,
        };
        if is_refusal(status) {
            self.condition = Condition::Down;
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
        self.condition = Condition::Waiting {
            until: Instant::now() + pause,
        };
        Consequence::Again
    }

    /// Sends it a signal, if it runs.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended just now.
            let _ = kill(pid, signal);
        }
    }

    /// Waits until it has ended, which it was told to, and kills it if it takes too long.
    pub(crate) async fn wait_for_end(&mut self) {
        if let Condition::Up { child, .. } = &mut self.condition
            && timeout(KILL_AFTER, child.wait()).await.is_err()
        {
            log::warn!("{} does not end; killing it", self.label);
            // It may have ended just now.
            let _ = child.kill().await;
        }
        self.condition = Condition::Down;
    }
}

/// Says whether a program ended because it does not take its arguments or its configuration.
pub(crate) fn is_refusal(status: ExitStatus) -> bool {
    matches!(status.code(), Some(code) if code == EXIT_USAGE || code == i32::from(EXIT_CONFIG))
}
