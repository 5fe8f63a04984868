//! A client's connected socket, TCP or Unix, and how bytes leave through it.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{AddrParseError, IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

/// A client that takes nothing for this long is gone: three times the pause after which go2rtc and
/// browsers behind a roaming phone come back, and far less than the 15 minutes TCP itself tries for
/// (tcp(7), tcp_retries2).
pub const STALL: Duration = Duration::from_secs(30);

/// How long a client that was answered may take to close.
const LINGER: Duration = Duration::from_secs(1);

/// Who is at the other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Peer {
    /// A client at this address.
    Tcp(SocketAddr),
    /// A client of the same machine, which has no address: a proxy, as a rule.
    Unix,
    /// A client that is gone already.
    Unknown,
}

impl Peer {
    /// Gives its address without the port, if it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix | Self::Unknown => None,
        }
    }

    /// Gives where it is, for people and without the port: its address, or how it came.
    pub fn host(self) -> String {
        match self.ip() {
            Some(ip) => ip.to_canonical().to_string(),
            None => self.to_string(),
        }
    }

    /// Gives the address by which clients are told apart where each is to have its share: a host
    /// has all addresses of its IPv6 network to itself (RFC 7421). This machine's `::1` stays as it
    /// is, so that callers know it as such. `None` for those that have no address.
    pub fn network(self) -> Option<IpAddr> {
        Some(match self.ip()?.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))
            }
            whole => whole,
        })
    }
}

/// A connected stream socket.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Prepares the socket: no waiting for more to send (Nagle), and no keeping of dead clients.
    pub fn prepare(&self) {
        if let Self::Tcp(stream) = self {
            let user_timeout_ms = STALL.as_millis() as u32;
            let prepared = stream.set_nodelay(true).and_then(|()| {
                setsockopt(stream, sockopt::TcpUserTimeout, &user_timeout_ms).map_err(Into::into)
            });
            if let Err(error) = prepared {
                log::debug!("socket options not set: {error}");
            }
        }
    }

    /// Has the loss of a peer noticed within 12 s that sends and answers nothing, without a word
    /// from either side (tcp(7)): one that lost its power, or its network.
    pub fn notice_loss(&self) {
        let Self::Tcp(stream) = self else {
            return;
        };
        let noticed = setsockopt(stream, sockopt::KeepAlive, &true)
            .and_then(|()| setsockopt(stream, sockopt::TcpKeepIdle, &5))
            .and_then(|()| setsockopt(stream, sockopt::TcpKeepInterval, &5))
            .and_then(|()| setsockopt(stream, sockopt::TcpKeepCount, &2))
            .and_then(|()| setsockopt(stream, sockopt::TcpUserTimeout, &10_000));
        if let Err(errno) = noticed {
            log::debug!("socket options not set: {errno}");
        }
    }

    /// Says who is at the other end.
    pub fn peer(&self) -> Peer {
        match self {
            Self::Tcp(stream) => stream.peer_addr().map_or(Peer::Unknown, Peer::Tcp),
            Self::Unix(_) => Peer::Unix,
        }
    }

    /// Gives the address of this machine by which the peer came, if it came by one.
    pub fn came_by(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => Some(stream.local_addr().ok()?.ip()),
            Self::Unix(_) => None,
        }
    }

    /// Sends all of `bytes`, in as few writes as the socket takes.
    ///
    /// # Errors
    /// What the socket said; `TimedOut` when it took nothing for [`STALL`].
    pub async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    timeout(STALL, self.ready(Interest::WRITABLE)).await??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends as much of `bytes` as the socket takes now.
    ///
    /// # Errors
    /// What the socket said; `WouldBlock` when it takes nothing.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Ends a connection so that the client can still read the answer: closing it with something
    /// unread, such as the rest of a header that was too long, would make TCP throw the answer away
    /// (RFC 9112, section 9.6).
    pub async fn lingering_close(mut self) {
        // Shutting down fails where the client is gone already.
        if self.shutdown().await.is_ok() {
            let _ = timeout(LINGER, self.peer_closed()).await;
        }
    }

    /// Waits until something can be read, as a rule: whoever has room only then needs it no longer
    /// than the bytes lie there.
    ///
    /// # Errors
    /// What the runtime said.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    /// Waits until it takes something, or fails.
    pub async fn writable(&self) {
        let _ = self.ready(Interest::WRITABLE).await;
    }

    /// Reads what has come, once something has; nothing is lost where this is given up. Gives how
    /// many bytes of `buffer` it has filled, which is none when the client has closed its side.
    ///
    /// # Errors
    /// What the socket said.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.readable().await?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Waits until the client closes its side; what it sends meanwhile is ignored.
    pub async fn peer_closed(&self) {
        let mut ignored = [0; 512];
        loop {
            if self.readable().await.is_err() {
                return;
            }
            match self.try_read(&mut ignored) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Waits until something can be read, and for the turn of others: a client that sends without
    /// end would always be ready, and no other task of its thread go on.
    async fn readable(&self) -> io::Result<Ready> {
        consume_budget().await;
        self.ready(Interest::READABLE).await
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Unix(stream) => stream.ready(interest).await,
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl From<Peer> for String {
    fn from(peer: Peer) -> Self {
        peer.to_string()
    }
}

impl TryFrom<String> for Peer {
    type Error = AddrParseError;

    fn try_from(text: String) -> Result<Self, AddrParseError> {
        match text.as_str() {
            "unix" => Ok(Self::Unix),
            "unknown" => Ok(Self::Unknown),
            address => address.parse().map(Self::Tcp),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_host_and_this_machine_is_known_as_such() {
        for (address, network) in [
            ("[2001:db8::1:2:3:4]:5", "2001:db8::"),
            ("[::ffff:192.0.2.1]:5", "192.0.2.1"),
            ("192.0.2.1:5", "192.0.2.1"),
            ("[::1]:5", "::1"),
            ("127.0.0.9:5", "127.0.0.9"),
            ("[::ffff:127.0.0.1]:5", "127.0.0.1"),
        ] {
            let told = Peer::Tcp(address.parse().unwrap()).network();
            assert_eq!(told, Some(network.parse().unwrap()), "{address}");
        }
        assert_eq!(
            (Peer::Unix.network(), Peer::Unknown.network()),
            (None, None)
        );
    }

    #[test]
    fn people_are_told_the_address_without_the_port() {
        for (address, host) in [
            ("192.0.2.1:5", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:5", "192.0.2.1"),
            ("[2001:db8::1]:5", "2001:db8::1"),
        ] {
            assert_eq!(Peer::Tcp(address.parse().unwrap()).host(), host);
        }
        assert_eq!(Peer::Unix.host(), "unix");
    }

    #[tokio::test]
    async fn a_socket_says_by_which_address_its_peer_came() {
        let listener = std::net::TcpListener::bind("[::ffff:127.0.0.1]:0").unwrap();
        let _peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let socket = Socket::Tcp(TcpStream::from_std(accepted).unwrap());
        assert_eq!(socket.came_by(), Some("::ffff:127.0.0.1".parse().unwrap()));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert_eq!(Socket::Unix(ours).came_by(), None);
    }

    /// More reads than a task may make in one turn.
    const READS: usize = 1000;

    /// A client that has sent so many bytes, as is known, and closed.
    async fn flooded(bytes: usize) -> Socket {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.write_all(&vec![b'\r'; bytes]).unwrap();
        let socket = Socket::Unix(UnixStream::from_std(ours).unwrap());
        socket.ready(Interest::READABLE).await.unwrap();
        socket
    }

    /// Says how often another task had its turn while this one was done.
    async fn turns_beside(work: impl Future<Output = ()>) -> usize {
        let turns = Cell::new(0);
        let others = async {
            loop {
                turns.set(turns.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = work => {}
            () = others => {}
        }
        turns.get()
    }

    #[tokio::test]
    async fn who_sends_without_end_leaves_others_their_turn() {
        let socket = flooded(READS).await;
        let turns = turns_beside(async { while socket.read(&mut [0]).await.unwrap() > 0 {} });
        assert!(turns.await > 0);
        let socket = flooded(READS * 512 / 4).await;
        assert!(turns_beside(socket.peer_closed()).await > 0);
    }
}
