//! Listening sockets: passed by the service manager, or bound here.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::task::{Context, Poll};

use eyelid_config::Address;
use eyelid_daemon::listening::{bind_tcp, bind_unix};
use eyelid_daemon::sockets::Passed;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::socket::Socket;

/// A listening socket.
pub enum Listener {
    /// For TCP.
    Tcp(TcpListener),
    /// For Unix sockets; the path is removed at the end, if it was made here.
    Unix(UnixListener, Option<PathBuf>),
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
    /// What the runtime said.
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
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// The address and what the system said of it.
    pub fn bind(address: &Address) -> Result<Self, BindError> {
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
                log::info!("listening on http://{local}");
            }
            Self::Unix(..) => log::info!("listening on {address}"),
        }
        Ok(listener)
    }

    /// Accepts a connection.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Socket::Tcp(stream)),
            Self::Unix(listener, _) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Socket::Unix(stream)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
            let _ = fs::remove_file(path);
        }
    }
}
