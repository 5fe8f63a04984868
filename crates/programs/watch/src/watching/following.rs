//! Looking only at what others look at: no frame is wished for, and no camera kept awake.
//!
//! A frame is opened when it has come because somebody wished for it, and held until the next one
//! has taken its place: to close what lies there no more is no wish (docs/slot.md). Where none
//! comes, nobody else looks any more; holding it would soon be a wish, so it is closed, and the
//! frame that this brings is not looked at.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use eyelid_daemon::readiness;
use eyelid_slot::{Change, Changes, OpenFrame, Reader, Rendition};
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, sleep_until};

use super::frames::Picture;

/// A frame that is held open counts as a wish after 2 s (docs/slot.md).
const HELD_FOR: Duration = Duration::from_millis(1800);

/// How soon after a frame was closed the next one is taken for what that has brought. A camera that
/// is awake answers within an interval of its frames; one that has fewer gets one wish more.
const OWN_WITHIN: Duration = Duration::from_secs(2);

/// How old a frame is at most that has just come: one that somebody moves there is none of now.
const FRESH: Duration = Duration::from_secs(2);

/// How soon it is tried again to hear of a slot that is not there.
const RETRY: Duration = Duration::from_secs(5);

/// What others look at of one camera.
pub(crate) struct Following {
    slot: PathBuf,
    /// `None` while the slot cannot be watched.
    changes: Option<(Changes<()>, AsyncFd<std::os::fd::OwnedFd>)>,
    held: Option<Held>,
    /// When a frame was closed that lay there still.
    closed: Option<Instant>,
}

struct Held {
    /// Closed when it is dropped.
    _file: OpenFrame,
    rendition: Option<Rendition>,
    until: Instant,
}

impl Following {
    /// Follows the slot in this directory.
    pub(crate) fn new(slot: &Path) -> Self {
        Self {
            slot: slot.to_owned(),
            changes: None,
            held: None,
            closed: None,
        }
    }

    /// Waits for the next frame that somebody else has wished for, and that comes when it is due.
    ///
    /// # Errors
    /// What the system says of inotify(7).
    pub(crate) async fn next(&mut self, due: Instant) -> io::Result<Picture> {
        loop {
            if self.changes.is_none() && !self.listen()? {
                sleep(RETRY).await;
                continue;
            }
            let changed = self.changed().await?;
            let now = Instant::now();
            for change in changed {
                let rendition = match change {
                    Change::Frame(()) => None,
                    Change::Rendition((), Rendition::Full | Rendition::Y4m) | Change::State(()) => {
                        continue;
                    }
                    Change::Rendition((), rendition) => Some(rendition),
                    Change::Lost(()) | Change::Anything => {
                        self.changes = None;
                        self.let_go(now);
                        break;
                    }
                };
                self.replaced(rendition);
                let is_own = (self.closed.take()).is_some_and(|closed| now < closed + OWN_WITHIN);
                if is_own || now < due {
                    continue;
                }
                if let Some(picture) = self.open(rendition, now) {
                    return Ok(picture);
                }
            }
        }
    }

    /// Begins to hear of the slot. Says whether it does.
    fn listen(&mut self) -> io::Result<bool> {
        let mut changes = Changes::new().map_err(io::Error::other)?;
        if changes.add((), &self.slot).is_err() {
            return Ok(false);
        }
        let descriptor = std::os::fd::AsFd::as_fd(&changes).try_clone_to_owned()?;
        self.changes = Some((changes, readiness::readable(descriptor)?));
        Ok(true)
    }

    /// Waits until something has changed in the slot; meanwhile lets go of a frame that would soon
    /// be a wish.
    async fn changed(&mut self) -> io::Result<Vec<Change<()>>> {
        loop {
            let Some((changes, descriptor)) = &mut self.changes else {
                return Ok(Vec::new());
            };
            let let_go = self.held.as_ref().map(|held| held.until);
            let wait = async {
                match let_go {
                    Some(until) => sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ready = descriptor.readable() => {
                    let changed = changes.read()?;
                    ready?.clear_ready();
                    return Ok(changed);
                }
                () = wait => self.let_go(Instant::now()),
            }
        }
    }

    /// Another file has taken this one's place: to close what is held of it is no wish.
    fn replaced(&mut self, rendition: Option<Rendition>) {
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.rendition == rendition)
        {
            self.held = None;
        }
    }

    /// Closes a frame that lies there still.
    fn let_go(&mut self, now: Instant) {
        if self.held.take().is_some() {
            self.closed = Some(now);
        }
    }

    /// Opens and reads what has just come, and holds it.
    fn open(&mut self, rendition: Option<Rendition>, now: Instant) -> Option<Picture> {
        // One at a time: what is held of another file may lie there still.
        if self.held.is_some() {
            return None;
        }
        let reader = Reader::of(&self.slot, rendition);
        let age = SystemTime::now().duration_since(reader.captured()?);
        if age.is_ok_and(|age| age > FRESH) {
            return None;
        }
        let file = reader.open().ok()?;
        let mut jpeg = Vec::new();
        let read = file.append_to(&mut jpeg);
        let picture = Picture {
            jpeg: jpeg.into(),
            captured: file.captured,
            rendition,
            earlier: Vec::new(),
        };
        self.held = Some(Held {
            _file: file,
            rendition,
            until: now + HELD_FOR,
        });
        read.ok().map(|()| picture)
    }
}
