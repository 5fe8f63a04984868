//! The pictures before the one that an alert is of, for whoever says later that it was wrong: what
//! judges every picture has seen more than one. The older, the fewer: what was calm for minutes is
//! said by few pictures, what has just come in needs each.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// How many are kept of a camera, and how many bytes: five seconds of small pictures, and a handful
/// of the minutes before.
const MOST: usize = 16;
const MOST_BYTES: usize = 1 << 20;

/// What was before says nothing about now after so long, as of pictures that a model is shown.
const OLDEST: Duration = Duration::from_mins(15);

/// What moves is worth as much as so many pictures of which nothing does.
const MOVING: f32 = 8.0;

/// More than the first line of a file of [`MOST`] pictures has.
const MOST_HEAD_BYTES: usize = 1024;

/// How many bytes such a file has at most.
pub(crate) const MOST_FILE_BYTES: u64 = (MOST_HEAD_BYTES + MOST_BYTES) as u64;

/// A picture from before an alert's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// How long before that it was captured.
    pub(crate) before: Duration,
    pub(crate) jpeg: Bytes,
}

/// The pictures that a camera was looked at by.
#[derive(Debug, Default)]
pub(crate) struct History {
    looks: VecDeque<Looked>,
    bytes: usize,
}

#[derive(Debug)]
struct Looked {
    jpeg: Bytes,
    captured: SystemTime,
    /// By a clock that nobody sets.
    at: Duration,
    is_moving: bool,
}

impl History {
    /// Takes in a picture that was looked at, in the order of their moments.
    pub(crate) fn looked(
        &mut self,
        jpeg: Bytes,
        captured: SystemTime,
        at: Duration,
        is_moving: bool,
    ) {
        self.bytes += jpeg.len();
        self.looks.push_back(Looked {
            jpeg,
            captured,
            at,
            is_moving,
        });
        while self.looks.len() > 1
            && let Some(dropped) = self.surplus(at)
        {
            let dropped = self.looks.remove(dropped);
            self.bytes -= dropped.map_or(0, |look| look.jpeg.len());
        }
    }

    /// The camera was not looked at for a while.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Those before a picture of that moment, in the order of their capture.
    pub(crate) fn before(&self, captured: SystemTime) -> Vec<Earlier> {
        let looks = self.looks.iter().filter_map(|look| {
            let before = captured.duration_since(look.captured).ok()?;
            let is_earlier = !before.is_zero() && before <= OLDEST;
            is_earlier.then(|| Earlier {
                before,
                jpeg: look.jpeg.clone(),
            })
        });
        let mut looks: Vec<Earlier> = looks.collect();
        // A clock that was set puts pictures where they do not belong.
        looks.sort_by_key(|look| Reverse(look.before));
        looks
    }

    /// Which is to go, if there are too many: one that is too old, else the one by which the others
    /// are not missed most, for its neighbours are close to it for its age.
    fn surplus(&self, now: Duration) -> Option<usize> {
        let is_old = |look: &Looked| now.saturating_sub(look.at) > OLDEST;
        if self.looks.front().is_some_and(is_old) {
            return Some(0);
        }
        if self.looks.len() <= MOST && self.bytes <= MOST_BYTES {
            return None;
        }
        let worth = |index: usize| {
            let [before, it, after] = [index - 1, index, index + 1].map(|at| &self.looks[at]);
            let gap = after.at.saturating_sub(before.at).as_secs_f32();
            let age = now.saturating_sub(it.at).as_secs_f32() + 1.0;
            gap / age * if it.is_moving { MOVING } else { 1.0 }
        };
        let inner = 1..self.looks.len() - 1;
        let least = inner.min_by(|one, other| worth(*one).total_cmp(&worth(*other)));
        Some(least.unwrap_or(0))
    }
}

/// All of them as one file: a line that says how many milliseconds before the alert's picture each
/// was captured and how many bytes it has, and those.
pub(crate) fn to_file(earlier: &[Earlier]) -> Vec<u8> {
    let head = earlier.iter().map(|it| {
        let before_ms = u64::try_from(it.before.as_millis()).unwrap_or(u64::MAX);
        (before_ms, it.jpeg.len())
    });
    // Numbers can be written.
    let mut file = serde_json::to_vec(&head.collect::<Vec<_>>()).unwrap_or_default();
    file.push(b'\n');
    earlier.iter().for_each(|it| file.extend(&it.jpeg));
    file
}

/// What such a file has; nothing, where it is none that is whole.
pub(crate) fn of_file(file: Vec<u8>) -> Option<Vec<Earlier>> {
    let file = Bytes::from(file);
    let head_bytes = file
        .iter()
        .take(MOST_HEAD_BYTES)
        .position(|b| *b == b'\n')?;
    let head: Vec<(u64, usize)> = serde_json::from_slice(&file[..head_bytes]).ok()?;
    let mut rest = file.slice(head_bytes + 1..);
    let earlier = head.into_iter().map(|(before_ms, bytes)| {
        let is_there = bytes <= rest.len();
        is_there.then(|| Earlier {
            before: Duration::from_millis(before_ms),
            jpeg: rest.split_to(bytes),
        })
    });
    let earlier: Vec<Earlier> = earlier.collect::<Option<_>>()?;
    (rest.is_empty() && earlier.len() <= MOST).then_some(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn picture(bytes: usize, at_ms: u64) -> Bytes {
        let mut jpeg = at_ms.to_string().into_bytes();
        jpeg.resize(bytes, 0);
        jpeg.into()
    }

    /// Looks at pictures of so many bytes, two a second, from one moment to another.
    fn look(history: &mut History, seconds: std::ops::Range<u64>, bytes: usize, is_moving: bool) {
        for at_ms in (1000 * seconds.start..1000 * seconds.end).step_by(500) {
            let at = Duration::from_millis(at_ms);
            history.looked(picture(bytes, at_ms), UNIX_EPOCH + at, at, is_moving);
        }
    }

    fn before(history: &History, at_s: u64) -> Vec<u128> {
        let earlier = history.before(UNIX_EPOCH + Duration::from_secs(at_s));
        earlier.iter().map(|it| it.before.as_millis()).collect()
    }

    #[test]
    fn the_older_the_fewer_of_them() {
        let mut history = History::default();
        look(&mut history, 0..3600, 10_000, false);
        let ages = before(&history, 3600);
        assert_eq!(ages.len(), MOST);
        assert_eq!(ages[MOST - 4..], [3000, 2000, 1000, 500]);
        assert!((300_000..=900_000).contains(&ages[0]), "{ages:?}");
        let is_sparser = |ages: &[u128]| ages[0] <= 3 * ages[1] + 1000;
        assert!(ages.windows(2).all(is_sparser), "{ages:?}");
    }

    #[test]
    fn what_moves_outlasts_what_does_not() {
        let mut history = History::default();
        look(&mut history, 0..100, 10_000, false);
        look(&mut history, 100..103, 10_000, true);
        look(&mut history, 103..109, 10_000, false);
        let ages = before(&history, 109);
        let moving = ages.iter().filter(|age| (6500..=9000).contains(*age));
        assert!(moving.count() >= 5, "{ages:?}");
        assert!(ages[0] > 30_000, "{ages:?}");
    }

    #[test]
    fn they_are_bounded_by_bytes_and_age_too() {
        let mut history = History::default();
        look(&mut history, 0..60, 300_000, false);
        assert_eq!(
            history.before(UNIX_EPOCH + Duration::from_secs(60)).len(),
            3
        );
        assert!(history.bytes <= MOST_BYTES);
        look(&mut history, 5000..5001, 2 << 20, false);
        assert_eq!(history.looks.len(), 1, "the one that is looked at");
        // The clock was put back, or is ahead.
        assert_eq!(history.before(UNIX_EPOCH), []);
        assert_eq!(history.before(UNIX_EPOCH + Duration::from_secs(9000)), []);
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_only_whole() {
        let mut history = History::default();
        look(&mut history, 0..20, 100, false);
        let earlier = history.before(UNIX_EPOCH + Duration::from_secs(20));
        assert_eq!(earlier.len(), MOST);
        let file = to_file(&earlier);
        assert!(file.len() as u64 <= MOST_FILE_BYTES);
        assert_eq!(of_file(file.clone()), Some(earlier));
        for end in 0..file.len() {
            assert_eq!(of_file(file[..end].to_vec()), None, "{end}");
        }
        assert_eq!(of_file([&file[..], b"x"].concat()), None);
        assert_eq!(of_file(to_file(&[])), Some(Vec::new()));
        assert_eq!(of_file(b"[[1,99999999999999]]\nx".to_vec()), None);
    }
}
