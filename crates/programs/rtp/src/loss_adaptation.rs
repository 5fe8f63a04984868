//! Which rendition a destination gets whose receivers report loss: a smaller one while packets are
//! lost, and a larger one again when they no longer are.
//!
//! A single lost packet costs a frame, and a burst of them says nothing of the path: two reports of
//! one receiver in a row do. In a group each counts by itself, so that neither those that lose
//! nothing hide one that does, nor two that have lost a packet each are taken for one. Whether more
//! would arrive is only found out by sending more; where that failed, the next try waits longer.

use std::time::{Duration, Instant};

use eyelid_config::RtpSize;

/// The renditions, each with fewer bytes than the one before.
const RUNGS: [RtpSize; 4] = [
    RtpSize::Current,
    RtpSize::Low,
    RtpSize::Half,
    RtpSize::Quarter,
];

/// The share of lost packets above which a path is taken for too narrow: of frames of 80 packets
/// four in five are torn then.
const LOSSY: f64 = 0.02;

/// Receivers of which more is remembered than what is sent: as many as are told apart.
const MOST_RECEIVERS: usize = 64;

/// How long nothing may be lost before a larger rendition is tried, for the first time and at most.
const FIRST_CLEAN: Duration = Duration::from_secs(15);
const LONGEST_CLEAN: Duration = Duration::from_secs(240);

/// A larger rendition has failed if there is loss so soon after it: three reports come within.
const TRIAL: Duration = Duration::from_secs(20);

/// Decides for one destination.
#[derive(Clone, Debug)]
pub(crate) struct LossAdaptation {
    /// The largest that is sent.
    largest: usize,
    rung: usize,
    /// The receivers whose last report told of loss, by SSRC; the one whose is the oldest first.
    lossy: Vec<u32>,
    /// Since when nothing was lost.
    clean_since: Option<Instant>,
    /// How long nothing may be lost before the next try.
    clean_for: Duration,
    tried: Option<Instant>,
}

impl LossAdaptation {
    /// Begins with this rendition, than which none that is sent is larger.
    pub(crate) fn new(largest: RtpSize) -> Self {
        let rung = RUNGS.iter().position(|rung| *rung == largest);
        let rung = rung.unwrap_or_default();
        Self {
            largest: rung,
            rung,
            lossy: Vec::new(),
            clean_since: None,
            clean_for: FIRST_CLEAN,
            tried: None,
        }
    }

    /// What is to be sent.
    pub(crate) fn size(&self) -> RtpSize {
        RUNGS[self.rung]
    }

    /// A receiver has reported that this share of the packets since its last report was lost, 0 to
    /// 1.
    pub(crate) fn on_report(&mut self, receiver: u32, lost: f64, now: Instant) {
        let before = self.lossy.iter().position(|it| *it == receiver);
        if let Some(at) = before {
            self.lossy.remove(at);
        }
        if lost > LOSSY {
            self.clean_since = None;
            if before.is_some() {
                return self.step_down(now);
            }
            if self.lossy.len() == MOST_RECEIVERS {
                self.lossy.remove(0);
            }
            self.lossy.push(receiver);
            return;
        }
        let since = *self.clean_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= self.clean_for && self.rung > self.largest {
            self.rung -= 1;
            self.clean_since = None;
            self.tried = Some(now);
        }
    }

    fn step_down(&mut self, now: Instant) {
        self.lossy.clear();
        self.rung = (self.rung + 1).min(RUNGS.len() - 1);
        let tried = self.tried.take();
        self.clean_for = if tried.is_some_and(|tried| now.saturating_duration_since(tried) < TRIAL)
        {
            (self.clean_for * 2).min(LONGEST_CLEAN)
        } else {
            FIRST_CLEAN
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: Duration = Duration::from_secs(5);

    /// A path that carries these renditions; gives what was sent after each report.
    fn sizes(
        adaptation: &mut LossAdaptation,
        start: Instant,
        carries: &[RtpSize],
        reports: u32,
    ) -> Vec<RtpSize> {
        (0..reports)
            .map(|report| {
                let lost = if carries.contains(&adaptation.size()) {
                    0.0
                } else {
                    0.2
                };
                adaptation.on_report(1, lost, start + REPORT * report);
                adaptation.size()
            })
            .collect()
    }

    #[test]
    fn a_narrow_path_gets_what_it_carries_and_a_wide_one_all() {
        use RtpSize::{Current, Half, Low, Quarter};
        let (mut adaptation, start) = (LossAdaptation::new(Current), Instant::now());
        let narrow = sizes(&mut adaptation, start, &[Half, Quarter], 4);
        assert_eq!(narrow, [Current, Low, Low, Half]);
        let wide = sizes(&mut adaptation, start + REPORT * 4, &RUNGS, 20);
        assert_eq!(wide.last(), Some(&Current));
        assert!(wide.contains(&Low), "it goes step by step");
    }

    #[test]
    fn tries_that_fail_become_rare() {
        use RtpSize::{Current, Low};
        let (mut adaptation, start) = (LossAdaptation::new(Current), Instant::now());
        let carries = [Low, RtpSize::Half, RtpSize::Quarter];
        let sent = sizes(&mut adaptation, start, &carries, 120);
        let of_current = sent[2..].iter().filter(|size| **size == Current).count();
        // In ten minutes: after 15, 30, 60, 120 and 240 s, for two reports each.
        assert_eq!(of_current, 10, "{sent:?}");
        assert!(!sent.contains(&RtpSize::Half));
    }

    #[test]
    fn a_lost_packet_now_and_then_changes_nothing() {
        let (mut adaptation, start) = (LossAdaptation::new(RtpSize::Half), Instant::now());
        for report in 0..100 {
            let lost = if report % 2 == 0 { 0.1 } else { 0.0 };
            adaptation.on_report(1, lost, start + REPORT * report);
            assert_eq!(adaptation.size(), RtpSize::Half);
        }
        // Nor is anything larger sent than was configured.
        sizes(&mut adaptation, start + REPORT * 100, &RUNGS, 100);
        assert_eq!(adaptation.size(), RtpSize::Half);
    }

    #[test]
    fn each_receiver_of_a_group_counts_by_itself() {
        use RtpSize::{Current, Low};
        let start = Instant::now();
        let sent = |reports: &[(u32, f64)]| {
            let mut adaptation = LossAdaptation::new(Current);
            for (receiver, lost) in reports {
                adaptation.on_report(*receiver, *lost, start);
            }
            adaptation.size()
        };
        assert_eq!(sent(&[(1, 0.2), (2, 0.0), (3, 0.0), (1, 0.2)]), Low);
        // One that has gone says nothing more, whatever the others say.
        assert_eq!(sent(&[(1, 0.2), (2, 0.0), (3, 0.0), (2, 0.0)]), Current);
        // Each has lost something once.
        assert_eq!(sent(&[(1, 0.2), (2, 0.2), (3, 0.2)]), Current);
        // After the first step each is to say so anew.
        let all = [(1, 0.2), (2, 0.2), (1, 0.2), (2, 0.2), (1, 0.2)];
        assert_eq!(sent(&all), Low);
        // Strangers take no more memory than there is for them.
        let mut adaptation = LossAdaptation::new(Current);
        (0..1000).for_each(|receiver| adaptation.on_report(receiver, 0.2, start));
        assert_eq!((adaptation.lossy.len(), adaptation.size()), (64, Current));
    }
}
