//! A pair of UDP ports, of RTP and of RTCP, and how packets leave by it: those of one size
//! together, where the kernel cuts them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Instant;

use eyelid_daemon::Gso;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use crate::quiet_socket::QuietSocket;
use crate::step_timer::StepTimer;

/// How often another pair of ports is tried: one of the two may be taken.
const TRIES: usize = 32;

/// The two ports.
#[derive(Debug)]
pub(crate) struct UdpPair {
    /// That of RTP, which is even.
    pub(crate) rtp: QuietSocket,
    /// That of RTCP, the next one.
    pub(crate) rtcp: UdpSocket,
    gso: Gso,
    /// For steps to the microsecond. Without one the runtime's timers are waited for: they are
    /// later, and wake many who wait at once, as sessions of one camera do.
    timer: Option<StepTimer>,
}

impl UdpPair {
    /// Takes two ports of this address, whatever port it has: this one and the next, or any.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn bind(address: SocketAddr, port: Option<u16>) -> io::Result<Self> {
        let bind = |port| bind_one(with_port(address, port));
        if let Some(port) = port {
            return Self::new(bind(port)?, bind(port + 1)?);
        }
        let mut last = None;
        for _ in 0..TRIES {
            let one = bind(0)?;
            let port = one.local_addr()?.port();
            match bind(port ^ 1) {
                Ok(other) if port % 2 == 0 => return Self::new(one, other),
                Ok(other) => return Self::new(other, one),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    fn new(rtp: std::net::UdpSocket, rtcp: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self {
            rtp: QuietSocket::new(rtp)?,
            rtcp: UdpSocket::from_std(rtcp)?,
            gso: Gso::default(),
            timer: None,
        })
    }

    /// Has its packets leave when they are due, to the microsecond.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn with_step_timer(mut self) -> io::Result<Self> {
        self.timer = Some(StepTimer::new()?);
        Ok(self)
    }

    /// Both sockets, that of RTP first, to set what they have.
    pub(crate) fn sockets(&self) -> [SockRef<'_>; 2] {
        [SockRef::from(self.rtp.socket()), SockRef::from(&self.rtcp)]
    }

    /// Gives the ports of RTP and of RTCP.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn ports(&self) -> io::Result<(u16, u16)> {
        let rtp = self.rtp.socket().local_addr()?;
        Ok((rtp.port(), self.rtcp.local_addr()?.port()))
    }

    /// Sends packets that lie one behind the other, all but the last of so many bytes; to where the
    /// socket is connected, if not to another address. `on_sent` hears how many have gone, as they
    /// go.
    ///
    /// # Errors
    /// What the system said of one of them.
    pub(crate) async fn send(
        &self,
        packets: &[u8],
        packet_bytes: usize,
        to: Option<SocketAddr>,
        mut on_sent: impl FnMut(usize),
    ) -> io::Result<()> {
        let to = to.map(SockaddrStorage::from);
        let mut rest = packets;
        while !rest.is_empty() {
            let (piece, after) = self.gso.split(rest, packet_bytes);
            let send = |socket: &_| send_piece(socket, piece, packet_bytes, to.as_ref());
            let sent = self.rtp.send(send).await;
            match sent {
                Ok(()) => {
                    rest = after;
                    on_sent(piece.len().div_ceil(packet_bytes));
                }
                Err(error) if self.gso.gives_up(&error, packet_bytes) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the next packets are due.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) async fn wait_until(&self, due: Instant) -> io::Result<()> {
        match &self.timer {
            Some(timer) => timer.wait_until(due).await,
            None => {
                sleep_until(due.into()).await;
                Ok(())
            }
        }
    }
}

/// The same address with another port. That of IPv6 keeps its interface.
pub(crate) fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

fn bind_one(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send_piece(
    socket: &std::net::UdpSocket,
    piece: &[u8],
    packet_bytes: usize,
    to: Option<&SockaddrStorage>,
) -> io::Result<()> {
    let segment = packet_bytes as u16;
    let cut = [ControlMessage::UdpGsoSegments(&segment)];
    // One packet alone needs no cutting.
    let controls = if piece.len() > packet_bytes {
        &cut[..]
    } else {
        &[]
    };
    let pieces = [IoSlice::new(piece)];
    sendmsg(socket.as_raw_fd(), &pieces, controls, MsgFlags::empty(), to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn the_port_of_rtp_is_even_and_that_of_rtcp_the_next() {
        for _ in 0..10 {
            let (rtp, rtcp) = UdpPair::bind(HERE, None).unwrap().ports().unwrap();
            assert_eq!((rtp % 2, rtcp), (0, rtp + 1));
        }
    }

    #[tokio::test]
    async fn packets_arrive_as_they_lie_there_cut_by_whom_it_may_be() {
        let receiver = UdpSocket::bind(HERE).await.unwrap();
        let to = receiver.local_addr().unwrap();
        let packets: Vec<u8> = (0..1050u32).map(|n| (n / 100) as u8).collect();
        for gso in [Gso::default(), Gso::refused()] {
            let can_cut = gso.can_cut();
            let mut pair = UdpPair::bind(HERE, None).unwrap();
            pair.gso = gso;
            let mut gone = 0;
            let sent = pair.send(&packets, 100, Some(to), |count| gone += count);
            sent.await.unwrap();
            assert_eq!(gone, 11);
            assert_eq!(pair.gso.can_cut(), can_cut);
            for number in 0..=10u8 {
                let mut packet = [0; 200];
                let bytes = receiver.recv(&mut packet).await.unwrap();
                assert_eq!(bytes, if number == 10 { 50 } else { 100 });
                assert!(packet[..bytes].iter().all(|byte| *byte == number));
            }
        }
    }
}
