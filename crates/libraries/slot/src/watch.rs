//! The watches of inotify(7), and when what they tell is to be known.

use std::io;

use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::io::Errno;

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

/// That a file was moved away. It is asked for once the file lies in its place: of the rename that
/// puts it there the same would be told.
pub(crate) const MOVED_MASK: WatchFlags = WatchFlags::MOVE_SELF.union(WatchFlags::DONT_FOLLOW);

/// What can happen to a frame that lies in its place.
pub(crate) const PLACED_MASK: WatchFlags = FRAME_MASK.union(MOVED_MASK);

/// That a file lies in its place no longer, or is watched no longer.
pub(crate) const GONE_EVENTS: ReadFlags = ReadFlags::MOVE_SELF.union(ReadFlags::IGNORED);

/// What readers do with a frame, as it is told.
pub(crate) const FRAME_EVENTS: ReadFlags = ReadFlags::OPEN.union(ReadFlags::CLOSE_NOWRITE);

/// What can happen to a slot's directory and to the files in it, but that they are moved away: each
/// frame is moved here from its hidden name, and telling of that would cost a read for each.
pub(crate) const DIRECTORY_MASK: WatchFlags = WatchFlags::DELETE
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW);

/// What ends a directory's use as a slot.
pub(crate) const LOST_EVENTS: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::IGNORED);

/// Says why the kernel gives no watch.
pub(crate) fn watch_refused(errno: Errno) -> io::Error {
    match errno {
        // Not the room for files, which it would be taken for.
        Errno::NOSPC => io::Error::other(
            "the user's inotify watches are used up (raise fs.inotify.max_user_watches; inotify(7))",
        ),
        errno => errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_that_are_used_up_are_not_taken_for_a_full_disk() {
        let refused = watch_refused(Errno::NOSPC);
        assert_ne!(refused.kind(), io::ErrorKind::StorageFull);
        assert!(refused.to_string().contains("fs.inotify.max_user_watches"));
        let refused = watch_refused(Errno::NOTDIR);
        assert_eq!(refused.kind(), io::ErrorKind::NotADirectory);
    }
}
