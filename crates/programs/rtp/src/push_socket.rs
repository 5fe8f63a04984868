//! The sockets of one destination: marked, bound and aimed as its settings say.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::settings::DestinationSettings;
use crate::udp::{UdpPair, with_port};

/// The sockets of one destination.
pub(crate) struct PushSocket {
    /// What packets go by. That of RTP is connected, so that it hears of refusals.
    pub(crate) pair: UdpPair,
    /// Where reports go.
    pub(crate) rtcp_to: SocketAddr,
    /// Where the receivers of a group send their reports, too.
    pub(crate) group_reports: Option<UdpSocket>,
}

impl PushSocket {
    /// Makes the sockets for a destination with this address.
    ///
    /// # Errors
    /// What the system said, and of which port or interface.
    pub(crate) fn new(settings: &DestinationSettings, to: SocketAddr) -> anyhow::Result<Self> {
        let any = match to {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let pair = UdpPair::bind(SocketAddr::new(any, 0), settings.local_port);
        let pair = pair.with_context(|| match settings.local_port {
            Some(port) => format!("local-port {port}, and the next one"),
            None => "no two ports are free".to_owned(),
        })?;
        for socket in [&pair.rtp, &pair.rtcp] {
            mark(&SockRef::from(socket), settings, to.ip())?;
        }
        let rtcp_to = with_port(to, to.port() + 1);
        SockRef::from(&pair.rtp).connect(&to.into())?;
        let group_reports = if to.ip().is_multicast() {
            let joined = join(rtcp_to, settings.interface.as_deref());
            Some(
                joined
                    .with_context(|| format!("cannot join the group, port {}", rtcp_to.port()))?,
            )
        } else {
            None
        };
        Ok(Self {
            pair,
            rtcp_to,
            group_reports,
        })
    }
}

/// Says whether an error of sending is of the socket, as one is that is bound to an address or an
/// interface that this host no longer has (`EINVAL`, `ENODEV`): it stays, whatever comes after.
/// What others say, a filter or a full queue goes away by itself.
pub(crate) fn needs_new_socket(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(
            Errno::ECONNREFUSED
                | Errno::EHOSTUNREACH
                | Errno::EPERM
                | Errno::ENOBUFS
                | Errno::EMSGSIZE
        )
    )
}

fn mark(socket: &SockRef<'_>, settings: &DestinationSettings, to: IpAddr) -> anyhow::Result<()> {
    let traffic_class = u32::from(settings.dscp.bits()) << 2;
    let ttl = settings.ttl.map(u32::from);
    if let Some(interface) = &settings.interface {
        let bound = socket.bind_device(Some(interface.as_bytes()));
        bound.with_context(|| format!("interface {interface:?}"))?;
    }
    match (to, to.is_multicast(), ttl) {
        (IpAddr::V4(_), true, Some(ttl)) => socket.set_multicast_ttl_v4(ttl)?,
        (IpAddr::V4(_), false, Some(ttl)) => socket.set_ttl_v4(ttl)?,
        (IpAddr::V6(_), true, Some(hops)) => socket.set_multicast_hops_v6(hops)?,
        (IpAddr::V6(_), false, Some(hops)) => socket.set_unicast_hops_v6(hops)?,
        (_, _, None) => {}
    }
    if traffic_class > 0 {
        match to {
            IpAddr::V4(_) => socket.set_tos_v4(traffic_class)?,
            IpAddr::V6(_) => socket.set_tclass_v6(traffic_class)?,
        }
    }
    Ok(())
}

/// Listens where a group's reports go.
fn join(group: SocketAddr, interface: Option<&str>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    // Receivers of this host listen there, too.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&group.into())?;
    let index = interface.map(if_nametoindex).transpose()?;
    match group.ip() {
        IpAddr::V4(group) => match index {
            Some(index) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
            }
            None => socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?,
        },
        IpAddr::V6(group) => socket.join_multicast_v6(&group, index.unwrap_or_default())?,
    }
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[tokio::test]
    async fn errors_name_the_interface_and_the_port() {
        let taken = UdpPair::bind("0.0.0.0:0".parse().unwrap(), None).unwrap();
        let (port, _) = taken.ports().unwrap();
        for (flag, words) in [
            (
                "--interface=nowhere0".to_owned(),
                "interface \"nowhere0\": ",
            ),
            (
                format!("--local-port={port}"),
                &*format!("local-port {port}"),
            ),
        ] {
            let settings = settings("", &["--to=127.0.0.1:5000", &flag]).unwrap();
            let to = "127.0.0.1:5000".parse().unwrap();
            let error = PushSocket::new(&settings.destinations[0], to)
                .err()
                .unwrap();
            let error = format!("{error:#}");
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_is_gone_takes_new_sockets_and_what_others_say_does_not() {
        let needs = |errno: Errno| needs_new_socket(&errno.into());
        for ours in [Errno::EINVAL, Errno::ENODEV, Errno::ENETUNREACH] {
            assert!(needs(ours), "{ours}");
        }
        for others in [Errno::ECONNREFUSED, Errno::EHOSTUNREACH, Errno::EPERM] {
            assert!(!needs(others), "{others}");
        }
    }
}
