//! The bare loop of the section `receive`: the least that a program with one thread can do to take
//! frames from as many WebSockets, and to put each into its slot. A frame is written into a hidden
//! file, which is renamed. There is no look at the frame, no rule about when one is published, no
//! mask that is taken off where it changes nothing, and no time-out. If it is told to, it hears of
//! each reader, as a program must whose cameras sleep (docs/slot.md): what that costs is then in
//! it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::str;

use anyhow::{Context, bail};
use eyelid_slot::FRAME_FILE;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::websocket::{Frame, Kind, apply_mask};

const RESPONSE: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// More than a frame of any camera that is measured.
const BUFFER_BYTES: usize = 1 << 18;

/// What epoll calls the listener and the readers; connections have higher numbers.
const LISTENER: u64 = 0;
const READERS: u64 = 1;
const FIRST_CONNECTION: u64 = 2;

/// What readers are to be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// None.
    Ignored,
    /// All: each frame is watched, and each event waited for.
    Heard,
}

/// A camera's connection.
struct Connection {
    socket: TcpStream,
    /// The camera's slot, once it is known.
    slot: Option<Slot>,
    /// What was read and is not done with is at its beginning.
    buffer: Vec<u8>,
    filled: usize,
    /// The fragments of a message that have come.
    message: Vec<u8>,
}

struct Slot {
    hidden: PathBuf,
    frame: PathBuf,
}

/// Runs until killed. A camera's slot has its name below `slots`, and is there.
pub(crate) fn run(listen: SocketAddr, slots: &Path, readers: Readers) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let inotify = match readers {
        Readers::Heard => Some(Inotify::init(
            InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC,
        )?),
        Readers::Ignored => None,
    };
    if let Some(inotify) = &inotify {
        epoll.add(inotify, EpollEvent::new(EpollFlags::EPOLLIN, READERS))?;
    }
    let mut connections = HashMap::new();
    let mut next = FIRST_CONNECTION;
    let mut events = [EpollEvent::empty(); 128];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        for event in &events[..ready] {
            if event.data() == LISTENER {
                let socket = listener.accept()?.0;
                epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, next))?;
                connections.insert(next, Connection::new(socket));
                next += 1;
            } else if event.data() == READERS {
                inotify.as_ref().map(Inotify::read_events).transpose()?;
            } else if let Some(connection) = connections.get_mut(&event.data())
                && connection.serve(slots, inotify.as_ref()).is_err()
            {
                connections.remove(&event.data());
            }
        }
    }
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            slot: None,
            buffer: vec![0; BUFFER_BYTES],
            filled: 0,
            message: Vec::new(),
        }
    }

    /// Takes what has come. A socket that has more is ready again.
    fn serve(&mut self, slots: &Path, inotify: Option<&Inotify>) -> anyhow::Result<()> {
        match self.socket.read(&mut self.buffer[self.filled..])? {
            0 => bail!("closed, or more than a frame"),
            got => self.filled += got,
        }
        let Some(slot) = &self.slot else {
            return self.accept(slots);
        };
        let mut done = 0;
        while let Some(frame) = Frame::parse(&self.buffer[done..self.filled]) {
            let bytes = &mut self.buffer[done..];
            done += frame.payload.end;
            let payload = &mut bytes[frame.payload];
            apply_mask(payload, frame.mask);
            match frame.kind {
                Kind::Binary if frame.is_last => slot.publish(payload, inotify)?,
                Kind::Binary | Kind::Continuation => {
                    self.message.extend_from_slice(payload);
                    if frame.is_last {
                        slot.publish(&self.message, inotify)?;
                        self.message.clear();
                    }
                }
                _ => {}
            }
        }
        self.buffer.copy_within(done..self.filled, 0);
        self.filled -= done;
        Ok(())
    }

    /// Answers the handshake, once it is whole. Nothing comes behind it before the answer.
    fn accept(&mut self, slots: &Path) -> anyhow::Result<()> {
        let read = &self.buffer[..self.filled];
        if read.ends_with(b"\r\n\r\n") {
            let request = str::from_utf8(read)?;
            let name = request.strip_prefix("GET /").context("no GET")?;
            let (name, _) = name.split_once(' ').context("no path")?;
            self.slot = Some(Slot::new(&slots.join(name)));
            self.filled = 0;
            self.socket.write_all(RESPONSE)?;
        }
        Ok(())
    }
}

impl Slot {
    fn new(directory: &Path) -> Self {
        Self {
            hidden: directory.join(".bare.tmp"),
            frame: directory.join(FRAME_FILE),
        }
    }

    fn publish(&self, jpeg: &[u8], inotify: Option<&Inotify>) -> anyhow::Result<()> {
        File::create(&self.hidden)?.write_all(jpeg)?;
        if let Some(inotify) = inotify {
            let mask = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE_NOWRITE;
            inotify.add_watch(&self.hidden, mask)?;
        }
        Ok(fs::rename(&self.hidden, &self.frame)?)
    }
}
