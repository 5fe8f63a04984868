//! The side of the program that takes connections over.

use std::cell::Cell;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use eyelid_daemon::readiness;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags,
    SocketFlags, SocketType, accept_with, getsockname, recv, recvmsg, send, sockopt,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::REFUSED;
use super::message::{Known, MESSAGE_BYTES};
use crate::socket::Socket;

/// How long a message may take to come: it is sent at once after connecting.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that was handed over.
pub(crate) struct HandedOver {
    /// What the sender knows of it.
    pub(crate) known: Known,
    /// The client.
    pub(crate) socket: Socket,
    /// What was read from it already.
    pub(crate) read: Bytes,
    /// To the sender.
    pub(crate) link: Link,
}

/// The connection to the program that has handed a client over. It tells for as long as it is open
/// that the client is there.
pub(crate) struct Link {
    socket: AsyncFd<OwnedFd>,
    is_refused: Cell<bool>,
    refused: Notify,
}

impl Link {
    fn new(socket: AsyncFd<OwnedFd>) -> Self {
        Self {
            socket,
            is_refused: Cell::default(),
            refused: Notify::new(),
        }
    }

    /// Says that the client is refused: it is no client, but waits to be gone.
    pub(crate) fn refuse(&self) {
        if !self.is_refused.replace(true) {
            // Where that cannot be said, it takes a client's room for as long as it is here.
            let _ = send(&self.socket, REFUSED, SendFlags::NOSIGNAL);
            self.refused.notify_one();
        }
    }

    /// Waits until the client is refused and the sender has no room for it any more.
    pub(crate) async fn until_shed(&self) {
        if !self.is_refused.get() {
            self.refused.notified().await;
        }
        let mut ignored = [0; 64];
        while let Ok(mut ready) = self.socket.readable().await {
            match recv(&self.socket, &mut ignored[..], RecvFlags::empty()) {
                Ok((_, 0)) => return,
                Ok(_) => {}
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(_) => return,
            }
        }
    }
}

/// Accepts a connection from the program that hands over.
pub(crate) fn poll_accept(
    listener: &AsyncFd<OwnedFd>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<OwnedFd>> {
    loop {
        let mut ready = ready!(listener.poll_read_ready(cx))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match accept_with(listener, flags) {
            Err(Errno::AGAIN) => ready.clear_ready(),
            accepted => return Poll::Ready(Ok(accepted?)),
        }
    }
}

/// Waits for the message, and takes the client out of it.
///
/// # Errors
/// Why there is none.
pub(crate) async fn receive(link: OwnedFd) -> io::Result<HandedOver> {
    let link = readiness::readable(link)?;
    let (message, client) = timeout(MESSAGE_TIMEOUT, message(&link)).await??;
    let given_up = matches!(recv(&link, &mut [0; 1][..], RecvFlags::PEEK), Ok((_, 0)));
    if given_up {
        return Err(io::Error::other("the client was answered meanwhile"));
    }
    let (known, read) = Known::parse(&message).map_err(io::Error::other)?;
    let read = Bytes::copy_from_slice(read);
    Ok(HandedOver {
        known,
        socket: adopt(client)?,
        read,
        link: Link::new(link),
    })
}

async fn message(link: &AsyncFd<OwnedFd>) -> io::Result<(Vec<u8>, OwnedFd)> {
    loop {
        let mut ready = link.readable().await?;
        match receive_now(link) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            received => return received,
        }
    }
}

fn receive_now(link: &AsyncFd<OwnedFd>) -> io::Result<(Vec<u8>, OwnedFd)> {
    // One more than fits in tells a message that is too long.
    let mut message = vec![0; MESSAGE_BYTES + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(&mut message)];
    let received = recvmsg(link, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut clients = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    });
    let client = clients.next();
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if received.flags.contains(ReturnFlags::CTRUNC) || clients.next().is_some() {
        return Err(io::Error::other("more than one descriptor came"));
    }
    message.truncate(received.bytes);
    let client = client.ok_or_else(|| io::Error::other("no descriptor came"))?;
    Ok((message, client))
}

/// Takes a client's descriptor, if it is one.
fn adopt(client: OwnedFd) -> io::Result<Socket> {
    if sockopt::socket_type(&client)? != SocketType::STREAM {
        return Err(io::Error::other("what came is no stream socket"));
    }
    match getsockname(&client)?.address_family() {
        AddressFamily::INET | AddressFamily::INET6 => {
            let stream = TcpStream::from(client);
            stream.set_nonblocking(true)?;
            Ok(Socket::Tcp(stream.try_into()?))
        }
        AddressFamily::UNIX => {
            let stream = UnixStream::from(client);
            stream.set_nonblocking(true)?;
            Ok(Socket::Unix(stream.try_into()?))
        }
        _ => Err(io::Error::other("what came is neither TCP nor Unix")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::{AsFd, BorrowedFd};

    use rustix::net::{
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg, socketpair,
    };

    use super::*;
    use crate::socket::Peer;

    fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socketpair(AddressFamily::UNIX, kind, flags, None).unwrap()
    }

    fn give(link: &OwnedFd, message: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
        sendmsg(
            link,
            &[IoSlice::new(message)],
            &mut control,
            SendFlags::empty(),
        )
        .unwrap();
    }

    const LINE: &[u8] = b"{\"version\":1,\"peer\":\"unix\"}\nread";

    #[tokio::test]
    async fn a_client_comes_with_what_is_known_and_was_read() {
        let (theirs, ours) = pair(SocketType::SEQPACKET);
        let (near, far) = pair(SocketType::STREAM);
        give(&theirs, LINE, &[near.as_fd()]);
        drop(near);
        let got = receive(ours).await.unwrap();
        assert_eq!((got.known.peer, &got.read[..]), (Peer::Unix, &b"read"[..]));
        got.socket.send(b"said").await.unwrap();
        let mut said = [0; 8];
        let (_, bytes) = rustix::net::recv(&far, &mut said[..], RecvFlags::empty()).unwrap();
        assert_eq!(&said[..bytes], b"said");
    }

    #[tokio::test]
    async fn what_is_no_client_is_refused() {
        let (near, _far) = pair(SocketType::STREAM);
        let (messages, _) = pair(SocketType::SEQPACKET);
        let (pipe, _) = std::io::pipe().unwrap();
        let (stream, packets, file) = (near.as_fd(), messages.as_fd(), pipe.as_fd());
        for (message, descriptors, why) in [
            (LINE, &[stream, stream][..], "more than one"),
            (LINE, &[stream, stream, stream], "more than one"),
            (LINE, &[packets], "no stream socket"),
            (LINE, &[file], "non-socket"),
            (b"GET / HTTP/1.1\r\n\r\n", &[stream], "line of json"),
            (&[b' '; MESSAGE_BYTES + 2], &[stream], "more than"),
        ] {
            let (theirs, ours) = pair(SocketType::SEQPACKET);
            give(&theirs, message, descriptors);
            let error = receive(ours).await.err().unwrap().to_string();
            assert!(error.to_lowercase().contains(why), "{error}, not {why}");
        }
        let (theirs, ours) = pair(SocketType::SEQPACKET);
        send(&theirs, LINE, SendFlags::empty()).unwrap();
        let error = receive(ours).await.err().unwrap().to_string();
        assert!(error.contains("no descriptor"), "{error}");
        let (theirs, ours) = pair(SocketType::SEQPACKET);
        drop(theirs);
        assert!(receive(ours).await.is_err(), "it closed without a word");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_not_waited_for() {
        let (_theirs, ours) = pair(SocketType::SEQPACKET);
        let error = receive(ours).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
