//! A path that takes long: what goes into one network interface comes out of another, so much
//! later. For kernels without netem. The interfaces are TUN devices that exist; `slow-link` makes
//! them, and routes through them.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::process::{REST, pin_self};

/// The MTU of a TUN device that nobody has changed.
const PACKET_BYTES: usize = 1500;

/// Runs until killed.
///
/// # Errors
/// An interface that is not there, or goes away.
pub(crate) fn run(into: &str, out_of: &str, delay: Duration) -> anyhow::Result<()> {
    pin_self(REST)?;
    let (mut into, mut out_of) = (open(into)?, open(out_of)?);
    let mut path = VecDeque::new();
    let mut packet = [0; PACKET_BYTES];
    loop {
        wait(&into, path.front().map(|(due, _)| *due))?;
        loop {
            match into.read(&mut packet) {
                Ok(bytes) => path.push_back((Instant::now() + delay, packet[..bytes].to_vec())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let now = Instant::now();
        while let Some((_, packet)) = path.pop_front_if(|(due, _)| *due <= now) {
            out_of.write_all(&packet)?;
        }
    }
}

/// Waits for a packet, but not beyond `due`.
fn wait(into: &File, due: Option<Instant>) -> anyhow::Result<()> {
    let left = due.map(|due| due.saturating_duration_since(Instant::now()));
    let mut packets = [PollFd::new(into.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut packets, left.map(TimeSpec::from_duration), None) {
        Err(errno) if errno != Errno::EINTR => Err(errno.into()),
        _ => Ok(()),
    }
}

/// Opens the end of a TUN device that is not the kernel's.
fn open(interface: &str) -> anyhow::Result<File> {
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(O_NONBLOCK)
        .open("/dev/net/tun")
        .context("/dev/net/tun")?;
    tun::attach(&tun, interface).with_context(|| format!("TUN device {interface:?}"))?;
    Ok(tun)
}

#[expect(unsafe_code, reason = "no crate here has this one ioctl")]
mod tun {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use nix::errno::Errno;
    use nix::libc;

    // Its number says that the kernel reads an int. It reads and writes an ifreq (tun_chr_ioctl in
    // drivers/net/tun.c).
    nix::ioctl_readwrite_bad!(
        tunsetiff,
        nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()),
        libc::ifreq
    );

    pub(super) fn attach(tun: &File, interface: &str) -> nix::Result<()> {
        let mut ifr_name = [0; libc::IFNAMSIZ];
        if interface.len() >= ifr_name.len() {
            return Err(Errno::ENAMETOOLONG);
        }
        for (to, from) in ifr_name.iter_mut().zip(interface.bytes()) {
            *to = from as libc::c_char;
        }
        // Packets as they are, with nothing before them.
        let ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        let mut request = libc::ifreq {
            ifr_name,
            ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags },
        };
        // SAFETY: it is an ifreq, and its name ends with a zero.
        unsafe { tunsetiff(tun.as_raw_fd(), &mut request) }.map(drop)
    }
}
