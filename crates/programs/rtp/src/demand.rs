//! Whether a destination is sent to: while its receivers report, or always, and not while nobody
//! takes anything there.
//!
//! What is sent to an address is no proof that somebody looks, so a camera would never sleep. The
//! reports of RFC 3550 are one: receivers send them every few seconds for as long as they play. A
//! destination is sent to for a while without one when it is new: receivers may report only what
//! they have received.
//!
//! A port that nobody has is another proof, of the contrary: its host says so (ICMP). A packet that
//! is no picture then finds out when somebody has it, and that one has just started is as good as a
//! new destination. While nobody reports, it finds out whether the port is given up, too: its next
//! owner is seen to come only so.

use std::time::{Duration, Instant};

/// For how long a report holds, and the beginning: receivers report every 5 s as a rule (RFC 3550,
/// section 6.2).
const REPORT_HOLDS: Duration = Duration::from_secs(30);

/// The pause between two probes of a port that nobody has. Linux tells one other host of a refusal
/// once a second (icmp(7), `icmp_ratelimit`); one that it keeps to itself looks like a receiver.
const PROBE: Duration = Duration::from_millis(1100);

/// The longest that the pause becomes where probes were not refused and pictures were: refusals get
/// lost there, by another limit or on the way.
const LONGEST_PROBE: Duration = Duration::from_millis(4400);

/// A refusal so soon after probes were taken says that nobody took them: of the many packets of
/// pictures the host tells of one at least. A receiver lives longer, however often it is started.
const FALSE_ALARM: Duration = Duration::from_millis(1200);

/// The pause between two probes of a port that somebody seems to have who does not report: as
/// between two reports.
const PROBE_ASLEEP: Duration = Duration::from_secs(5);

/// The demand of one destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    always: bool,
    wanted_until: Instant,
    refused: Option<Refused>,
    /// When somebody was last found to be there again.
    taken: Option<Instant>,
    /// When nothing was last refused that was sent to find out.
    probed: Option<Instant>,
    pause: Duration,
}

/// Nobody has the port.
#[derive(Clone, Copy, Debug)]
struct Refused {
    since: Instant,
    probe_at: Instant,
}

/// When the next probe goes after one that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// At once: it goes to another address.
    AtOnce,
    /// After a pause, which is longer where so many destinations share a host that refuses, with
    /// this one.
    Later {
        /// How many.
        sharing: u32,
    },
}

impl Demand {
    /// That of a new destination; one that is sent to `always` needs no reports.
    pub(crate) fn new(always: bool, now: Instant) -> Self {
        Self {
            always,
            wanted_until: now + REPORT_HOLDS,
            refused: None,
            taken: None,
            probed: None,
            pause: PROBE,
        }
    }

    /// Says whether frames are to go.
    pub(crate) fn is_wanted(&self, now: Instant) -> bool {
        self.refused.is_none() && (self.always || now < self.wanted_until)
    }

    /// Says until when frames are to go, if nothing is heard; `None` for always.
    pub(crate) fn wanted_until(&self) -> Option<Instant> {
        (!self.always).then_some(self.wanted_until)
    }

    /// Says since when nobody has the port, if that is so.
    pub(crate) fn refused_since(&self) -> Option<Instant> {
        self.refused.map(|refused| refused.since)
    }

    /// When a probe is due; never while it is sent to always.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        match self.refused {
            Some(refused) => Some(refused.probe_at),
            None if self.always => None,
            None => {
                let asleep = self.wanted_until;
                let before = self.probed.map_or(asleep, |probed| probed.max(asleep));
                Some(before + PROBE_ASLEEP)
            }
        }
    }

    /// A receiver has reported.
    pub(crate) fn on_report(&mut self, now: Instant) {
        self.refused = None;
        self.wanted_until = now + REPORT_HOLDS;
    }

    /// A packet was refused. The packets of a frame have used up, perhaps, what its host tells of
    /// refusals at once: a probe at the same time would say nothing.
    pub(crate) fn on_refused(&mut self, now: Instant, retry: Retry) {
        if self.refused.is_none() {
            self.pause = if self.was_taken_lately(now) {
                (self.pause * 2).min(LONGEST_PROBE)
            } else {
                PROBE
            };
        }
        let since = self.refused.map_or(now, |refused| refused.since);
        let pause = match retry {
            Retry::AtOnce => Duration::ZERO,
            Retry::Later { sharing } => self.pause * sharing.max(1),
        };
        let probe_at = now + pause;
        self.refused = Some(Refused { since, probe_at });
    }

    /// Probes were not refused. Gives whether somebody is there again who was not.
    pub(crate) fn on_taken(&mut self, now: Instant) -> bool {
        self.probed = Some(now);
        let is_new = self.refused.is_some();
        if is_new {
            self.taken = Some(now);
            self.on_report(now);
        }
        is_new
    }

    fn was_taken_lately(&self, now: Instant) -> bool {
        let since = |taken| now.saturating_duration_since(taken);
        self.taken.is_some_and(|taken| since(taken) < FALSE_ALARM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LATER: Retry = Retry::Later { sharing: 1 };

    #[test]
    fn reports_hold_for_a_while() {
        let start = Instant::now();
        let mut demand = Demand::new(false, start);
        assert!(demand.is_wanted(start + 29 * SECOND));
        assert!(!demand.is_wanted(start + 30 * SECOND));
        demand.on_report(start + 60 * SECOND);
        assert!(demand.is_wanted(start + 89 * SECOND));
        assert_eq!(demand.wanted_until(), Some(start + 90 * SECOND));
        assert!(!demand.is_wanted(start + 90 * SECOND));
    }

    #[test]
    fn what_is_always_wanted_needs_no_report_but_a_receiver() {
        let start = Instant::now();
        let mut demand = Demand::new(true, start);
        assert!(demand.is_wanted(start + 9000 * SECOND));
        assert_eq!((demand.wanted_until(), demand.probe_at()), (None, None));
        demand.on_refused(start, LATER);
        assert!(!demand.is_wanted(start));
    }

    #[test]
    fn a_receiver_is_back_when_probes_are_no_longer_refused() {
        let start = Instant::now();
        for always in [true, false] {
            let mut demand = Demand::new(always, start);
            let mut now = start + 100 * SECOND;
            for _ in 0..3 {
                demand.on_refused(now, LATER);
                assert_eq!(demand.probe_at(), Some(now + PROBE));
                assert!(!demand.is_wanted(now));
                now += PROBE;
            }
            assert_eq!(demand.refused_since(), Some(start + 100 * SECOND));
            assert!(demand.on_taken(now));
            assert!(demand.is_wanted(now + 29 * SECOND));
            assert_eq!(demand.refused_since(), None);
        }
    }

    #[test]
    fn hosts_are_not_asked_more_often_than_they_answer() {
        let start = Instant::now();
        let mut demand = Demand::new(true, start);
        demand.on_refused(start, LATER);
        demand.on_refused(start, Retry::AtOnce);
        assert_eq!(demand.probe_at(), Some(start), "of another address");
        demand.on_refused(start, Retry::Later { sharing: 3 });
        assert_eq!(demand.probe_at(), Some(start + 3 * PROBE));
        // Probes are taken, as it seems, and pictures are not.
        let mut pauses = vec![];
        for _ in 0..5 {
            demand.on_taken(start);
            demand.on_refused(start + SECOND, LATER);
            pauses.push((demand.probe_at().unwrap() - start - SECOND).as_millis());
        }
        assert_eq!(pauses, [2200, 4400, 4400, 4400, 4400]);
        // A receiver that was there for a while is not one that was not.
        demand.on_taken(start + 10 * SECOND);
        demand.on_refused(start + 12 * SECOND, LATER);
        assert_eq!(demand.probe_at(), Some(start + 12 * SECOND + PROBE));
    }

    #[test]
    fn who_comes_while_the_camera_sleeps_is_seen_where_the_one_before_has_gone() {
        let start = Instant::now();
        let mut demand = Demand::new(false, start);
        assert_eq!(demand.probe_at(), Some(start + 35 * SECOND));
        let now = start + 35 * SECOND;
        assert!(!demand.on_taken(now), "nobody new");
        assert!(!demand.is_wanted(now), "an open port is no demand");
        assert_eq!(demand.probe_at(), Some(now + 5 * SECOND));
        demand.on_refused(now + 5 * SECOND, LATER);
        assert!(demand.on_taken(now + 8 * SECOND));
        assert!(demand.is_wanted(now + 8 * SECOND));
    }
}
