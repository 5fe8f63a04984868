//! What the kernel knows of a socket and std does not ask: the only `unsafe` of this library.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::libc;

/// What TCP has measured of the path to a client (TCP_INFO, tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// The smallest round-trip time within the kernel's window (300 s).
    pub min_rtt: Duration,
    /// The newest delivery rate in bytes per second; while the sender has too little to send for a newer one, the highest
    /// since (`tcp_rate_gen()` in the kernel's net/ipv4/tcp_rate.c).
    pub delivery_rate: u64,
    /// Says that the peer has no room for some of what was written, or the path not yet.
    pub unsent: bool,
    /// Bytes that the peer has room for (its receive window), by what it said last. Before Linux 5.4 nobody knows.
    pub window: Option<u64>,
}

impl TcpInfo {
    /// Says whether the peer is on this computer or beside it, as proxies are.
    pub fn is_near(self) -> bool {
        self.min_rtt < Duration::from_millis(1)
    }
}

/// Gives the bytes handed to the socket that its peer has not acknowledged (SIOCOUTQ, tcp(7)) or, on a Unix socket, not
/// read (unix(7)).
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
#[expect(
    unsafe_code,
    reason = "getsockopt(2) of a structure that libc does not have in full"
)]
pub fn tcp_info(socket: &impl AsFd) -> Option<TcpInfo> {
    // Offsets in struct tcp_info of linux/tcp.h, which only ever grows at its end.
    const NOTSENT_BYTES: usize = 144;
    const MIN_RTT_US: usize = 148;
    const DELIVERY_RATE: usize = 160;
    const SND_WND: usize = 228;
    let mut info = [0_u8; SND_WND + 4];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has that many, and the number to `length`.
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
    let info = &info[..length as usize];
    let min_rtt_us = u32::from_ne_bytes(bytes_at(info, MIN_RTT_US)?);
    let delivery_rate = u64::from_ne_bytes(bytes_at(info, DELIVERY_RATE)?);
    (min_rtt_us != u32::MAX && delivery_rate > 0).then_some(TcpInfo {
        min_rtt: Duration::from_micros(u64::from(min_rtt_us)),
        delivery_rate,
        unsent: bytes_at(info, NOTSENT_BYTES)? != [0; 4],
        window: bytes_at(info, SND_WND).map(|bytes| u64::from(u32::from_ne_bytes(bytes))),
    })
}

fn bytes_at<const N: usize>(info: &[u8], offset: usize) -> Option<[u8; N]> {
    info.get(offset..)?.first_chunk().copied()
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
        assert!(before.delivery_rate > 0);
        assert!(!before.unsent);
        // What the receiver does not read is missing from its window, until nothing more is sent.
        sender.write_all(&[0; 20_000]).unwrap();
        sender.set_nonblocking(true).unwrap();
        let mut written = 20_000;
        loop {
            let now = tcp_info(&sender).unwrap();
            let window = now.window.unwrap();
            if now.unsent && window < 20_000 {
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
    }
}
