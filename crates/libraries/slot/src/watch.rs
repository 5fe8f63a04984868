//! The watches of inotify(7), and when what they tell is to be known.

use rustix::fs::inotify::{ReadFlags, WatchFlags};

/// When it is to be known what readers do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hearing {
    /// As they do it: a descriptor becomes readable, and a process that sleeps wakes up.
    AtOnce,
    /// Once somebody takes it in. Nobody is woken.
    WhenAsked,
}

/// A watch. Each kind of hearing has an inotify instance, and each instance numbers its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Watch {
    pub(crate) hearing: Hearing,
    pub(crate) number: i32,
}

/// What readers do with a frame.
pub(crate) const FRAME_MASK: WatchFlags = WatchFlags::OPEN
    .union(WatchFlags::CLOSE_NOWRITE)
    .union(WatchFlags::DONT_FOLLOW);

/// The same, as it is told.
pub(crate) const FRAME_EVENTS: ReadFlags = ReadFlags::OPEN.union(ReadFlags::CLOSE_NOWRITE);

/// What can happen to a slot's directory and to the files in it.
pub(crate) const DIRECTORY_MASK: WatchFlags = WatchFlags::DELETE
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW);

/// What ends a directory's use as a slot.
pub(crate) const LOST_EVENTS: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::IGNORED);
