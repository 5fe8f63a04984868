//! What a client has lost, and whether to send it again is still worth it: apart from sockets and
//! clocks.
//!
//! A client asks for packets that are missing (NACK), and asks again once for each round trip.
//! What it lost of a picture it has lost of all behind it, up to a keyframe: nothing is shown
//! meanwhile. So a keyframe is better where packets stay away that were asked for, because those
//! that were sent again are lost, too, and where there are so many of them that a keyframe is no
//! more. A client of Chromium's says that it needs one when it could show nothing for 3 s.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// For how much longer than a round trip a packet may be asked for. That it is lost twice is rare
/// where few are lost, and a queue in between makes a round trip so much longer.
const PATIENCE: Duration = Duration::from_millis(120);

/// A packet that was not asked for again for so much longer than a round trip has arrived.
const ARRIVED: Duration = Duration::from_millis(150);

/// Fewer packets than these are sent again, however small the last keyframe was.
const FEW_PACKETS: usize = 6;

/// What a client has lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// By sequence numbers, which do not wrap here.
    missing: BTreeMap<u64, Missing>,
    newest: Option<u64>,
    /// The moment of the last keyframe that was written, in RTP's time.
    key_90k: Option<u32>,
    /// The last keyframe of which a packet was sent.
    key: Option<Key>,
    /// Nothing is sent again until the next keyframe.
    is_broken: bool,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    asked: Instant,
}

#[derive(Debug)]
struct Key {
    time_90k: u32,
    first: u64,
    packets: usize,
}

impl Losses {
    /// A keyframe of this moment, in RTP's time, is to be sent: it may wait in the pacer.
    pub(super) fn key_written(&mut self, time_90k: u32) {
        self.key_90k = Some(time_90k);
    }

    /// A packet of the picture of this moment is sent for the first time.
    pub(super) fn sent(&mut self, number: u16, time_90k: u32) {
        let number = self.extended(number);
        self.newest = self.newest.max(Some(number));
        if self.key_90k != Some(time_90k) {
            return;
        }
        match &mut self.key {
            Some(key) if key.time_90k == time_90k => key.packets += 1,
            key => {
                *key = Some(Key {
                    time_90k,
                    first: number,
                    packets: 1,
                });
                // It needs nothing that was before it.
                self.missing.clear();
                self.is_broken = false;
            }
        }
    }

    /// The client asks for packets. Gives whether a keyframe is needed now, instead of them.
    pub(super) fn asked(
        &mut self,
        numbers: impl Iterator<Item = u16>,
        round_trip: Duration,
        now: Instant,
    ) -> bool {
        let Some(key) = self.key.as_ref().filter(|_| !self.is_broken) else {
            return false;
        };
        let (first, packets) = (key.first, key.packets);
        let mut is_late = false;
        for number in numbers {
            let number = self.extended(number);
            // What was never sent nobody can lack.
            if number < first || Some(number) > self.newest {
                continue;
            }
            let missing = self.missing.entry(number).or_insert(Missing {
                since: now,
                asked: now,
            });
            missing.asked = now;
            is_late |= now.saturating_duration_since(missing.since) > round_trip + PATIENCE;
        }
        self.missing.retain(|_, missing| {
            now.saturating_duration_since(missing.asked) <= round_trip + ARRIVED
        });
        self.is_broken = is_late || self.missing.len() >= packets.max(FEW_PACKETS);
        self.is_broken
    }

    /// The number that this is the end of: the nearest one to the newest.
    fn extended(&self, number: u16) -> u64 {
        // Far from where a difference could be less than nothing.
        let newest = self.newest.unwrap_or(1 << 32);
        let behind = (newest as u16).wrapping_sub(number) as i16;
        newest.wrapping_sub(i64::from(behind) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const ROUND_TRIP: Duration = Duration::from_millis(20);
    const KEY_90K: u32 = 9000;
    const OTHER_90K: u32 = 9001;

    /// A keyframe of ten packets, and so many behind it, from this number on.
    fn sent(first: u16, behind: u16) -> Losses {
        let mut losses = Losses::default();
        losses.key_written(KEY_90K);
        send(&mut losses, first, 10, KEY_90K);
        send(&mut losses, first.wrapping_add(10), behind, OTHER_90K);
        losses
    }

    fn send(losses: &mut Losses, first: u16, packets: u16, time_90k: u32) {
        for number in 0..packets {
            losses.sent(first.wrapping_add(number), time_90k);
        }
    }

    fn asked(losses: &mut Losses, numbers: impl IntoIterator<Item = u16>, now: Instant) -> bool {
        losses.asked(numbers.into_iter(), ROUND_TRIP, now)
    }

    #[test]
    fn what_is_lost_here_and_there_is_sent_again() {
        let now = Instant::now();
        let mut losses = sent(65_530, 0);
        // One of twenty is lost, and of those that are sent again, too.
        for number in 0..2000u16 {
            losses.sent(number.wrapping_add(4), OTHER_90K);
            if number % 20 == 0 {
                let at = now + u32::from(number) * 4 * MS;
                assert!(!asked(&mut losses, [number], at));
                assert!(!asked(&mut losses, [number], at + ROUND_TRIP));
            }
        }
        assert!(losses.missing.len() < 6, "{losses:?}");
    }

    #[test]
    fn what_stays_away_needs_a_keyframe_once() {
        let now = Instant::now();
        let mut losses = sent(0, 50);
        let patience = ROUND_TRIP + PATIENCE;
        assert!(!asked(&mut losses, [30], now));
        assert!(!asked(&mut losses, [30, 31], now + patience));
        assert!(asked(&mut losses, [30], now + patience + MS));
        // It is asked for until the keyframe is there, and while that is on its way.
        assert!(!asked(&mut losses, 20..40, now + patience + 50 * MS));
        losses.key_written(18_000);
        send(&mut losses, 60, 10, 18_000);
        let later = now + 2 * patience;
        assert!(!asked(&mut losses, 20..40, later));
        assert!(!asked(&mut losses, 20..40, later + 2 * patience));
        // And so is what is lost of that.
        assert!(!asked(&mut losses, [61], later));
        assert!(asked(&mut losses, [61], later + patience + MS));
    }

    #[test]
    fn as_many_as_a_keyframe_has_need_one_at_once() {
        for first in [0, 65_500, 65_530] {
            let now = Instant::now();
            let mut losses = sent(first, 50);
            let from = |number: u16| (0..9).map(move |n| first.wrapping_add(number + n));
            assert!(!asked(&mut losses, from(20), now));
            assert!(!asked(&mut losses, from(20), now + 30 * MS), "the same");
            assert!(asked(&mut losses, from(40), now + 60 * MS), "{losses:?}");
        }
    }

    #[test]
    fn what_has_arrived_counts_no_more() {
        let now = Instant::now();
        let mut losses = sent(0, 200);
        for n in 0..20u16 {
            let at = now + u32::from(n) * (ROUND_TRIP + ARRIVED + MS);
            assert!(!asked(&mut losses, n * 10..n * 10 + 8, at), "{n}");
        }
    }

    #[test]
    fn what_was_never_sent_is_none() {
        let now = Instant::now();
        let mut losses = Losses::default();
        assert!(!asked(&mut losses, 0..500, now));
        let mut losses = sent(100, 20);
        assert!(!asked(&mut losses, (0..100).chain(130..5000), now));
        assert!(losses.missing.is_empty());
    }
}
