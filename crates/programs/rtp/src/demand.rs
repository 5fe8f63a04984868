//! Whether a destination is sent to: while its receivers report, or always, and not while nobody
//! takes anything there.
//!
//! What is sent to an address is no proof that somebody looks, so a camera would never sleep. The
//! reports of RFC 3550 are one: receivers send them every few seconds for as long as they play. A
//! destination is sent to for a while without one when it is new, for some receivers report only
//! what they have received.

use std::time::{Duration, Instant};

/// For how long a report holds, and the beginning: receivers report every 5 s as a rule (RFC 3550,
/// section 6.2), and ffmpeg once in 280 KB.
const REPORT_HOLDS: Duration = Duration::from_secs(30);

/// For how long nothing may be refused before somebody is taken to be there again: a host's refusal
/// comes within a round trip, that of the network when it has looked for the host for 3 s.
const REFUSAL_COMES: Duration = Duration::from_secs(4);

/// The demand of one destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    always: bool,
    wanted_until: Instant,
    refused: Option<Refused>,
}

/// What is known since a packet was refused.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// When the first one went that was not refused as yet.
    probed: Option<Instant>,
}

impl Demand {
    /// That of a new destination; one that is sent to `always` needs no reports.
    pub(crate) fn new(always: bool, now: Instant) -> Self {
        Self {
            always,
            wanted_until: now + REPORT_HOLDS,
            refused: None,
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

    /// Says whether nobody takes what is sent.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// A receiver has reported.
    pub(crate) fn on_report(&mut self, now: Instant) {
        self.refused = None;
        self.wanted_until = now + REPORT_HOLDS;
    }

    /// A packet was refused, by the host or by the network.
    pub(crate) fn on_refused(&mut self) {
        self.refused = Some(Refused { probed: None });
    }

    /// A packet went to find out whether somebody is there, and the one before was not refused.
    pub(crate) fn on_probe(&mut self, now: Instant) {
        let Some(refused) = &mut self.refused else {
            return;
        };
        let probed = *refused.probed.get_or_insert(now);
        if now.saturating_duration_since(probed) > REFUSAL_COMES {
            self.on_report(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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
        assert_eq!(demand.wanted_until(), None);
        demand.on_refused();
        assert!(!demand.is_wanted(start));
    }

    #[test]
    fn a_receiver_is_back_when_probes_are_no_longer_refused() {
        let start = Instant::now();
        for always in [true, false] {
            let mut demand = Demand::new(always, start);
            let at = |seconds| start + seconds * SECOND;
            demand.on_refused();
            for probed in [105, 110, 115] {
                demand.on_probe(at(probed));
                assert!(!demand.is_wanted(at(probed)));
                demand.on_refused();
            }
            demand.on_probe(at(120));
            assert!(
                !demand.is_wanted(at(120)),
                "nothing is known of the first one yet"
            );
            demand.on_probe(at(125));
            assert!(demand.is_wanted(at(125)));
        }
    }
}
