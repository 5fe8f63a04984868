//! The listening sockets, held from start to end so that no connection is ever refused.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::task::{Context, Poll};
use std::{fs, io};

use anyhow::Context as _;
use eyelid_config::Address;
use eyelid_daemon::listening::{bind_tcp, bind_unix};
use eyelid_daemon::readiness;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::accept;
use tokio::io::unix::AsyncFd;

use crate::plan::{Listen, ListenFrom};

/// The listening sockets of one program.
#[derive(Default)]
pub(crate) struct Sockets(Vec<Listening>);

struct Listening {
    socket: ListeningSocket,
    address: Bound,
}

/// A socket on which another process accepts.
pub(crate) struct ListeningSocket(AsyncFd<OwnedFd>);

/// What is listened on.
pub(crate) enum Bound {
    /// An address, with the port that the system chose.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Sockets {
    /// Binds all addresses.
    ///
    /// # Errors
    /// Names the address that cannot be had.
    pub(crate) fn bind(listen: &Listen) -> anyhow::Result<Self> {
        let bind = |address: &Address| {
            bind(address).with_context(|| match &listen.from {
                ListenFrom::Flags => {
                    format!("cannot listen on {address}; give another with --listen ADDR")
                }
                ListenFrom::File(path) => format!(
                    "cannot listen on {address}, as configuration {path:?} has it in listen; give another there, or with --listen ADDR"
                ),
                ListenFrom::Table(path, table) => format!(
                    "cannot listen on {address}; give another with listen in {table} of configuration {path:?}"
                ),
            })
        };
        let bound = listen.addresses.iter().map(bind);
        Ok(Self(bound.collect::<anyhow::Result<_>>()?))
    }

    /// Says whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sockets, in the order of the addresses.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.0
            .iter()
            .map(|listening| listening.socket.as_fd())
            .collect()
    }

    /// Waits until somebody wants to connect, and leaves the connection to the program.
    pub(crate) async fn wait_for_connection(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_connection(cx)).await
    }

    /// Says when somebody wants to connect, as [`Sockets::wait_for_connection`].
    pub(crate) fn poll_connection(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sockets = self.0.iter().map(|listening| &listening.socket);
        let mut ready = sockets.map(|socket| socket.poll_connection(cx));
        ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    /// Closes all connections that wait.
    pub(crate) fn turn_away(&self) {
        for listening in &self.0 {
            listening.socket.turn_away();
        }
    }

    /// Says whether somebody has connected whom the program has not let in yet.
    pub(crate) fn somebody_waits(&self) -> bool {
        let mut sockets: Vec<_> = self
            .0
            .iter()
            .map(|listening| PollFd::new(listening.socket.as_fd(), PollFlags::POLLIN))
            .collect();
        is_one_readable(&mut sockets).unwrap_or(false)
    }

    /// What is listened on, in the order of the addresses.
    pub(crate) fn bound(&self) -> impl Iterator<Item = &Bound> + Clone {
        self.0.iter().map(|listening| &listening.address)
    }
}

impl ListeningSocket {
    /// Takes a socket over that listens.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self(readiness::readable(socket)?))
    }

    /// Says when somebody wants to connect, and leaves the connection to who accepts.
    pub(crate) fn poll_connection(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The runtime remembers those who were accepted meanwhile, and tells only once of those who
        // were not.
        while let Poll::Ready(ready) = self.0.poll_read_ready(cx) {
            ready?.clear_ready();
        }
        let mut socket = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        match is_one_readable(&mut socket)? {
            false => Poll::Pending,
            true => Poll::Ready(Ok(())),
        }
    }

    /// Closes all connections that wait, for there is nobody to take them.
    pub(crate) fn turn_away(&self) {
        // What was passed on one is closed with it.
        while let Ok(connection) = accept(self.as_fd().as_raw_fd()) {
            let _ = nix::unistd::close(connection);
        }
    }
}

/// Says whether there is something to read from one of these now. A signal that comes at this very
/// moment, as that of a program's end or of ours, ends poll(2) although it waits for nothing.
fn is_one_readable(descriptors: &mut [PollFd<'_>]) -> nix::Result<bool> {
    loop {
        match poll(descriptors, PollTimeout::ZERO) {
            Err(Errno::EINTR) => {}
            polled => return polled.map(|count| count > 0),
        }
    }
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for listening in &self.0 {
            if let Bound::Unix(path) = &listening.address {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn bind(address: &Address) -> io::Result<Listening> {
    let (socket, address): (OwnedFd, Bound) = match address {
        Address::Tcp(text) => {
            let listener = bind_tcp(text)?;
            let address = listener.local_addr()?;
            (listener.into(), Bound::Tcp(address))
        }
        Address::Unix(path) => (bind_unix(path)?.into(), Bound::Unix(path.clone())),
    };
    Ok(Listening {
        socket: ListeningSocket::new(socket)?,
        address,
    })
}
