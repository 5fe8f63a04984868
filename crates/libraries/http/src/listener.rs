//! Listening sockets: passed by the service manager, or bound here.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use eyelid_config::Address;
use eyelid_daemon::listening::{bind_seqpacket, bind_tcp, bind_unix};
use eyelid_daemon::readiness;
use eyelid_daemon::sockets::Passed;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::hand_over;
use crate::socket::Socket;

/// A listening socket.
pub enum Listener {
    /// For TCP.
    Tcp(TcpListener),
    /// For connections that another program hands over; the path is removed at the end, if it was
    /// made here.
    HandOver(AsyncFd<OwnedFd>, Option<PathBuf>),
    /// For Unix sockets; the path is removed at the end, if it was made here.
    Unix(UnixListener, Option<PathBuf>),
}

/// What was accepted.
pub(crate) enum Accepted {
    /// A client.
    Client(Socket),
    /// A connection by which one is handed over.
    Link(OwnedFd),
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: Address,
    #[source]
    reason: io::Error,
}

/// What the service manager passed: sockets to listen on, or connections to serve alone.
#[derive(Default)]
pub struct Sockets {
    /// Those to listen on.
    pub listeners: Vec<Listener>,
    /// Those to serve.
    pub connections: Vec<Socket>,
}

impl Sockets {
    /// Takes over what was passed.
    ///
    /// # Errors
    /// What the runtime said, and that one is for UDP.
    pub fn adopt(passed: Vec<Passed>) -> io::Result<Self> {
        let mut sockets = Self::default();
        for passed in passed {
            match passed {
                Passed::TcpListener(listener) => {
                    sockets
                        .listeners
                        .push(Listener::Tcp(TcpListener::from_std(listener)?));
                }
                Passed::UnixListener(listener) => {
                    sockets
                        .listeners
                        .push(Listener::Unix(UnixListener::from_std(listener)?, None));
                }
                Passed::SeqpacketListener(listener) => sockets
                    .listeners
                    .push(Listener::HandOver(readiness::readable(listener)?, None)),
                Passed::UdpSocket(_) => {
                    return Err(io::Error::other(
                        "a socket for UDP was passed, and nothing comes here by UDP",
                    ));
                }
                Passed::TcpStream(stream) => sockets
                    .connections
                    .push(Socket::Tcp(TcpStream::from_std(stream)?)),
                Passed::UnixStream(stream) => sockets
                    .connections
                    .push(Socket::Unix(UnixStream::from_std(stream)?)),
            }
        }
        Ok(sockets)
    }

    /// Listens on these addresses, too, for HTTP.
    ///
    /// # Errors
    /// The address and what the system said of it.
    pub fn bind(&mut self, addresses: &[Address]) -> Result<(), BindError> {
        self.bind_for("http", addresses)
    }

    /// Listens on these addresses, too, for URLs of a scheme.
    ///
    /// # Errors
    /// The address and what the system said of it.
    pub fn bind_for(&mut self, scheme: &str, addresses: &[Address]) -> Result<(), BindError> {
        for address in addresses {
            self.listeners.push(Listener::bind(scheme, address)?);
        }
        Ok(())
    }

    /// Says whether there is nothing to listen on, nor anybody to serve.
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.connections.is_empty()
    }
}

impl Listener {
    /// Binds an address, which is that of URLs of this scheme.
    ///
    /// # Errors
    /// The address and what the system said of it.
    pub fn bind(scheme: &str, address: &Address) -> Result<Self, BindError> {
        let bound = match address {
            Address::Tcp(text) => bind_tcp(text)
                .and_then(TcpListener::from_std)
                .map(Self::Tcp),
            Address::Unix(path) => bind_unix(path)
                .and_then(UnixListener::from_std)
                .map(|listener| Self::Unix(listener, Some(path.clone()))),
        };
        let failed = |reason| BindError {
            address: address.clone(),
            reason,
        };
        let listener = bound.map_err(failed)?;
        match &listener {
            Self::Tcp(tcp) => {
                let local = tcp.local_addr().map_err(failed)?;
                log::info!("listening on {scheme}://{local}");
            }
            _ => log::info!("listening on {address}"),
        }
        Ok(listener)
    }

    /// Binds the socket `path`, to have connections handed over.
    ///
    /// # Errors
    /// The path and what the system said of it.
    pub fn bind_hand_over(path: &Path) -> Result<Self, BindError> {
        let bound = bind_seqpacket(path).and_then(readiness::readable);
        let listener = bound.map_err(|reason| BindError {
            address: Address::Unix(path.to_owned()),
            reason,
        })?;
        log::info!("connections are handed over at {path:?}");
        Ok(Self::HandOver(listener, Some(path.to_owned())))
    }

    /// Accepts a connection.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::Client(Socket::Tcp(stream))),
            Self::Unix(listener, _) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::Client(Socket::Unix(stream))),
            Self::HandOver(listener, _) => {
                hand_over::poll_accept(listener, cx).map_ok(Accepted::Link)
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) | Self::HandOver(_, Some(path)) = self {
            let _ = fs::remove_file(path);
        }
    }
}
