//! A UDP port, and who has it where it cannot be had.

use std::fs::Metadata;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};

use crate::holders::Holders;

const PROC: &str = "/proc";

/// A UDP port that cannot be had, and who has it, if that can be seen.
#[derive(Debug, thiserror::Error)]
#[error("cannot use UDP {address}: {reason}{holders}")]
pub struct UdpError {
    address: SocketAddr,
    reason: io::Error,
    holders: String,
    found: Option<Holders>,
}

impl UdpError {
    /// Looks who has the port.
    pub fn new(address: SocketAddr, reason: io::Error) -> Self {
        let is_taken = reason.kind() == io::ErrorKind::AddrInUse;
        let found = is_taken.then(|| holders(Path::new(PROC), address));
        let command = format!("sudo ss -lunp sport = :{}", address.port());
        let hint = found.as_ref().map(|found| found.hint(&command));
        Self {
            address,
            reason,
            holders: hint.unwrap_or_default(),
            found,
        }
    }

    /// Says whether it is this process or those that it has started who have the port, as far as
    /// that can be seen.
    pub fn is_held_by_programs_of(&self, process: u32) -> bool {
        let found = self.found.as_ref();
        found.is_some_and(|found| found.are_of(Path::new(PROC), process))
    }
}

/// Binds a socket to this address; one to `[::]` hears IPv4, too.
///
/// # Errors
/// What the system said.
pub fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = match socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None) {
        // A kernel without IPv6.
        Err(Errno::EAFNOSUPPORT) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            return UdpSocket::bind((Ipv4Addr::UNSPECIFIED, address.port()));
        }
        socket => socket?,
    };
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket.into())
}

fn holders(proc: &Path, address: SocketAddr) -> Holders {
    let tables = ["net/udp", "net/udp6"].map(|table| std::fs::read_to_string(proc.join(table)));
    let tables: String = tables.into_iter().flatten().collect();
    let stands_in_the_way = |bound: SocketAddr| {
        let is_any = bound.ip().is_unspecified() || address.ip().is_unspecified();
        bound.port() == address.port()
            && (is_any || bound.ip().to_canonical() == address.ip().to_canonical())
    };
    let sockets = tables.lines().filter_map(entry);
    let in_the_way = sockets.filter(|(bound, _)| stands_in_the_way(*bound));
    let inodes: Vec<u64> = in_the_way.map(|(_, inode)| inode).collect();
    let is_it = |file: &Metadata| file.file_type().is_socket() && inodes.contains(&file.ino());
    Holders::look(proc, is_it)
}

/// A line of /proc/net/udp or udp6: where a socket is bound, and its inode (proc_net(5)).
fn entry(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = words.nth(7)?.parse().ok()?;
    Some(((ip(address)?, port).into(), inode))
}

/// An address as words of 32 bits, each in the order of this machine.
fn ip(hex: &str) -> Option<IpAddr> {
    let words = hex.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let octets = words.collect::<Option<Vec<_>>>()?.concat();
    let v4 = <[u8; 4]>::try_from(&octets[..]).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(&octets[..]).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_socket_to_all_addresses_hears_both_families() {
        let socket = bind_udp("[::]:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(socket.recv(&mut buffer).unwrap(), 5);
    }

    #[test]
    fn a_port_that_is_taken_is_named_with_who_has_it() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        // `cat` has it, too: this process itself is not told of.
        let mut cat = std::process::Command::new("cat")
            .stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(
                taken.try_clone().unwrap(),
            )))
            .spawn()
            .unwrap();
        let all = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port());
        let said = [address, all].map(|address| {
            let error = bind_udp(address).unwrap_err();
            let error = UdpError::new(address, error);
            let own = std::process::id();
            (error.to_string(), error.is_held_by_programs_of(own))
        });
        cat.kill().unwrap();
        cat.wait().unwrap();
        for ((said, is_of_own), address) in said.iter().zip([address, all]) {
            assert!(is_of_own, "{said}");
            assert!(
                said.starts_with(&format!("cannot use UDP {address}: Address already in use")),
                "{said}"
            );
            assert!(said.contains(&format!("cat (pid {})", cat.id())), "{said}");
        }
    }

    #[test]
    fn sockets_of_other_ports_and_addresses_are_not_in_the_way() {
        let proc = tempfile::tempdir().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/{}/fd/{}", std::process::id(), socket.as_raw_fd());
        let inode = fs::metadata(&link).unwrap().ino();
        for directory in ["net", "1/fd", "812/fd"] {
            fs::create_dir_all(proc.path().join(directory)).unwrap();
        }
        fs::write(proc.path().join("812/comm"), "mediamtx\n").unwrap();
        std::os::unix::fs::symlink(link, proc.path().join("812/fd/3")).unwrap();
        let line = |bound: &str| {
            format!(
                "  1: {bound} 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 {inode} 2 0 0\n"
            )
        };
        let seen = |table: &str, bound: &str, wanted: &str| {
            let _ = fs::remove_file(proc.path().join("net/udp6"));
            fs::write(proc.path().join("net/udp"), "").unwrap();
            let header = "  sl  local_address rem_address   st tx_queue rx_queue\n";
            let all = format!("{header}{}", line(bound));
            fs::write(proc.path().join("net").join(table), all).unwrap();
            !holders(proc.path(), wanted.parse().unwrap())
                .hint("")
                .is_empty()
        };
        // Of a machine that counts from the small end.
        let here = format!("{:08X}:1FFD", u32::from_ne_bytes([127, 0, 0, 1]));
        assert!(seen("udp", &here, "127.0.0.1:8189"));
        assert!(seen("udp", &here, "[::]:8189"));
        assert!(!seen("udp", &here, "127.0.0.2:8189"));
        assert!(!seen("udp", &here, "127.0.0.1:8190"));
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
        let words = mapped.as_chunks::<4>().0.iter();
        let hex: String = words
            .map(|word| format!("{:08X}", u32::from_ne_bytes(*word)))
            .collect();
        assert!(seen("udp6", &format!("{hex}:1FFD"), "127.0.0.1:8189"));
        assert!(seen("udp6", &format!("{:032}:1FFD", 0), "192.0.2.1:8189"));
    }
}
