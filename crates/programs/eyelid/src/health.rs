//! `eyelid --healthcheck`: whoever keeps a running `eyelid`, a container's engine for example, asks
//! how it is.
//!
//! The question goes to the socket that says that the slots directory is taken. A connection to one
//! of the sockets that clients use would start server and cameras, and one every 30 s would keep
//! them from ever ending. The same is true of `eyelid-receive` and its port. A camera that fails is
//! no matter of health: no new start of `eyelid` would bring it back, and `/status` tells of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::time::{Instant, sleep};

use crate::doors::Doors;
use crate::slots::claim_name;
use crate::sockets::Sockets;

/// How long a connection may wait for the program to take it: a start takes a tenth of that on a
/// Raspberry Pi.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long `--healthcheck` waits for the answer: longer than that, and less than engines wait for
/// `--healthcheck`.
const ANSWER: Duration = Duration::from_secs(4);

/// How often it is looked whether somebody still waits.
const LOOK: Duration = Duration::from_millis(50);

const WELL: &str = "healthy: ";
const ILL: &str = "unhealthy: ";

/// What is known of the programs that people connect to, kept by the supervisor. At first nobody
/// has connected, and none of them runs.
#[derive(Debug, Default)]
pub(crate) struct Health(RefCell<BTreeMap<&'static str, Condition>>);

#[derive(Debug, Clone, Copy)]
enum Condition {
    Up,
    Exited(ExitStatus),
}

impl Health {
    /// A program has been started.
    pub(crate) fn runs(&self, program: &'static str) {
        self.0.borrow_mut().insert(program, Condition::Up);
    }

    /// A program has exited, and waits for its next start.
    pub(crate) fn exited(&self, program: &'static str, status: ExitStatus) {
        let exited = Condition::Exited(status);
        self.0.borrow_mut().insert(program, exited);
    }

    /// A program has been ended, and will be started with the next connection.
    pub(crate) fn ended(&self, program: &'static str) {
        self.0.borrow_mut().remove(program);
    }

    /// Answers all that ask, for ever: one after the other, and each with one line.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub(crate) async fn answer(
        &self,
        claim: UnixListener,
        sockets: &Sockets,
        doors: &Doors,
    ) -> io::Result<Infallible> {
        claim.set_nonblocking(true)?;
        let claim = tokio::net::UnixListener::from_std(claim)?;
        loop {
            match claim.accept().await {
                Ok((asking, _)) => {
                    let line = format!("{}\n", self.line(sockets, doors).await);
                    // Whoever has gone needs no answer; the line fits into the socket.
                    let _ = asking.try_write(line.as_bytes());
                }
                // Too many files are open, for example.
                Err(error) => {
                    log::debug!("cannot answer about health: {error}");
                    sleep(PATIENCE).await;
                }
            }
        }
    }

    async fn line(&self, sockets: &Sockets, doors: &Doors) -> String {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(ill) = self.exit() {
                return ill;
            }
            if !sockets.somebody_waits() && !doors.somebody_waits() {
                return self.what_runs();
            }
            if Instant::now() >= patience {
                return format!(
                    "{ILL}for {} s nobody has taken the connections that wait",
                    PATIENCE.as_secs()
                );
            }
            sleep(LOOK).await;
        }
    }

    fn exit(&self) -> Option<String> {
        let programs = self.0.borrow();
        programs
            .iter()
            .find_map(|(name, condition)| match condition {
                Condition::Exited(status) => Some(format!(
                    "{ILL}{name} ended ({status}) and is yet to be started again"
                )),
                Condition::Up => None,
            })
    }

    fn what_runs(&self) -> String {
        let programs = self.0.borrow();
        let names: Vec<_> = programs.keys().copied().collect();
        match names[..] {
            [] => format!("{WELL}nobody is connected, nothing else runs"),
            [one] => format!("{WELL}{one} runs"),
            _ => format!("{WELL}{} run", names.join(" and ")),
        }
    }
}

/// Asks the `eyelid` that has a slots directory how it is.
///
/// # Errors
/// It is not well, does not answer, or is not there.
pub(crate) fn ask(slots: &Path) -> anyhow::Result<String> {
    let line = read_line(slots).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            anyhow!("no eyelid has the slots directory {slots:?}; name its own with --slots DIR")
        }
        io::ErrorKind::WouldBlock => anyhow!(
            "the eyelid that has the slots directory {slots:?} does not answer within {} s",
            ANSWER.as_secs()
        ),
        _ => anyhow!("cannot ask the eyelid that has the slots directory {slots:?}: {error}"),
    })?;
    let line = line.trim_end();
    if line.starts_with(WELL) {
        Ok(line.to_owned())
    } else {
        bail!("{line}")
    }
}

fn read_line(slots: &Path) -> io::Result<String> {
    let mut socket = UnixStream::connect_addr(&claim_name(slots)?)?;
    socket.set_read_timeout(Some(ANSWER))?;
    let mut line = String::new();
    socket.read_to_string(&mut line)?;
    Ok(line)
}
