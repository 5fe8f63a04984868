//! The side of the program that has the door: finds who takes a connection, and passes it on.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::time::Duration;

use eyelid_daemon::readiness;
use eyelid_pacing::unacknowledged_bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, sendmsg, socket_with,
};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::REFUSED;
use super::message::Known;
use crate::admission::Permit;
use crate::response::{close, head_bytes};
use crate::take_over::TakenOver;

/// How long a program may take to begin. To connect to its socket starts it; one that cannot start
/// is tried again for as long as there is somebody to start it for.
const START_TIMEOUT: Duration = Duration::from_secs(10);

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
            .and_then(readiness::readable_and_writable)
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
    /// refuses is no client any more, but waits. A client whose program ends at this very moment,
    /// or does not begin, is told to try again.
    pub async fn hand_over(self, known: &Known, taken: TakenOver) {
        let sent = match self.send(known, &taken) {
            Ok(()) => self.received().await,
            failed => failed,
        };
        match sent {
            Ok(()) => {
                // The program's from here on: only its own end closes it.
                drop(taken.socket);
                self.ended(taken.permit.as_deref()).await;
            }
            Err(error) => {
                // Whoever still receives the message finds nobody at the other end.
                drop(self);
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

    /// Waits until the program has received the message, or is gone.
    async fn received(&self) -> io::Result<()> {
        let received = async {
            while unacknowledged_bytes(&self.link)? > 0 {
                // What is received makes room (unix(7)).
                self.link.writable().await?.clear_ready();
            }
            Ok(())
        };
        timeout(START_TIMEOUT, received).await.unwrap_or_else(|_| {
            let seconds = START_TIMEOUT.as_secs();
            Err(io::Error::other(format!(
                "the program does not begin within {seconds} s"
            )))
        })
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use rustix::net::{bind, listen};

    use super::super::taking::{poll_accept, receive};
    use super::*;
    use crate::socket::{Peer, Socket};

    /// A socket of a program, and a connection to it.
    fn program() -> (tempfile::TempDir, OwnedFd, Recipient) {
        let directory = tempfile::tempdir().unwrap();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let listener = listener.unwrap();
        let path = directory.path().join("video");
        bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&listener, 8).unwrap();
        let recipients = Recipients::new(directory.path().to_owned());
        let recipient = recipients.connect("video").unwrap();
        (directory, listener, recipient)
    }

    fn known() -> Known {
        Known {
            peer: Peer::Unix,
            camera: None,
            user: None,
            allow_origin: None,
        }
    }

    /// A client that has asked, and what is taken over of it.
    fn client() -> (UnixStream, TakenOver) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::Unix(tokio::net::UnixStream::from_std(ours).unwrap());
        (theirs, TakenOver::new(socket, Some(b"GET".to_vec())))
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_given_to_a_program_that_does_not_begin_is_told_so() {
        let (_directory, listener, recipient) = program();
        let (mut client, taken) = client();
        recipient.hand_over(&known(), taken).await;
        let mut answer = String::new();
        // To the end: no descriptor of it is open for writing, also not that in the message.
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nretry-after: 2\r\n"));
        let listener = readiness::readable(listener).unwrap();
        let link = std::future::poll_fn(|cx| poll_accept(&listener, cx)).await;
        let error = receive(link.unwrap()).await.err().unwrap().to_string();
        assert!(error.contains("answered meanwhile"), "{error}");
    }

    #[tokio::test]
    async fn whom_a_program_has_taken_it_alone_ends() {
        let (_directory, listener, recipient) = program();
        let (mut client, taken) = client();
        let known = known();
        let taking = async {
            let listener = readiness::readable(listener).unwrap();
            let link = std::future::poll_fn(|cx| poll_accept(&listener, cx)).await;
            let program = receive(link.unwrap()).await.unwrap();
            program.socket.send(b"said").await.unwrap();
            // What this end has is closed here, with the link.
        };
        tokio::join!(recipient.hand_over(&known, taken), taking);
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, "said");
    }
}
