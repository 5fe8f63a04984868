//! What the kernel knows of a socket and std does not ask for: the only `unsafe` of this library.

use std::io;
use std::mem::{self, MaybeUninit, offset_of};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::libc;

use crate::units::BytesPerSecond;

/// A peer whose round-trip time is shorter is on this computer or beside it.
pub(crate) const NEAR: Duration = Duration::from_millis(1);

/// What TCP has measured of the path to a peer (TCP_INFO, tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TcpInfo {
    /// The smallest round-trip time within the kernel's window (300 s).
    pub min_rtt: Duration,
    /// The newest delivery rate; while the sender has too little to send for a newer one, the
    /// highest since (`tcp_rate_gen()` in the kernel's net/ipv4/tcp_rate.c).
    pub delivery_rate: BytesPerSecond,
    /// Bytes of what was written that have not been sent once: the peer has no room for them, or
    /// the path not yet.
    pub unsent_bytes: u32,
    /// Bytes that the peer has room for (its receive window), by what it said last. `None` before
    /// Linux 5.4, whose `tcp_info` ends before it.
    pub window_bytes: Option<u32>,
}

impl TcpInfo {
    /// Says whether the peer is on this computer or beside it, as proxies are.
    #[must_use]
    pub fn is_near(self) -> bool {
        self.min_rtt < NEAR
    }

    /// Takes what is used of the kernel's structure, of which the kernel filled the first `length`
    /// bytes. `None` before TCP has measured anything.
    fn of(info: &libc::tcp_info, length: usize) -> Option<Self> {
        // The structure only ever grows at its end. An older kernel's is shorter, and what it lacks
        // stays zero.
        let has = |offset: usize, size: usize| length >= offset + size;
        let measured = has(
            offset_of!(libc::tcp_info, tcpi_delivery_rate),
            size_of::<u64>(),
        ) && info.tcpi_delivery_rate > 0
            && info.tcpi_min_rtt != u32::MAX;
        let has_window = has(offset_of!(libc::tcp_info, tcpi_snd_wnd), size_of::<u32>());
        measured.then(|| Self {
            min_rtt: Duration::from_micros(info.tcpi_min_rtt.into()),
            // Exact up to 2^53 bytes a second.
            delivery_rate: BytesPerSecond::new(info.tcpi_delivery_rate as f64),
            unsent_bytes: info.tcpi_notsent_bytes,
            window_bytes: has_window.then_some(info.tcpi_snd_wnd),
        })
    }
}

/// Gives the bytes handed to a socket that its peer has not acknowledged (SIOCOUTQ, tcp(7)) or, on
/// a Unix socket, not read (unix(7)).
///
/// # Errors
/// What ioctl(2) said.
#[expect(unsafe_code, reason = "ioctl(2)")]
pub fn unacknowledged_bytes(socket: &impl AsFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (which is TIOCOUTQ) writes one int, to a valid address of one.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Gives what TCP has measured so far. `None` before it has, and on a socket that is not TCP.
pub fn tcp_info(socket: &impl AsFd) -> Option<TcpInfo> {
    let (info, length) = kernel_info(socket)?;
    TcpInfo::of(&info, length)
}

/// Gives how many bytes the peer has acknowledged in all, those among them that came while some
/// before them were missing (SACK, RFC 2018; in segments, so a few bytes off). `None` on a socket
/// that is not TCP, and before Linux 4.1.
pub fn acknowledged_bytes(socket: &impl AsFd) -> Option<u64> {
    let (info, length) = kernel_info(socket)?;
    let end = offset_of!(libc::tcp_info, tcpi_bytes_acked) + size_of::<u64>();
    let out_of_order = u64::from(info.tcpi_sacked) * u64::from(info.tcpi_snd_mss);
    (length >= end).then_some(info.tcpi_bytes_acked + out_of_order)
}

/// The kernel's structure, and how many bytes of it the kernel filled.
#[expect(
    unsafe_code,
    reason = "getsockopt(2) of a structure that neither std nor nix asks for"
)]
fn kernel_info(socket: &impl AsFd) -> Option<(libc::tcp_info, usize)> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = mem::size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has that many, and the
    // number to `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: all of it is integers, of which every byte is valid, and every byte was zero or is
    // the kernel's.
    Some((unsafe { info.assume_init() }, length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn sees_what_a_peer_has_not_taken_and_what_the_path_is_like() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while tcp_info(&sender).is_none() {
            assert!(
                std::time::Instant::now() < deadline,
                "TCP never measured anything"
            );
            sender.write_all(&[0; 1000]).unwrap();
            receiver.read_exact(&mut [0; 1000]).unwrap();
        }
        let before = tcp_info(&sender).unwrap();
        assert!(before.delivery_rate > BytesPerSecond::ZERO);
        assert_eq!(before.unsent_bytes, 0);
        // The first of them is none of ours: it is the connection's beginning (SYN).
        let acknowledged = acknowledged_bytes(&sender).unwrap();
        assert!(
            acknowledged > 1 && acknowledged % 1000 == 1,
            "{acknowledged}"
        );
        // What the receiver does not read is missing from its window, until nothing more is sent.
        sender.write_all(&[0; 20_000]).unwrap();
        sender.set_nonblocking(true).unwrap();
        let mut written = 20_000;
        loop {
            let now = tcp_info(&sender).unwrap();
            let window = now.window_bytes.unwrap();
            if now.unsent_bytes > 0 && window < 20_000 {
                break;
            }
            let case = format!("{before:?}, after {written} bytes {now:?}");
            assert!(std::time::Instant::now() < deadline, "{case}");
            written += sender.write(&[0; 20_000]).unwrap_or(0);
        }

        let (mut near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(unacknowledged_bytes(&near).unwrap(), 0);
        near.write_all(&[0; 1000]).unwrap();
        assert!(unacknowledged_bytes(&near).unwrap() >= 1000);
        far.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(unacknowledged_bytes(&near).unwrap(), 0);
        assert_eq!(tcp_info(&near), None);
        assert_eq!(acknowledged_bytes(&near), None);
    }
    #[test]
    fn takes_no_more_than_an_older_kernel_told() {
        // SAFETY: all of it is integers.
        #[expect(unsafe_code, reason = "libc has no Default for it")]
        let mut info: libc::tcp_info = unsafe { mem::zeroed() };
        (info.tcpi_min_rtt, info.tcpi_delivery_rate) = (70, 1000);
        info.tcpi_snd_wnd = 5;
        let window = |length| TcpInfo::of(&info, length).map(|info| info.window_bytes);
        // Lengths of struct tcp_info by linux/tcp.h: 5.4 and later, 4.18 and later, 4.9, 4.4.
        assert_eq!(window(232), Some(Some(5)));
        assert_eq!(window(224), Some(None));
        assert_eq!(window(168), Some(None));
        assert_eq!(window(136), None);
        info.tcpi_min_rtt = u32::MAX;
        assert_eq!(TcpInfo::of(&info, 232), None, "nothing was measured");
    }
}
