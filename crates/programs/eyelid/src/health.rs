//! `eyelid --healthcheck`: whoever keeps a running `eyelid`, a container's engine for example, asks
//! how it is.
//!
//! The question goes to the socket that says that the slots directory is taken. A connection to one
//! of the sockets that clients use would start server and cameras, and one every 30 s would keep
//! them from ever ending. A camera that fails is no matter of health: no new start of `eyelid`
//! would bring it back, and `/status` tells of it.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::time::{Instant, sleep};

use crate::slots::claim_name;
use crate::sockets::Sockets;

/// How long a connection may wait for the server to take it: its start takes a tenth of that on a
/// Raspberry Pi.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long `--healthcheck` waits for the answer: longer than that, and less than engines wait for
/// `--healthcheck`.
const ANSWER: Duration = Duration::from_secs(4);

/// How often it is looked whether somebody still waits.
const LOOK: Duration = Duration::from_millis(50);

const WELL: &str = "healthy: ";
const ILL: &str = "unhealthy: ";

/// What is known of the server, kept by the supervisor.
#[derive(Debug)]
pub(crate) struct Health(Cell<Server>);

#[derive(Debug, Clone, Copy)]
enum Server {
    Down,
    Up,
    Exited(ExitStatus),
}

impl Health {
    /// Nobody has connected yet.
    pub(crate) fn new() -> Self {
        Self(Cell::new(Server::Down))
    }

    /// The server has been started.
    pub(crate) fn server_runs(&self) {
        self.0.set(Server::Up);
    }

    /// The server has exited, and waits for its next start.
    pub(crate) fn server_exited(&self, status: ExitStatus) {
        self.0.set(Server::Exited(status));
    }

    /// The server has been ended, and will be started with the next connection.
    pub(crate) fn server_ended(&self) {
        self.0.set(Server::Down);
    }

    /// Answers all that ask, for ever: one after the other, and each with one line.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub(crate) async fn answer(
        &self,
        claim: UnixListener,
        sockets: &Sockets,
    ) -> io::Result<Infallible> {
        claim.set_nonblocking(true)?;
        let claim = tokio::net::UnixListener::from_std(claim)?;
        loop {
            match claim.accept().await {
                Ok((asking, _)) => {
                    let line = format!("{}\n", self.line(sockets).await);
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

    async fn line(&self, sockets: &Sockets) -> String {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.0.get() {
                Server::Exited(status) => {
                    return format!(
                        "{ILL}eyelid-server ended ({status}) and is yet to be started again"
                    );
                }
                _ if sockets.somebody_waits() => {}
                Server::Down => return format!("{WELL}nobody is connected, nothing else runs"),
                Server::Up => return format!("{WELL}eyelid-server runs"),
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
