//! A receiver of what is sent to a UDP port. When a packet came the kernel says: who receives may
//! be late.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;

use super::Frame;
use super::assembly::{Assembly, Counts};

/// A second of what is measured here: nothing is lost at the receiver.
const BUFFER_BYTES: usize = 16 << 20;

/// More than any packet has.
const PACKET_BYTES: usize = 1 << 16;

/// Between two frames of any sender there is less.
const PATIENCE: Duration = Duration::from_secs(5);

/// The receiver.
pub(crate) struct Receiver {
    socket: UdpSocket,
    assembly: Assembly,
    packet: Vec<u8>,
}

/// What came in some time.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The frames that are whole.
    pub(crate) frames: Vec<Frame>,
    /// What came of all.
    pub(crate) counts: Counts,
}

/// When enough has come.
#[derive(Clone, Copy, Debug)]
enum Enough {
    At(Instant),
    /// So many frames have begun.
    Begun(u64),
}

impl Receiver {
    /// Takes a port of this address.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn bind(address: IpAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        // RTP has even ports, and the next ones are RTCP's.
        if socket.local_addr()?.port() % 2 == 1 {
            return Self::bind(address);
        }
        socket.set_nonblocking(true)?;
        setsockopt(&socket, RcvBufForce, &BUFFER_BYTES)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self {
            socket,
            assembly: Assembly::default(),
            packet: vec![0; PACKET_BYTES],
        })
    }

    /// Where it receives.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Receives for some time.
    ///
    /// # Errors
    /// Nothing comes, or anything but packets of JPEGs.
    pub(crate) fn watch(&mut self, time: Duration) -> anyhow::Result<Received> {
        self.receive(Enough::At(Instant::now() + time))
    }

    /// Receives so many frames, from the next one on.
    ///
    /// # Errors
    /// As for [`Receiver::watch`].
    pub(crate) fn watch_frames(&mut self, frames: u64) -> anyhow::Result<Received> {
        self.receive(Enough::Begun(1))?;
        // The one that has begun with that is the first, and ends when the next begins.
        self.receive(Enough::Begun(frames))
    }

    fn receive(&mut self, enough: Enough) -> anyhow::Result<Received> {
        let before = self.assembly.counts();
        let mut frames = Vec::new();
        let mut heard = Instant::now();
        loop {
            let counts = self.assembly.counts().since(before);
            let left = match enough {
                Enough::At(end) => end.checked_duration_since(Instant::now()),
                Enough::Begun(count) => (counts.frames < count).then_some(PATIENCE),
            };
            let Some(left) = left else {
                return Ok(Received { frames, counts });
            };
            if let Some((bytes, at)) = self.packet()? {
                heard = Instant::now();
                frames.extend(self.assembly.push(&self.packet[..bytes], at)?);
                continue;
            }
            ensure!(heard.elapsed() < PATIENCE, "nothing came for {PATIENCE:?}");
            let timeout = PollTimeout::try_from(left.min(PATIENCE) + Duration::from_millis(1))?;
            let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, timeout) {
                Err(errno) if errno != Errno::EINTR => return Err(errno.into()),
                _ => {}
            }
        }
    }

    /// Takes a packet that has come, and says when it did.
    fn packet(&mut self) -> anyhow::Result<Option<(usize, SystemTime)>> {
        let mut control = cmsg_space!(TimeSpec);
        let mut buffer = [IoSliceMut::new(&mut self.packet)];
        let socket = self.socket.as_raw_fd();
        let message = recvmsg::<()>(socket, &mut buffer, Some(&mut control), MsgFlags::empty());
        let message = match message {
            Err(Errno::EAGAIN) => return Ok(None),
            message => message?,
        };
        let came = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        let came = came.context("the kernel does not say when a packet came")?;
        Ok(Some((message.bytes, UNIX_EPOCH + came)))
    }
}

impl Received {
    /// Ages of the whole frames' last packets in milliseconds.
    pub(crate) fn ages_ms(&self) -> anyhow::Result<Vec<f64>> {
        let ages = self.frames.iter().map(Frame::age);
        ages.map(|age| Ok(age?.as_secs_f64() * 1e3)).collect()
    }
}
