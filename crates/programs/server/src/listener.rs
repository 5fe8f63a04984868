//! Listening sockets: passed by the service manager, or bound here.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::task::{Context, Poll};

use anyhow::Context as _;
use eyelid_config::Address;
use eyelid_daemon::listening::{bind_tcp, bind_unix};
use eyelid_daemon::sockets::Passed;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::socket::Socket;

/// A listening socket.
pub(crate) enum Listener {
    /// TCP
    Tcp(TcpListener),
    /// Unix; the path is removed at the end, if it was made here.
    Unix(UnixListener, Option<PathBuf>),
}

/// What the service manager passed: sockets to listen on, or connections to serve alone.
#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) connections: Vec<Socket>,
}

impl Sockets {
    /// Takes over what was passed.
    ///
    /// # Errors
    /// What the runtime said.
    pub(crate) fn adopt(passed: Vec<Passed>) -> io::Result<Self> {
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
    pub(crate) fn bind(address: &Address) -> anyhow::Result<Self> {
        let listener = match address {
            Address::Tcp(text) => bind_tcp(text)
                .and_then(TcpListener::from_std)
                .map(Self::Tcp),
            Address::Unix(path) => bind_unix(path)
                .and_then(UnixListener::from_std)
                .map(|listener| Self::Unix(listener, Some(path.clone()))),
        }
        .with_context(|| format!("cannot listen on {address}"))?;
        match &listener {
            Self::Tcp(tcp) => log::info!("listening on http://{}", tcp.local_addr()?),
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
