//! The sockets of one destination: marked, bound and aimed as its settings say.

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nametoindex};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::destinations::{DestinationSettings, is_of_one_link};
use crate::dscp;
use crate::udp::{UdpPair, with_port};

/// The sockets of one destination.
pub(crate) struct PushSocket {
    /// What packets go by. That of RTP is connected, so that it hears of refusals.
    pub(crate) pair: UdpPair,
    /// Where packets go.
    pub(crate) rtp_to: SocketAddr,
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
        let interface = settings.interface.as_deref().map(Interface::find);
        let interface = interface.transpose()?;
        let rtp_to = on_link(to, interface.as_ref());
        let any = match to {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let pair = UdpPair::bind(SocketAddr::new(any, 0), settings.local_port);
        let pair = pair.with_context(|| match settings.local_port {
            Some(port) => format!("local-port {port}, and the next one"),
            None => "no two ports are free".to_owned(),
        })?;
        let pair = pair.with_step_timer()?;
        for socket in pair.sockets() {
            if let Some(interface) = &interface {
                let bound = socket.bind_device(Some(interface.name.as_bytes()));
                bound.with_context(|| format!("interface {:?}", interface.name))?;
            }
            mark(&socket, settings, to.ip())?;
        }
        let rtcp_to = with_port(rtp_to, to.port() + 1);
        let [rtp, _] = pair.sockets();
        rtp.connect(&rtp_to.into())?;
        let group_reports = if to.ip().is_multicast() {
            let joined = join(rtcp_to, interface.map(|interface| interface.index));
            Some(
                joined
                    .with_context(|| format!("cannot join the group, port {}", rtcp_to.port()))?,
            )
        } else {
            None
        };
        Ok(Self {
            pair,
            rtp_to,
            rtcp_to,
            group_reports,
        })
    }
}

/// What a packet that did not go says of those to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendFailure {
    /// Nobody takes packets there: the receiver's host says so, or a filter, ours or on the way.
    Refused,
    /// Nothing: a queue was full.
    Passing,
    /// None will go by this socket, as by one that is bound to an address or an interface that this
    /// host no longer has, or that has no way there: it stays, whatever comes after.
    Socket,
}

impl SendFailure {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(
                Errno::ECONNREFUSED
                | Errno::ENOPROTOOPT
                | Errno::EHOSTUNREACH
                | Errno::EHOSTDOWN
                | Errno::EACCES
                | Errno::EPERM,
            ) => Self::Refused,
            Some(Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN | Errno::EMSGSIZE) => Self::Passing,
            _ => Self::Socket,
        }
    }
}

/// An interface of this host.
struct Interface {
    name: CString,
    index: u32,
}

impl Interface {
    /// Finds one by its name, or else by its number.
    fn find(name: &str) -> anyhow::Result<Self> {
        let found = if_nametoindex(name)
            .or_else(|error| name.parse().map_err(|_| error))
            .and_then(|index| Ok((if_indextoname(index)?, index)));
        let (found, index) = found.with_context(|| format!("interface {name:?}"))?;
        Ok(Self { name: found, index })
    }
}

/// An address that is there once for each link, with the link that is meant.
fn on_link(address: SocketAddr, interface: Option<&Interface>) -> SocketAddr {
    match (address, interface) {
        (SocketAddr::V6(mut v6), Some(interface)) if is_of_one_link(*v6.ip()) => {
            v6.set_scope_id(interface.index);
            v6.into()
        }
        _ => address,
    }
}

fn mark(socket: &SockRef<'_>, settings: &DestinationSettings, to: IpAddr) -> anyhow::Result<()> {
    let ttl = settings.ttl.map(u32::from);
    match (to, to.is_multicast(), ttl) {
        (IpAddr::V4(_), true, Some(ttl)) => socket.set_multicast_ttl_v4(ttl)?,
        (IpAddr::V4(_), false, Some(ttl)) => socket.set_ttl_v4(ttl)?,
        (IpAddr::V6(_), true, Some(hops)) => socket.set_multicast_hops_v6(hops)?,
        (IpAddr::V6(_), false, Some(hops)) => socket.set_unicast_hops_v6(hops)?,
        (_, _, None) => {}
    }
    dscp::mark(socket, settings.dscp, to)?;
    Ok(())
}

/// Listens where a group's reports go.
fn join(group: SocketAddr, interface: Option<u32>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    // Receivers of this host listen there, too.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&group.into())?;
    match group.ip() {
        IpAddr::V4(group) => match interface {
            Some(index) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
            }
            None => socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?,
        },
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface.unwrap_or_default())?,
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
    fn an_address_of_one_link_gets_its_interface() {
        let lo = Interface::find("lo").unwrap();
        assert_eq!(Interface::find("1").unwrap().name, lo.name);
        for (address, expected) in [
            ("[ff02::1]:2", "[ff02::1%1]:2"),
            ("[fe80::1]:2", "[fe80::1%1]:2"),
            ("[ff05::1]:2", "[ff05::1]:2"),
            ("192.0.2.1:2", "192.0.2.1:2"),
        ] {
            let address = on_link(address.parse().unwrap(), Some(&lo));
            assert_eq!(address.to_string(), expected);
        }
    }

    #[test]
    fn what_is_gone_takes_new_sockets_and_what_others_say_does_not() {
        let failure = |errno: Errno| SendFailure::of(&errno.into());
        for ours in [Errno::EINVAL, Errno::ENODEV, Errno::ENETUNREACH] {
            assert_eq!(failure(ours), SendFailure::Socket, "{ours}");
        }
        for others in [Errno::ECONNREFUSED, Errno::EHOSTUNREACH, Errno::EPERM] {
            assert_eq!(failure(others), SendFailure::Refused, "{others}");
        }
        // A frame is lost by that, and not the camera.
        assert_eq!(failure(Errno::ENOBUFS), SendFailure::Passing);
    }
}
