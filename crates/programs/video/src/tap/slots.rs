//! Notices slots that are made while the program runs: their cameras get taps, too.

use std::future::pending;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use eyelid_daemon::readiness::readable;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

/// How often at most it is looked what has changed: the slot of the camera `default` is the
/// directory itself, in which each of its frames is a file that comes.
const PAUSE: Duration = Duration::from_millis(250);

/// The slots directory, watched for slots that come.
pub(crate) struct NewSlots(Option<Watch>);

struct Watch {
    inotify: Inotify,
    readable: AsyncFd<OwnedFd>,
}

impl NewSlots {
    /// Watches this directory, if that can be.
    pub(crate) fn watch(directory: &Path) -> Self {
        let watch = Watch::new(directory);
        let watch = watch.inspect_err(|error| {
            log::info!("cameras that come later have taps after a reload: {error:#}");
        });
        Self(watch.ok())
    }

    /// Waits until there may be another slot.
    pub(crate) async fn come(&self) {
        let Some(watch) = &self.0 else {
            return pending().await;
        };
        loop {
            match watch.next().await {
                Ok(true) => return,
                Ok(false) => sleep(PAUSE).await,
                Err(error) => {
                    log::warn!("cameras that come now have taps after a reload: {error:#}");
                    return pending().await;
                }
            }
        }
    }
}

impl Watch {
    fn new(directory: &Path) -> anyhow::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let mask =
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        inotify
            .add_watch(directory, mask)
            .with_context(|| format!("{directory:?}"))?;
        let readable = readable(inotify.as_fd().try_clone_to_owned()?)?;
        Ok(Self { inotify, readable })
    }

    /// Waits for something to come, and says whether a slot may be among it.
    async fn next(&self) -> anyhow::Result<bool> {
        let mut ready = self.readable.readable().await?;
        let mut has_come = false;
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error).context("inotify"),
            };
            for event in events {
                let is_gone = event.mask.contains(AddWatchFlags::IN_IGNORED);
                anyhow::ensure!(!is_gone, "the slots directory is gone");
                let news = AddWatchFlags::IN_ISDIR | AddWatchFlags::IN_Q_OVERFLOW;
                has_come |= event.mask.intersects(news);
            }
        }
        ready.clear_ready();
        Ok(has_come)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;
    use std::fs;
    use tokio::time::timeout;

    #[test]
    fn a_directory_is_told_of_and_a_frame_is_not() {
        run(async {
            let slots = tempfile::tempdir().unwrap();
            let path = |name: &str| slots.path().join(name);
            let new = NewSlots::watch(slots.path());
            fs::write(path("current.jpg"), b"frame").unwrap();
            timeout(2 * PAUSE, new.come()).await.unwrap_err();
            fs::create_dir(path("door")).unwrap();
            new.come().await;
            fs::rename(path("door"), path("window")).unwrap();
            new.come().await;
            timeout(2 * PAUSE, new.come()).await.unwrap_err();
        });
    }

    #[test]
    fn where_there_is_no_directory_none_comes() {
        run(async {
            let slots = tempfile::tempdir().unwrap();
            let new = NewSlots::watch(&slots.path().join("none"));
            timeout(PAUSE, new.come()).await.unwrap_err();
            let path = slots.path().join("some");
            fs::create_dir(&path).unwrap();
            let new = NewSlots::watch(&path);
            fs::remove_dir(&path).unwrap();
            timeout(PAUSE, new.come()).await.unwrap_err();
        });
    }
}
