//! How packets are marked for networks that tell them apart (RFC 2474).

use std::io;
use std::net::IpAddr;

use eyelid_config::Dscp;
use socket2::SockRef;

/// Marks what a socket sends to addresses of this kind. One of IPv6 may send to IPv4, too, and has
/// a mark for either.
///
/// # Errors
/// What the system said.
pub(crate) fn mark(socket: &SockRef<'_>, dscp: Dscp, address: IpAddr) -> io::Result<()> {
    let traffic_class = u32::from(dscp.bits()) << 2;
    match (traffic_class, address.to_canonical()) {
        (0, _) => Ok(()),
        (_, IpAddr::V4(_)) => socket.set_tos_v4(traffic_class),
        (_, IpAddr::V6(_)) => socket.set_tclass_v6(traffic_class),
    }
}
