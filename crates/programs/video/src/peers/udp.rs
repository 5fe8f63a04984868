//! The one UDP socket of all sessions. Each datagram is answered from the address to which it came,
//! also where the socket is bound to all addresses: a browser takes no answer from another.
//!
//! Packets of one size to one client go together, where the kernel cuts them.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Instant;

use eyelid_daemon::Gso;
use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Largest datagram that is read. Browsers send packets of an Ethernet's size; DTLS of some has a
/// little more, in fragments.
const DATAGRAM_BYTES: usize = 2048;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// When it was read.
    pub(crate) at: Instant,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// The address of this machine to which it was sent.
    pub(crate) to: IpAddr,
    /// What is in it.
    pub(crate) bytes: Box<[u8]>,
}

/// The socket.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    bound: SocketAddr,
    gso: Gso,
    /// What the last batch had its packets in.
    buffer: RefCell<Vec<u8>>,
}

impl Udp {
    /// Uses a socket that is bound.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        match bound {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            bound,
            gso: Gso::default(),
            buffer: RefCell::default(),
        })
    }

    /// Says where it is bound.
    pub(crate) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Waits for a datagram.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) async fn receive(&self) -> io::Result<Datagram> {
        let receive = || receive(&self.socket, self.bound.ip());
        self.socket.async_io(Interest::READABLE, receive).await
    }

    /// Sends packets that lie one behind the other, all but the last of so many bytes. What cannot
    /// go now is lost, as on the way.
    ///
    /// # Errors
    /// What the system said of one of them.
    pub(crate) fn send(
        &self,
        packets: &[u8],
        packet_bytes: usize,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) -> io::Result<()> {
        let mut rest = packets;
        while !rest.is_empty() {
            let (piece, after) = self.gso.split(rest, packet_bytes);
            let send = || self.send_piece(piece, packet_bytes, from, to);
            match self.socket.try_io(Interest::WRITABLE, send) {
                Ok(()) => rest = after,
                Err(error) if self.gso.gives_up(&error, packet_bytes) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send_piece(
        &self,
        piece: &[u8],
        packet_bytes: usize,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) -> io::Result<()> {
        // A socket of IPv6 knows addresses of IPv4 as mapped ones.
        let (v4, v6);
        let segment = packet_bytes as u16;
        let mut controls = Vec::with_capacity(2);
        let to = match (self.bound, from) {
            (SocketAddr::V4(_), from) => {
                if let Some(IpAddr::V4(from)) = from {
                    v4 = info_v4(from);
                    controls.push(ControlMessage::Ipv4PacketInfo(&v4));
                }
                to
            }
            (SocketAddr::V6(_), from) => {
                if let Some(from) = from {
                    v6 = info_v6(mapped(from), to);
                    controls.push(ControlMessage::Ipv6PacketInfo(&v6));
                }
                match to {
                    SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
                    SocketAddr::V6(_) => to,
                }
            }
        };
        if piece.len() > packet_bytes {
            controls.push(ControlMessage::UdpGsoSegments(&segment));
        }
        let to = SockaddrStorage::from(to);
        let pieces = [IoSlice::new(piece)];
        let fd = self.socket.as_raw_fd();
        sendmsg(fd, &pieces, &controls, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }
}

/// Packets on their way to the socket, those of one size to one client together. The last of them
/// go when this is dropped.
pub(crate) struct Batch<'a> {
    udp: &'a Udp,
    from: &'a dyn Fn(SocketAddr) -> Option<IpAddr>,
    to: Option<SocketAddr>,
    packet_bytes: usize,
    packets: Vec<u8>,
}

impl<'a> Batch<'a> {
    /// Has none. `from` says from which address of this machine a client is sent to.
    pub(crate) fn new(udp: &'a Udp, from: &'a dyn Fn(SocketAddr) -> Option<IpAddr>) -> Self {
        Self {
            udp,
            from,
            to: None,
            packet_bytes: 0,
            packets: udp.buffer.take(),
        }
    }

    /// Adds one.
    pub(crate) fn push(&mut self, to: SocketAddr, packet: &[u8]) {
        let is_last = !self.packets.len().is_multiple_of(self.packet_bytes.max(1));
        if self.to != Some(to) || packet.len() > self.packet_bytes || is_last {
            self.send();
            self.to = Some(to);
            self.packet_bytes = packet.len();
        }
        self.packets.extend_from_slice(packet);
    }

    /// Sends what there is.
    fn send(&mut self) {
        let Some(to) = self.to.filter(|_| !self.packets.is_empty()) else {
            return;
        };
        let sent = self
            .udp
            .send(&self.packets, self.packet_bytes, (self.from)(to), to);
        if let Err(error) = sent {
            log::trace!("{to}: not sent: {error}");
        }
        self.packets.clear();
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.send();
        self.udp.buffer.replace(std::mem::take(&mut self.packets));
    }
}

fn receive(socket: &UdpSocket, bound: IpAddr) -> io::Result<Datagram> {
    let mut buffer = [0; DATAGRAM_BYTES];
    let mut control = cmsg_space!(in6_pktinfo);
    let mut pieces = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let fd = socket.as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(fd, &mut pieces, Some(&mut control), flags)?;
    let at = Instant::now();
    let to = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(address_v4(info.ipi_addr)),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(info.ipi6_addr.s6_addr.into()),
        _ => None,
    });
    let from = message.address.as_ref().and_then(address);
    let from = from.ok_or(io::ErrorKind::InvalidData)?;
    let bytes = message.bytes;
    Ok(Datagram {
        at,
        from: canonical(from),
        to: to.unwrap_or(bound).to_canonical(),
        bytes: buffer[..bytes].into(),
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(SocketAddr::V6((*v6).into()))
}

/// That of IPv4 where it is one; the interface of another stays.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => (v4, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

fn address_v4(address: in_addr) -> IpAddr {
    Ipv4Addr::from_bits(u32::from_be(address.s_addr)).into()
}

fn info_v4(from: Ipv4Addr) -> in_pktinfo {
    in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: in_addr {
            s_addr: from.to_bits().to_be(),
        },
        ipi_addr: in_addr { s_addr: 0 },
    }
}

/// An address of one link needs its interface: that of whom it is sent to.
fn info_v6(from: Ipv6Addr, to: SocketAddr) -> in6_pktinfo {
    let interface = match to {
        SocketAddr::V6(to) => to.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    in6_pktinfo {
        ipi6_addr: in6_addr {
            s6_addr: from.octets(),
        },
        ipi6_ifindex: interface as _,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_daemon::udp::bind_udp;

    /// Gives what a client hears that sends to `to` and is answered, and from where.
    async fn answer(bind: &str, client: &str, to: &str, cut: bool) -> (SocketAddr, Vec<Vec<u8>>) {
        let mut udp = Udp::new(bind_udp(bind.parse().unwrap()).unwrap()).unwrap();
        if !cut {
            udp.gso = Gso::refused();
        }
        let client = UdpSocket::bind(client).await.unwrap();
        let to: IpAddr = to.parse().unwrap();
        client
            .send_to(b"hello", (to, udp.bound().port()))
            .await
            .unwrap();
        let datagram = udp.receive().await.unwrap();
        assert_eq!(datagram.from, client.local_addr().unwrap());
        assert_eq!((datagram.to, &*datagram.bytes), (to, &b"hello"[..]));
        let packets = [[1; 100], [2; 100]].concat();
        let (from, to) = (Some(datagram.to), datagram.from);
        udp.send(&[&packets[..], &[3; 50]].concat(), 100, from, to)
            .unwrap();
        assert_eq!(udp.gso.can_cut(), cut);
        let mut heard = Vec::new();
        let mut buffer = [0; 500];
        loop {
            let (bytes, from) = client.recv_from(&mut buffer).await.unwrap();
            heard.push(buffer[..bytes].to_vec());
            if heard.len() == 3 {
                return (from, heard);
            }
        }
    }

    #[tokio::test]
    async fn packets_arrive_as_they_were_added() {
        let udp = Udp::new(bind_udp("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap();
        let clients = [
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        ];
        let sizes = [50, 100, 100, 100, 30, 100, 100, 20, 20, 100];
        // The runtime takes it for full until it has looked.
        udp.socket.writable().await.unwrap();
        let mut batch = Batch::new(&udp, &|_| None);
        for (number, bytes) in sizes.iter().enumerate() {
            let to = clients[number / 7].local_addr().unwrap();
            batch.push(to, &vec![number as u8; *bytes]);
        }
        drop(batch);
        let mut buffer = [0; 500];
        for (number, bytes) in sizes.iter().enumerate() {
            let heard = clients[number / 7].recv(&mut buffer).await.unwrap();
            assert_eq!(buffer[..heard], vec![number as u8; *bytes]);
        }
    }

    #[tokio::test]
    async fn the_address_that_was_asked_answers() {
        for (bind, client, to) in [
            ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.9"),
            ("[::]:0", "127.0.0.1:0", "127.0.0.9"),
            ("[::]:0", "[::1]:0", "::1"),
            ("127.0.0.7:0", "127.0.0.1:0", "127.0.0.7"),
        ] {
            for cut in [true, false] {
                let (from, heard) = answer(bind, client, to, cut).await;
                assert_eq!(from.ip(), to.parse::<IpAddr>().unwrap(), "{bind} {to}");
                assert_eq!(heard, [vec![1; 100], vec![2; 100], vec![3; 50]]);
            }
        }
    }
}
