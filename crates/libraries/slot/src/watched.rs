//! What a producer learns of one slot from inotify(7)'s events: the decisions, apart from inotify.
//!
//! The readers of a frame are watched on the frame's inode, not in the directory: a wish can then
//! never be taken for one that the next frame has already answered. The directory is watched for
//! its own loss and for files that are deleted; of those that are moved away their own watches
//! tell.

use std::ffi::OsStr;
use std::time::Instant;

use rustix::fs::inotify::ReadFlags;

use crate::demand::Demand;
use crate::directory::Directory;
use crate::offered::Offered;
use crate::watch::{FRAME_EVENTS, GONE_EVENTS, Hearing, LOST_EVENTS, Watch};
use crate::{FRAME_FILE, Rendition, RenditionSet, STATE_FILE};

/// One slot, as far as it is watched. New, it counts as wished for: who opened a frame that an
/// earlier producer left has not been seen.
#[derive(Debug)]
pub(crate) struct Watched {
    directory: Option<Watch>,
    /// The directory, open, while frames are heard of when asked: to open it for each takes as much
    /// as to create the file. The kernel tells of its loss once this is let go of, and before that
    /// of the loss of the frame, which is in it.
    open_directory: Option<Directory>,
    frame: Option<Watch>,
    /// The frame before, where a placeholder has taken its place: who opened it a moment before
    /// that has as good a wish.
    before: Option<Watch>,
    state: Option<Watch>,
    demand: Demand,
    offered: Offered,
    state_is_stale: bool,
    /// The frame or the state was taken from its place, or replaced.
    is_replaced: bool,
    is_active: bool,
    is_lost: bool,
}

impl Default for Watched {
    fn default() -> Self {
        let mut demand = Demand::default();
        demand.assume();
        Self {
            directory: None,
            open_directory: None,
            frame: None,
            before: None,
            state: None,
            demand,
            offered: Offered::default(),
            state_is_stale: false,
            is_replaced: false,
            is_active: false,
            is_lost: false,
        }
    }
}

impl Watched {
    /// Takes in an event of one of the slot's watches, present or past. Gives the watch where it is
    /// of no use any more: the kernel has usually dropped it, but a directory or a file that was
    /// only moved still has it.
    pub(crate) fn take_in(
        &mut self,
        watch: Watch,
        mask: ReadFlags,
        name: Option<&OsStr>,
        now: Instant,
    ) -> Option<Watch> {
        if self.directory == Some(watch) {
            return self.take_in_directory(mask, name);
        }
        // A reader of an old frame is a reader, though its close is no wish. That the kernel
        // watches an old frame no longer is nobody's doing but ours, who replaced it.
        self.is_active |= self.frame == Some(watch) || mask.intersects(FRAME_EVENTS);
        if self.frame == Some(watch) || self.before == Some(watch) {
            self.demand.take_in(mask, now);
        } else {
            self.is_active |= self.offered.take_in(watch, mask, now);
        }
        let is_moved = mask.contains(ReadFlags::MOVE_SELF);
        // The state is watched for nothing else; of its end each new one tells.
        if self.state == Some(watch) && is_moved {
            self.lost_state();
        }
        if mask.intersects(GONE_EVENTS) {
            self.lost_file(watch);
        }
        is_moved.then_some(watch)
    }

    fn take_in_directory(&mut self, mask: ReadFlags, name: Option<&OsStr>) -> Option<Watch> {
        if mask.intersects(LOST_EVENTS) {
            self.is_active = true;
            return self.let_go();
        }
        match name {
            Some(name) if name == FRAME_FILE => {
                self.frame = None;
                self.is_replaced = true;
            }
            Some(name) if name == STATE_FILE => {
                self.lost_state();
                self.is_replaced = true;
            }
            // Others are the producer's own hidden files.
            name => self.offered.lost(name.and_then(rendition)?),
        }
        self.open_directory = None;
        self.is_active = true;
        None
    }

    /// What says how the camera is lies there no more. Whoever took it may have taken more.
    pub(crate) fn lost_state(&mut self) {
        self.state_is_stale = true;
        self.demand.assume();
        self.is_active = true;
    }

    /// Events were dropped: anything may have happened, and everything is looked at again. Gives
    /// the directory's watch, whose loss may be among what was missed.
    pub(crate) fn overflowed(&mut self) -> Option<Watch> {
        self.demand.assume();
        self.offered.assume();
        self.state_is_stale = true;
        self.is_active = true;
        self.open_directory = None;
        self.directory.take()
    }

    /// The directory is gone, and what lay in it. Gives its watch.
    pub(crate) fn let_go(&mut self) -> Option<Watch> {
        self.is_lost = true;
        self.frame = None;
        self.state = None;
        self.offered.lost_all();
        self.state_is_stale = true;
        self.open_directory = None;
        self.directory.take()
    }

    /// The directory is watched from now on.
    pub(crate) fn claimed(&mut self, directory: Watch) {
        self.directory = Some(directory);
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.directory.is_some()
    }

    /// A new frame lies in the slot, watched by this.
    pub(crate) fn published(&mut self, frame: Watch) {
        self.frame = Some(frame);
        self.before = None;
        self.demand.published();
        if frame.hearing == Hearing::AtOnce {
            self.open_directory = None;
        }
    }

    /// What was published last is a placeholder, in the place of the frame of this watch.
    pub(crate) fn is_placeholder_of(&mut self, before: Option<Watch>) {
        self.before = before;
    }

    /// The watch of the frame that lies in the slot.
    pub(crate) fn frame(&self) -> Option<Watch> {
        self.frame
    }

    /// The file of this watch is not in its place any more, or not watched.
    pub(crate) fn lost_file(&mut self, watch: Watch) {
        self.is_active |= if self.frame == Some(watch) {
            self.frame = None;
            self.open_directory = None;
            self.is_replaced = true;
            true
        } else if self.state == Some(watch) {
            self.state = None;
            self.is_replaced = true;
            true
        } else {
            self.offered.lost_file(watch)
        };
    }

    /// A new state lies in the slot, watched by this or not. Gives the watch of the one before.
    pub(crate) fn published_state(&mut self, watch: Option<Watch>) -> Option<Watch> {
        self.state_is_stale = false;
        std::mem::replace(&mut self.state, watch)
    }

    /// Gives the directory that was kept open.
    pub(crate) fn take_open_directory(&mut self) -> Option<Directory> {
        self.open_directory.take()
    }

    /// Keeps the directory open for the next frame, if that is soon to come.
    pub(crate) fn keep_open(&mut self, directory: Directory) {
        let is_busy = self.frame_heard_when_asked().is_some();
        self.open_directory = (is_busy && self.is_claimed()).then_some(directory);
    }

    /// The watch of the frame that lies in the slot, if it is heard of only when it is asked for.
    pub(crate) fn frame_heard_when_asked(&self) -> Option<Watch> {
        self.frame
            .filter(|watch| watch.hearing == Hearing::WhenAsked)
    }

    /// The same frame is watched by this instead, or cannot be any more.
    pub(crate) fn watch_frame_by(&mut self, watch: Option<Watch>) {
        self.frame = watch;
        self.open_directory = None;
    }

    /// A new file of a rendition lies in the slot, watched by this.
    pub(crate) fn published_rendition(&mut self, rendition: Rendition, watch: Watch) {
        self.offered.published(rendition, watch);
    }

    /// A rendition is offered no longer. Gives its watch, which is to end.
    pub(crate) fn withdraw(&mut self, rendition: Rendition) -> Option<Watch> {
        self.offered.withdraw(rendition)
    }

    pub(crate) fn wished_renditions(&self, now: Instant) -> RenditionSet {
        self.offered.wished(now)
    }

    pub(crate) fn missing_renditions(&self) -> RenditionSet {
        self.offered.missing()
    }

    /// Says whether the state that was written last may not lie there any more.
    pub(crate) fn state_is_stale(&self) -> bool {
        self.state_is_stale
    }

    pub(crate) fn wished(&self, now: Instant) -> bool {
        self.is_blind() || self.demand.wished(now)
    }

    pub(crate) fn noticed(&self) -> bool {
        self.is_blind() || self.demand.noticed() || self.offered.noticed()
    }

    /// Says whether readers are only assumed: they cannot be seen, or may have been missed.
    pub(crate) fn is_assumed(&self) -> bool {
        let is_assumed = self.is_blind() || self.demand.is_assumed() || self.offered.is_assumed();
        is_assumed && !self.demand.is_seen() && !self.offered.is_seen()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let frame = self.demand.deadline().filter(|_| !self.is_blind());
        frame.into_iter().chain(self.offered.deadline()).min()
    }

    pub(crate) fn watches_frame(&self) -> bool {
        !self.is_blind()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    pub(crate) fn take_activity(&mut self) -> bool {
        std::mem::take(&mut self.is_active)
    }

    pub(crate) fn take_replacement(&mut self) -> bool {
        std::mem::take(&mut self.is_replaced)
    }

    pub(crate) fn take_loss(&mut self) -> bool {
        std::mem::take(&mut self.is_lost)
    }

    /// Readers of what is not there, or not watched, cannot be seen. One is assumed.
    fn is_blind(&self) -> bool {
        self.directory.is_none() || self.frame.is_none()
    }
}

fn rendition(name: &OsStr) -> Option<Rendition> {
    Rendition::of_file(name.as_encoded_bytes())
}
