//! Clients of a stream, any number of them in one thread.

use std::io::{ErrorKind, Read, Write};
use std::iter;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::multipart::{Moment, Parser, Part};

/// Clients look as hard as they can: what is not looked at is discarded by the kernel (MSG_TRUNC,
/// tcp(7)).
const BUFFER_BYTES: usize = 1 << 20;

/// A first frame takes less, or there will be none.
const PATIENCE: Duration = Duration::from_secs(10);

/// As much as a header and the beginning of a frame.
const LOOKED_AT_BYTES: usize = 512;

/// Who receives frames of cameras, and says when.
pub(crate) trait Watch {
    /// How many there are.
    fn count(&self) -> usize;

    /// Receives what has come, or the next that comes in this time, in a watch that began at
    /// `start`.
    ///
    /// # Errors
    /// One that could not receive, or got anything but whole frames: then nothing was measured.
    fn receive(
        &mut self,
        time: Duration,
        start: Instant,
        seen: &mut Vec<Seen>,
    ) -> anyhow::Result<()>;

    /// Receives for some time.
    ///
    /// # Errors
    /// Those of [`Watch::receive`].
    fn watch(&mut self, time: Duration) -> anyhow::Result<Vec<Seen>> {
        let start = Instant::now();
        let mut seen = Vec::new();
        while let Some(left) = time.checked_sub(start.elapsed()) {
            self.receive(left, start, &mut seen)?;
        }
        Ok(seen)
    }
}

/// Connected clients.
pub(crate) struct Viewers {
    epoll: Epoll,
    clients: Vec<(TcpStream, Parser)>,
    buffer: Vec<u8>,
}

/// A frame that a client received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Which of them, counted from 0.
    pub(crate) client: usize,
    /// When the last byte came, since the watch began.
    pub(crate) after: Duration,
    /// When the last byte came, minus the moment of capture.
    pub(crate) age: Duration,
    /// The bytes of the JPEG.
    pub(crate) bytes: usize,
}

impl Viewers {
    /// Connects `count` clients and asks for `target`.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn connect(server: SocketAddr, target: &str, count: usize) -> anyhow::Result<Self> {
        Self::connect_each(server, iter::repeat_n(target, count))
    }

    /// Connects a client for each of these targets.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn connect_each<'a>(
        server: SocketAddr,
        targets: impl Iterator<Item = &'a str>,
    ) -> anyhow::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut clients = Vec::new();
        for (number, target) in targets.enumerate() {
            let socket = ask(server, target)?;
            socket.set_nonblocking(true)?;
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
            clients.push((socket, Parser::default()));
        }
        Ok(Self {
            epoll,
            clients,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Takes this moment of capture, from the first frame on.
    pub(crate) fn with_moment(mut self, moment: Moment) -> Self {
        for (_, parser) in &mut self.clients {
            *parser = Parser::new(moment);
        }
        self
    }

    /// Receives until each client has got one more frame.
    ///
    /// # Errors
    /// As for [`Watch::watch`], and a client that gets none.
    pub(crate) fn watch_once(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut seen = Vec::new();
        let mut waiting = vec![true; self.clients.len()];
        while waiting.contains(&true) {
            let Some(left) = PATIENCE.checked_sub(start.elapsed()) else {
                let without = waiting.iter().filter(|waiting| **waiting).count();
                bail!("no frame for {without} clients");
            };
            self.receive(left, start, &mut seen)?;
            for seen in seen.drain(..) {
                waiting[seen.client] = false;
            }
        }
        Ok(())
    }
}

impl Watch for Viewers {
    fn count(&self) -> usize {
        self.clients.len()
    }

    /// A client fails that was refused, or lost its connection.
    fn receive(
        &mut self,
        time: Duration,
        start: Instant,
        seen: &mut Vec<Seen>,
    ) -> anyhow::Result<()> {
        let mut events = [EpollEvent::empty(); 128];
        // Rounded up: a wait of 0 ms would spin.
        let wait = EpollTimeout::try_from(time + Duration::from_millis(1))?;
        let ready = match self.epoll.wait(&mut events, wait) {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        for event in &events[..ready] {
            let client = event.data() as usize;
            let (socket, parser) = &mut self.clients[client];
            let mut see = |part: Part| {
                seen.push(Seen {
                    client,
                    after: start.elapsed(),
                    age: SystemTime::now()
                        .duration_since(part.captured)
                        .unwrap_or_default(),
                    bytes: part.bytes,
                });
            };
            receive(socket, parser, &mut self.buffer, &mut see)
                .with_context(|| format!("client {client}"))?;
        }
        Ok(())
    }
}

/// Connects, and sends the request.
///
/// # Errors
/// What the system said.
pub(crate) fn ask(server: SocketAddr, target: &str) -> anyhow::Result<TcpStream> {
    let mut socket =
        TcpStream::connect(server).with_context(|| format!("cannot connect to {server}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(format!("GET {target} HTTP/1.1\r\nHost: {server}\r\n\r\n").as_bytes())?;
    Ok(socket)
}

/// Takes what a socket has; every frame that is whole with it goes to `frame`.
pub(crate) fn receive(
    socket: &TcpStream,
    parser: &mut Parser,
    buffer: &mut [u8],
    see: &mut impl FnMut(Part),
) -> anyhow::Result<()> {
    loop {
        let skippable = parser.skippable().min(buffer.len());
        let (flags, wanted) = match skippable {
            0 => (MsgFlags::empty(), LOOKED_AT_BYTES),
            _ => (MsgFlags::MSG_TRUNC, skippable),
        };
        let got = match recv(socket.as_raw_fd(), &mut buffer[..wanted], flags) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(got) => got,
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(std::io::Error::from(errno).into()),
        };
        if skippable > 0 {
            parser.skip(got);
            continue;
        }
        let mut bytes = &buffer[..got];
        while let Some(part) = parser.push(&mut bytes)? {
            see(part);
        }
    }
}

/// Reads on to the first frame that was captured at `since` or later; blocks until it has come.
/// Gives when the first frame of all had come.
///
/// # Errors
/// No frame.
pub(crate) fn read_until(socket: &mut TcpStream, since: SystemTime) -> anyhow::Result<Instant> {
    let mut parser = Parser::default();
    let mut buffer = vec![0; 1 << 16];
    let mut first = None;
    loop {
        let got = match socket.read(&mut buffer) {
            Ok(0) => bail!("the server closed the connection"),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        };
        let mut bytes = &buffer[..got];
        while let Some(part) = parser.push(&mut bytes)? {
            let first = *first.get_or_insert_with(Instant::now);
            if part.captured >= since {
                return Ok(first);
            }
        }
    }
}

/// Reads one frame, and goes.
///
/// # Errors
/// No frame.
pub(crate) fn look_once(server: SocketAddr, target: &str) -> anyhow::Result<()> {
    read_until(&mut ask(server, target)?, SystemTime::UNIX_EPOCH).map(drop)
}
