//! Which file is next, and when to try it: the decisions, apart from the file system.

use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

/// How long after a first sign of life a file is tried that its writer has not closed yet. It
/// doubles with each try...
const FIRST_TRY: Duration = Duration::from_millis(20);

/// ...up to this.
const LAST_TRY: Duration = Duration::from_millis(500);

/// How long after the last sign of life a file is waited for: the time in which clients want a
/// snapshot.
const PATIENCE: Duration = Duration::from_secs(2);

/// The newest file that may become a frame. Each moment at which it is worth a try has a number of
/// its own.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    name: Option<OsString>,
    /// How many tries there were.
    number: u64,
    /// The number of the one that is at hand.
    ready: Option<u64>,
    due: Option<Instant>,
    tries: u32,
    give_up_at: Option<Instant>,
}

/// What to do with a file that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is worth another try in a moment, or with its next event.
    TryAgain,
    /// It has had its time.
    GiveUp,
}

impl Candidate {
    /// Something was written to a file, or it has appeared.
    pub(super) fn written(&mut self, name: OsString, now: Instant) {
        self.take(name);
        // A file that is written without a break is still tried now and then.
        self.due.get_or_insert(now + FIRST_TRY);
        self.give_up_at = Some(now + PATIENCE);
    }

    /// A file was closed by its writer, or moved here.
    pub(super) fn finished(&mut self, name: OsString, now: Instant) {
        self.take(name);
        self.tries = 0;
        self.due = Some(now);
        self.give_up_at = Some(now + PATIENCE);
    }

    /// A file was found that was last written so long ago.
    pub(super) fn found(&mut self, name: OsString, now: Instant, age: Duration) {
        self.finished(name, now);
        self.give_up_at = Some(now + PATIENCE.saturating_sub(age));
    }

    /// The candidate, tried just now, is not whole.
    pub(super) fn incomplete(&mut self, now: Instant) -> Verdict {
        self.ready = None;
        if self.give_up_at.is_none_or(|at| at <= now) {
            return Verdict::GiveUp;
        }
        let wait = FIRST_TRY * 2u32.saturating_pow(self.tries.min(16));
        self.tries += 1;
        let again = now + wait.min(LAST_TRY);
        self.due = Some(self.due.map_or(again, |due| due.min(again)));
        Verdict::TryAgain
    }

    /// There is no candidate any more.
    pub(super) fn drop_it(&mut self) {
        *self = Self {
            number: self.number,
            ..Self::default()
        };
    }

    /// Nobody looks at the folder from now on: what was expected will not be seen.
    pub(super) fn pause(&mut self) {
        if self.ready.is_none() {
            self.drop_it();
        }
    }

    /// Lets time pass. Says whether another try is at hand.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        let is_due = self.due.take_if(|due| *due <= now).is_some();
        if is_due {
            self.number += 1;
            self.ready = Some(self.number);
        }
        is_due
    }

    /// The try at hand would give what an earlier one gave: it is that one.
    pub(super) fn repeats(&mut self, earlier: u64) {
        self.ready = Some(earlier);
    }

    /// When it is worth the next try.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The number of the try that is at hand.
    pub(super) fn sequence(&self) -> Option<u64> {
        self.ready
    }

    /// The try that is at hand, and its file.
    pub(super) fn at_hand(&self) -> Option<(u64, OsString)> {
        self.sequence().zip(self.name.clone())
    }

    fn take(&mut self, name: OsString) {
        if self.name.as_deref() != Some(name.as_os_str()) {
            self.drop_it();
            self.name = Some(name);
        }
    }
}

/// Says whether a file of this name can be a picture.
pub(super) fn is_picture(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else {
        return false;
    };
    let extension = &name[dot + 1..];
    name[0] != b'.'
        && [&b"jpg"[..], b"jpeg", b"png"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_closed_file_is_tried_at_once_and_one_being_written_soon() {
        let now = Instant::now();
        let mut candidate = Candidate::default();
        assert_eq!(candidate.sequence(), None);
        candidate.written("a.jpg".into(), now);
        candidate.advance(now);
        assert_eq!(candidate.sequence(), None);
        assert_eq!(candidate.deadline(), Some(now + FIRST_TRY));
        candidate.written("a.jpg".into(), now + ms(19));
        candidate.advance(now + FIRST_TRY);
        assert_eq!(candidate.at_hand(), Some((1, "a.jpg".into())));
        candidate.finished("a.jpg".into(), now + ms(30));
        assert!(candidate.advance(now + ms(30)));
        assert_eq!(candidate.sequence(), Some(2));
        assert_eq!(candidate.deadline(), None);
        candidate.repeats(1);
        assert!(!candidate.advance(now + ms(31)));
        assert_eq!(candidate.sequence(), Some(1), "it was no other picture");
        candidate.finished("a.jpg".into(), now + ms(40));
        candidate.advance(now + ms(40));
        assert_eq!(candidate.sequence(), Some(3));
    }

    #[test]
    fn a_half_file_is_tried_ever_more_slowly_and_given_up_after_its_last_sign_of_life() {
        let start = Instant::now();
        let mut candidate = Candidate::default();
        candidate.finished("a.jpg".into(), start);
        let (mut now, mut waits) = (start, Vec::new());
        let given_up = loop {
            candidate.advance(now);
            assert!(candidate.sequence().is_some());
            if candidate.incomplete(now) == Verdict::GiveUp {
                break now - start;
            }
            assert_eq!(candidate.sequence(), None);
            let due = candidate.deadline().unwrap();
            waits.push((due - now).as_millis());
            now = due;
        };
        assert_eq!(waits, [20, 40, 80, 160, 320, 500, 500, 500]);
        assert!(given_up >= PATIENCE && given_up < PATIENCE + ms(500));
        candidate.written("a.jpg".into(), now);
        candidate.advance(now + ms(20));
        assert_eq!(candidate.incomplete(now + ms(20)), Verdict::TryAgain);
    }

    #[test]
    fn another_file_takes_its_place() {
        let now = Instant::now();
        let mut candidate = Candidate::default();
        candidate.written("half.jpg".into(), now);
        candidate.finished("whole.jpg".into(), now);
        candidate.advance(now);
        assert_eq!(candidate.at_hand(), Some((1, "whole.jpg".into())));
        candidate.written("half.jpg".into(), now);
        assert_eq!(candidate.at_hand(), None, "the newest counts");
        candidate.advance(now + FIRST_TRY);
        assert_eq!(candidate.at_hand(), Some((2, "half.jpg".into())));
    }

    #[test]
    fn an_old_file_found_half_is_given_up_at_once() {
        let now = Instant::now();
        let mut candidate = Candidate::default();
        candidate.found("old.jpg".into(), now, PATIENCE);
        candidate.advance(now);
        assert_eq!(candidate.incomplete(now), Verdict::GiveUp);
        candidate.found("young.jpg".into(), now, ms(100));
        candidate.advance(now);
        assert_eq!(candidate.incomplete(now), Verdict::TryAgain);
    }

    #[test]
    fn knows_pictures_by_their_names() {
        for good in ["a.jpg", "B.JPG", "c.d.Jpeg", "-.png", "\u{e4} b.pNg"] {
            assert!(is_picture(OsStr::new(good)), "{good}");
        }
        for bad in [
            "jpg",
            ".jpg",
            ".a.jpg",
            "a.jpg.tmp",
            "a.gif",
            "a.",
            "a.jpg~",
            "",
        ] {
            assert!(!is_picture(OsStr::new(bad)), "{bad}");
        }
    }
}
