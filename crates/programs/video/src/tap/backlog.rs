//! Whether a reader keeps up: what it has not read lies in its socket, and is old soon.
//!
//! A reader that takes a little at a time, as recorders do while they write, is not to lose
//! pictures for that. What a Unix socket holds is known in bytes of the kernel's memory only, which
//! is zero when all is read: so a reader keeps up while that is so now and then.

use std::time::{Duration, Instant};

/// How long something may lie unread before pictures are left out: a few of a camera's, and less
/// than the socket's memory holds (net.core.wmem_default, at 2.5 Mbit/s half a second).
const MOST: Duration = Duration::from_millis(250);

/// How often it is looked whether a reader that was late has read all.
const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_millis(100);

/// A reader that has read nothing for so long is none.
const DEAD: Duration = Duration::from_secs(30);

/// What is known of one reader.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backlog {
    /// Since when something has been unread.
    since: Option<Instant>,
    /// The least that was unread since.
    least: u64,
    /// When that became less.
    moved: Option<Instant>,
}

/// Whether the next picture may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send,
    /// Not now: look again after this.
    Wait(Duration),
    /// Nobody reads.
    Dead,
}

impl Backlog {
    /// So much lies unread.
    pub(crate) fn judge(&mut self, unread: u64, now: Instant) -> Verdict {
        if unread == 0 {
            *self = Self::default();
            return Verdict::Send;
        }
        let since = *self.since.get_or_insert(now);
        let moved = self.moved.get_or_insert(now);
        if self.least == 0 || unread < self.least {
            (self.least, *moved) = (unread, now);
        }
        let late = now - since;
        if late < MOST {
            self.least = unread;
            return Verdict::Send;
        }
        if now - *moved >= DEAD {
            return Verdict::Dead;
        }
        Verdict::Wait((late / 20).clamp(SOON, LATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn who_reads_all_now_and_then_loses_nothing() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        for picture in 0..1000 {
            let unread = if picture % 7 == 0 { 0 } else { 5000 };
            let verdict = backlog.judge(unread, after(start, picture * 33));
            assert_eq!(verdict, Verdict::Send, "{picture}");
        }
    }

    #[test]
    fn who_is_late_waits_until_all_is_read() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        assert_eq!(backlog.judge(9000, start), Verdict::Send);
        assert_eq!(backlog.judge(9000, after(start, 249)), Verdict::Send);
        let verdict = backlog.judge(9000, after(start, 250));
        assert_eq!(verdict, Verdict::Wait(Duration::from_micros(12_500)));
        // Some of it is read: that is no new picture yet, but a sign of life.
        let verdict = backlog.judge(100, after(start, 29_000));
        assert_eq!(verdict, Verdict::Wait(LATE));
        assert_eq!(
            backlog.judge(100, after(start, 58_999)),
            Verdict::Wait(LATE)
        );
        assert_eq!(backlog.judge(0, after(start, 59_000)), Verdict::Send);
        assert_eq!(backlog.judge(9000, after(start, 59_100)), Verdict::Send);
    }

    #[test]
    fn who_reads_nothing_is_dead() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        for ms in [0, 100, 200] {
            assert_eq!(backlog.judge(9000, after(start, ms)), Verdict::Send);
        }
        assert_eq!(
            backlog.judge(9000, after(start, 29_999)),
            Verdict::Wait(LATE)
        );
        assert_eq!(backlog.judge(9000, after(start, 30_000)), Verdict::Dead);
    }
}
