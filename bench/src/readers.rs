//! Readers of slots, one of each, which wish for every frame: any number of them in one thread.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use eyelid_bench::picture;
use eyelid_slot::FRAME_FILE;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::sys::time::TimeSpec;

use crate::viewers::{Seen, Watch};

/// Readers that have heard of every frame since they were made.
pub(crate) struct Readers {
    inotify: Inotify,
    slots: Vec<(WatchDescriptor, PathBuf)>,
    buffer: Vec<u8>,
}

impl Readers {
    /// Listens in these slots, which are there.
    pub(crate) fn new<'a>(slots: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let slots = slots.into_iter().map(|slot| {
            let watch = inotify.add_watch(slot, AddWatchFlags::IN_MOVED_TO)?;
            Ok((watch, slot.join(FRAME_FILE)))
        });
        Ok(Self {
            slots: slots.collect::<anyhow::Result<_>>()?,
            inotify,
            buffer: Vec::new(),
        })
    }

    /// Reads the next frame that comes into any slot; none in this time.
    ///
    /// # Errors
    /// A frame that is none of ours.
    pub(crate) fn next(&mut self, time: Duration) -> anyhow::Result<Option<Seen>> {
        let start = Instant::now();
        let mut seen = Vec::new();
        while seen.is_empty()
            && let Some(left) = time.checked_sub(start.elapsed())
        {
            self.receive(left, start, &mut seen)?;
        }
        Ok(seen.first().copied())
    }
}

impl Watch for Readers {
    fn count(&self) -> usize {
        self.slots.len()
    }

    fn receive(
        &mut self,
        time: Duration,
        start: Instant,
        seen: &mut Vec<Seen>,
    ) -> anyhow::Result<()> {
        let mut waiting = [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut waiting, Some(TimeSpec::from_duration(time)), None) {
            Err(errno) if errno != Errno::EINTR => return Err(errno.into()),
            _ => {}
        }
        let events = match self.inotify.read_events() {
            Err(Errno::EAGAIN) => return Ok(()),
            events => events?,
        };
        // A slot's frames that came meanwhile are seen as its newest.
        for (client, (watch, path)) in self.slots.iter().enumerate() {
            let is_new = |name: &std::ffi::OsString| name == FRAME_FILE;
            let mut of_slot = events.iter().filter(|event| event.wd == *watch);
            if of_slot.any(|event| event.name.as_ref().is_some_and(is_new)) {
                self.buffer.clear();
                // Closed when it was read: that is the wish for the next.
                File::open(path)?.read_to_end(&mut self.buffer)?;
                seen.push(Seen {
                    client,
                    after: start.elapsed(),
                    age: age(&self.buffer).with_context(|| path.display().to_string())?,
                    bytes: self.buffer.len(),
                });
            }
        }
        Ok(())
    }
}

fn age(jpeg: &[u8]) -> anyhow::Result<Duration> {
    if !jpeg.ends_with(&[0xFF, 0xD9]) {
        bail!("a frame of {} bytes is no whole JPEG", jpeg.len());
    }
    let captured = picture::stamp(jpeg).context("a frame without a stamp")?;
    Ok(SystemTime::now()
        .duration_since(captured)
        .unwrap_or_default())
}
