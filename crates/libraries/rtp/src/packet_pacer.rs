//! When each packet of a frame goes. A frame's packets at once are more than the queues of small
//! switches hold: the frame is lost with one of them. So they are spread over half of the time
//! until the next frame, a few at a time.
//!
//! Who comes late does not catch up at once: that would be the burst that was to be avoided. Two
//! steps are never closer than 0.7 of their plan, from when one has left to when the next does; and
//! of a frame that comes late, so that the next one follows soon, neither is squeezed into that.

use std::time::{Duration, Instant};

/// A camera's frame rate before two frames are known: 30 a second.
const USUAL_INTERVAL: Duration = Duration::from_millis(33);

/// By how much the last interval counts in the mean of all: one late frame makes little of it, and
/// after four frames of a camera that has become faster most is known.
const INTERVAL_WEIGHT: f64 = 0.25;

/// Over how much of the time between two frames packets are spread. The other half is for those
/// that come late.
const SPREAD: f64 = 0.5;

/// More spreading would make slow cameras' frames old: it takes a frame of 100 KB less than 17
/// Mbit/s, which all links have that can do with such frames at all.
const LONGEST_SPREAD: Duration = Duration::from_millis(50);

/// Waits are no finer: timers of a millisecond would be late by as much as they wait. At 30 frames
/// a second of 100 KB it makes steps of 8 packets, or 11 KB.
const SHORTEST_GAP: Duration = Duration::from_micros(1500);

/// A step of fewer is not worth the wake-up.
const LEAST_PACKETS: usize = 4;

/// How much of a gap there is between two steps at least, whoever was late before.
const LEAST_OF_GAP: f64 = 0.7;

/// Paces the packets of one stream. For each frame: [`begin`](Self::begin), then
/// [`step`](Self::step) until it is [`PaceStep::Done`], and [`sent`](Self::sent) for each that was
/// sent.
#[derive(Clone, Debug, Default)]
pub struct PacketPacer {
    begun: Option<Instant>,
    /// From frame to frame, of late. None before the second.
    interval: Option<Duration>,
    left: usize,
    packets_a_step: usize,
    gap: Duration,
    /// When the next step was planned when the frame began, and when it may be at the earliest.
    planned: Option<Instant>,
    earliest: Option<Instant>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaceStep {
    /// Send so many packets, all at once, then ask again.
    Send(usize),
    /// Ask again then.
    Wait(Instant),
    /// All packets of the frame have gone.
    Done,
}

impl PacketPacer {
    /// Begins a frame of so many packets, and forgets what is left of the frame before. How often
    /// frames come is learnt from these calls.
    pub fn begin(&mut self, now: Instant, packets: usize) {
        self.interval = self
            .begun
            .map(|begun| self.mean_with(now.saturating_duration_since(begun)));
        let spread = self.interval.unwrap_or(USUAL_INTERVAL).mul_f64(SPREAD);
        let most_steps = (spread.as_secs_f64() / SHORTEST_GAP.as_secs_f64()).max(1.0);
        let packets_a_step = (packets as f64 / most_steps).ceil() as usize;
        self.packets_a_step = packets_a_step.max(LEAST_PACKETS);
        let steps = packets.div_ceil(self.packets_a_step).max(1);
        *self = Self {
            begun: Some(now),
            interval: self.interval,
            left: packets,
            packets_a_step: self.packets_a_step,
            gap: spread.div_f64(steps as f64),
            planned: None,
            earliest: None,
        };
    }

    /// Says what to do now.
    pub fn step(&mut self, now: Instant) -> PaceStep {
        if self.left == 0 {
            return PaceStep::Done;
        }
        let planned = self.planned.unwrap_or(now);
        let due = self
            .earliest
            .map_or(planned, |earliest| earliest.max(planned));
        if now < due {
            return PaceStep::Wait(due);
        }
        let packets = self.packets_a_step.min(self.left);
        self.left -= packets;
        self.planned = Some(planned + self.gap);
        self.sent(now);
        PaceStep::Send(packets)
    }

    /// The packets of a step have gone by now, which may be well after it was said that they may:
    /// others run on this machine, too.
    pub fn sent(&mut self, now: Instant) {
        self.earliest = Some(now + self.gap.mul_f64(LEAST_OF_GAP));
    }

    /// The mean interval, this one being the last. One of a nap is as long as any that counts.
    fn mean_with(&self, last: Duration) -> Duration {
        let last = last.min(LONGEST_SPREAD.div_f64(SPREAD));
        match self.interval {
            Some(mean) => mean.mul_f64(1.0 - INTERVAL_WEIGHT) + last.mul_f64(INTERVAL_WEIGHT),
            None => last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    /// Sends a frame, each wait being late by so much. Gives when how many packets went.
    fn frame(
        pacer: &mut PacketPacer,
        start: Instant,
        packets: usize,
        mut late: impl FnMut() -> Duration,
    ) -> Vec<(Duration, usize)> {
        let (mut now, mut steps) = (start, vec![]);
        pacer.begin(now, packets);
        loop {
            match pacer.step(now) {
                PaceStep::Send(count) => steps.push((now - start, count)),
                PaceStep::Wait(until) => {
                    assert!(until > now);
                    now = until + late();
                }
                PaceStep::Done => return steps,
            }
        }
    }

    /// A pacer that has seen frames come in this interval, and when the next one is due.
    fn after_frames(interval: Duration) -> (PacketPacer, Instant) {
        let (mut pacer, start) = (PacketPacer::default(), Instant::now());
        pacer.begin(start, 1);
        (pacer, start + interval)
    }

    fn total(steps: &[(Duration, usize)]) -> usize {
        steps.iter().map(|(_, count)| count).sum()
    }

    #[test]
    fn spreads_a_frame_over_half_of_the_interval() {
        let (mut pacer, start) = after_frames(FRAME);
        let steps = frame(&mut pacer, start, 81, || Duration::ZERO);
        assert_eq!(total(&steps), 81);
        assert!(steps.iter().all(|(_, count)| *count <= 8), "{steps:?}");
        let (last, _) = steps[steps.len() - 1];
        assert!(last <= FRAME / 2 && last >= FRAME * 2 / 5, "{last:?}");
        assert_eq!(
            steps[0].0,
            Duration::ZERO,
            "the first step waits for nothing"
        );
    }

    #[test]
    fn nobody_who_was_late_catches_up_at_once() {
        let (mut pacer, start) = after_frames(FRAME);
        let mut lateness = [0, 0, 8, 0].into_iter();
        let late = || Duration::from_millis(lateness.next().unwrap_or(0));
        let steps = frame(&mut pacer, start, 81, late);
        assert_eq!(total(&steps), 81);
        let gap = FRAME / 2 / u32::try_from(steps.len()).unwrap();
        for pair in steps.windows(2) {
            let between = pair[1].0 - pair[0].0;
            assert!(between >= gap.mul_f64(0.69), "{steps:?}");
        }
        // But by and by: what was 8 ms late ends less than 8 ms late.
        let (last, _) = steps[steps.len() - 1];
        assert!(last < FRAME / 2 + Duration::from_millis(6), "{last:?}");
    }

    #[test]
    fn a_step_that_leaves_late_is_not_followed_at_once() {
        let (mut pacer, start) = after_frames(FRAME);
        pacer.begin(start, 81);
        assert_eq!(pacer.step(start), PaceStep::Send(8));
        let PaceStep::Wait(due) = pacer.step(start) else {
            panic!("all at once");
        };
        assert_eq!(pacer.step(due), PaceStep::Send(8));
        // It went when the next was due, for something else ran meanwhile.
        let gone = due + (due - start);
        pacer.sent(gone);
        let PaceStep::Wait(next) = pacer.step(gone) else {
            panic!("two at once");
        };
        assert!(next - gone >= (due - start).mul_f64(0.69));
    }

    #[test]
    fn one_late_frame_makes_no_burst_of_the_next() {
        let (mut pacer, start) = after_frames(FRAME);
        let mut now = start;
        for _ in 0..10 {
            pacer.begin(now, 81);
            now += FRAME;
        }
        let late = now + FRAME * 9 / 10;
        for now in [late, now + FRAME] {
            let steps = frame(&mut pacer, now, 81, || Duration::ZERO);
            assert!(steps.iter().all(|(_, count)| *count <= 9), "{steps:?}");
            let (last, _) = steps[steps.len() - 1];
            assert!(last >= FRAME * 2 / 5, "{last:?}");
        }
    }

    #[test]
    fn a_camera_that_becomes_faster_is_followed() {
        let (mut pacer, mut now) = after_frames(Duration::from_secs(60));
        for number in 0..20 {
            let steps = frame(&mut pacer, now, 81, || Duration::ZERO);
            let (last, _) = steps[steps.len() - 1];
            assert!(last <= LONGEST_SPREAD);
            assert!(number < 4 || last < FRAME, "{number}: {last:?}");
            assert!(number < 15 || last < FRAME * 11 / 20, "{number}: {last:?}");
            now += FRAME;
        }
    }

    #[test]
    fn small_frames_go_in_steps_of_four() {
        let (mut pacer, start) = after_frames(FRAME);
        let steps = frame(&mut pacer, start, 9, || Duration::ZERO);
        let counts: Vec<usize> = steps.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [4, 4, 1]);
    }

    #[test]
    fn frames_of_slow_cameras_do_not_grow_old() {
        let (mut pacer, start) = after_frames(Duration::from_secs(10));
        let steps = frame(&mut pacer, start, 300, || Duration::ZERO);
        assert!(steps[steps.len() - 1].0 <= LONGEST_SPREAD);
    }

    #[test]
    fn frames_that_come_at_once_are_sent_nevertheless() {
        let (mut pacer, start) = after_frames(Duration::ZERO);
        assert_eq!(total(&frame(&mut pacer, start, 81, || Duration::ZERO)), 81);
        pacer.begin(start, 0);
        assert_eq!(pacer.step(start), PaceStep::Done);
    }

    #[test]
    fn a_new_frame_takes_the_place_of_what_is_left() {
        let mut pacer = PacketPacer::default();
        let start = Instant::now();
        pacer.begin(start, 81);
        assert!(matches!(pacer.step(start), PaceStep::Send(_)));
        pacer.begin(start + FRAME, 5);
        assert_eq!(pacer.step(start + FRAME), PaceStep::Send(4));
    }
}
