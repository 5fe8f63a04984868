//! Reads what inotify(7) has to tell, to the last event, and in one call as a rule.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{Event, Reader};
use rustix::io::Errno;

/// How much is read at once.
const BUFFER_BYTES: usize = 4096;

/// So many events fit into it however long their names are (inotify(7)): fewer were all there were,
/// and to ask again would be a second call for each frame.
const EVENTS_AT_ONCE: usize = BUFFER_BYTES / (16 + 256);

/// Takes all events that are there, without waiting.
///
/// # Errors
/// What read(2) said.
pub(crate) fn take_all(inotify: &OwnedFd, mut take: impl FnMut(&Event<'_>)) -> io::Result<()> {
    // Not initialised: clearing it took half of all instructions of a server with one client.
    let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
    let mut reader = Reader::new(inotify, &mut buffer);
    let mut read_at_once = 0;
    loop {
        match reader.next() {
            Ok(event) => take(&event),
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        read_at_once += 1;
        if reader.is_buffer_empty() && std::mem::take(&mut read_at_once) < EVENTS_AT_ONCE {
            return Ok(());
        }
    }
}
