//! The side of the program that has the door: finds who takes a connection, and passes it on.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use eyelid_daemon::readiness;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, sendmsg, socket_with,
};
use tokio::io::unix::AsyncFd;

use super::REFUSED;
use super::message::Known;
use crate::admission::Permit;
use crate::response::{close, head_bytes};
use crate::take_over::TakenOver;

/// The programs that take connections over: the directory of their sockets.
#[derive(Clone, Debug)]
pub struct Recipients {
    directory: PathBuf,
}

/// A program that is about to take a connection over.
#[derive(Debug)]
pub struct Recipient {
    link: AsyncFd<OwnedFd>,
}

/// Why a program takes no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It has no socket: it is not installed.
    #[error("there is no such socket")]
    Missing,
    /// It has one, but nobody takes what comes to it now.
    #[error(transparent)]
    Closed(#[from] ClosedError),
}

/// A socket that is there and takes nothing.
#[derive(Debug, thiserror::Error)]
#[error("socket {path:?} takes no connection: {reason}")]
pub struct ClosedError {
    path: PathBuf,
    reason: io::Error,
}

impl Recipients {
    /// Those that have their sockets in this directory, now or later.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Says whether the program whose socket has this `name` is there, without a connection, which
    /// could start it.
    pub fn has(&self, name: &str) -> bool {
        let found = std::fs::metadata(self.directory.join(name));
        found.is_ok_and(|found| found.file_type().is_socket())
    }

    /// Connects to the program whose socket has this `name`. It does not wait: a connection is made
    /// at once, or not.
    ///
    /// # Errors
    /// Why it takes nothing.
    pub fn connect(&self, name: &str) -> Result<Recipient, ConnectError> {
        let path = self.directory.join(name);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let connected = SocketAddrUnix::new(&path).and_then(|address| {
            let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
            connect(&socket, &address)?;
            Ok(socket)
        });
        match connected
            .map_err(io::Error::from)
            .and_then(readiness::readable)
        {
            Ok(link) => Ok(Recipient { link }),
            Err(reason) if is_missing(&reason) => Err(ConnectError::Missing),
            Err(reason) => Err(ClosedError { path, reason }.into()),
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl Recipient {
    /// Passes a connection on, and waits until the program no longer has it. One that the program
    /// refuses is no client any more, but waits. A client whose program ends at this very moment is
    /// told to try again.
    pub async fn hand_over(self, known: &Known, taken: TakenOver) {
        match self.send(known, &taken) {
            Ok(()) => {
                // The program's from here on: only its own end closes it.
                drop(taken.socket);
                self.ended(taken.permit.as_deref()).await;
            }
            Err(error) => {
                log::warn!("client {}: not handed over: {error}", known.peer);
                let mut headers = HeaderMap::new();
                headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
                close(&mut headers);
                let head = head_bytes(StatusCode::SERVICE_UNAVAILABLE, &headers);
                if taken.socket.send(&head).await.is_ok() {
                    taken.socket.lingering_close().await;
                }
            }
        }
    }

    fn send(&self, known: &Known, taken: &TakenOver) -> io::Result<()> {
        let read = taken.read.as_deref();
        let read = read.ok_or_else(|| io::Error::other("too much was read of it already"))?;
        let line = known.to_line(read.len()).map_err(io::Error::other)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let client = [taken.socket.as_fd()];
        if !control.push(SendAncillaryMessage::ScmRights(&client)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let parts = [IoSlice::new(&line), IoSlice::new(read)];
        sendmsg(&self.link, &parts, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits until the program closes its end, or is gone.
    async fn ended(&self, permit: Option<&Permit>) {
        let mut said = [0; 64];
        while let Ok(mut ready) = self.link.readable().await {
            match recv(&self.link, &mut said[..], RecvFlags::empty()) {
                Ok((_, 0)) => return,
                Ok((bytes, _)) if said[..bytes] == *REFUSED => {
                    permit.into_iter().for_each(Permit::wait);
                }
                Ok(_) => {}
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(_) => return,
            }
        }
    }
}
