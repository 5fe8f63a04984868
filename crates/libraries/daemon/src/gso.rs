//! Packets of one size go to the kernel in one piece, which cuts them (UDP GSO): that takes about a
//! third of the processor time that sending each by itself does. Whether it can is known when it
//! has been tried; what is sent, and how, is the caller's.

use std::cell::Cell;
use std::io;

use nix::errno::Errno;

/// How many packets the kernel cuts at once (UDP_MAX_SEGMENTS of Linux 4.18).
const MAX_SEGMENTS: usize = 64;

/// How many bytes it takes at once: what a UDP datagram over IPv4 may have.
const MAX_BYTES: usize = 65_507;

/// What is known of one socket: the kernel cuts, until it has refused to.
#[derive(Debug, Default)]
pub struct Gso {
    is_refused: Cell<bool>,
}

impl Gso {
    /// Has nothing cut: to compare with.
    pub fn refused() -> Self {
        let is_refused = Cell::new(true);
        Self { is_refused }
    }

    /// Says whether the kernel cuts, as far as is known.
    pub fn can_cut(&self) -> bool {
        !self.is_refused.get()
    }

    /// Gives what of these packets goes at once, and the rest. They lie one behind the other, all
    /// but the last of so many bytes.
    pub fn split<'a>(&self, packets: &'a [u8], packet_bytes: usize) -> (&'a [u8], &'a [u8]) {
        let bytes = self.packets_at_once(packet_bytes) * packet_bytes;
        packets.split_at(packets.len().min(bytes))
    }

    /// A piece was refused with this. Says whether that is because it cannot be cut: then its
    /// packets are to be tried again, and go one by one from now on.
    pub fn gives_up(&self, error: &io::Error, packet_bytes: usize) -> bool {
        let gives_up = self.packets_at_once(packet_bytes) > 1 && is_uncut(error);
        if gives_up {
            self.is_refused.set(true);
        }
        gives_up
    }

    fn packets_at_once(&self, packet_bytes: usize) -> usize {
        if self.can_cut() {
            (MAX_BYTES / packet_bytes).clamp(1, MAX_SEGMENTS)
        } else {
            1
        }
    }
}

/// What the kernel says where it, or the interface, cannot cut (udp(7)): `EINVAL` before Linux
/// 4.18, `EIO` without checksums by the interface, `EMSGSIZE` (`EINVAL` before Linux 6.10) where a
/// packet is larger than the interface's and would go in fragments.
fn is_uncut(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EINVAL | Errno::EIO | Errno::EMSGSIZE | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_as_much_as_the_kernel_takes_and_nothing_once_that_was_refused() {
        let gso = Gso::default();
        let packets = vec![0; 1_000_000];
        let at_once = |packet_bytes| gso.split(&packets, packet_bytes).0.len();
        assert_eq!([100, 1400].map(at_once), [6400, 46 * 1400]);
        assert_eq!(gso.split(&packets[..250], 100), (&packets[..250], &[][..]));
        let error = |errno: Errno| io::Error::from(errno);
        assert!(!gso.gives_up(&error(Errno::EPERM), 100));
        assert!(!gso.gives_up(&error(Errno::EIO), MAX_BYTES));
        assert!(gso.can_cut());
        assert!(gso.gives_up(&error(Errno::EIO), 100));
        assert!(!gso.can_cut());
        assert_eq!([100, 1400].map(at_once), [100, 1400]);
        // It is the packet itself that cannot go.
        assert!(!gso.gives_up(&error(Errno::EMSGSIZE), 100));
    }
}
