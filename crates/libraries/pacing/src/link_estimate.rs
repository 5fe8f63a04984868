//! What a client's path carries: the smaller of what the kernel says and what our own frames prove.
//!
//! The kernel measures round-trip time and delivery rate of every connection, and both can be out
//! of date for minutes. The smallest round-trip time stays in force for 300 s after the route has
//! become longer. The delivery rate is the highest of the last round trips; as a sender of frames
//! has nothing to send most of the time, the kernel does not replace it by a lower one (it calls
//! that *app-limited*). So one frame at a time is followed from the write to its last
//! acknowledgement, and where it takes much longer than the kernel's figures make it, what the
//! frame shows is used in their place.
//!
//! # The numbers
//!
//! Each has a test that fails if it is much smaller, and one that fails if it is much greater.
//!
//! - A: `tests::a_frame_that_takes_a_little_longer_than_the_kernel_says_raises_no_doubt`
//! - B: `tests::a_hiccup_of_a_computer_raises_no_doubt_and_a_late_frame_does`
//! - C: `tests::follows_within_a_few_frames_a_rate_that_becomes_a_little_lower`
//! - D: `tests::a_longer_round_trip_is_proved_by_two_frames_and_believed_for_a_while`
//! - E: `pacer::tests::a_far_client_that_keeps_up_is_not_held_back_by_what_is_under_way`
//! - F: `finds_out_that_the_path_has_become_longer_than_the_kernel_remembers`, of
//!   `simulation::direct`
//! - G: `lets_what_a_proxy_holds_run_low_and_never_out`, of `simulation::proxied`
//! - H: `follows_a_link_behind_a_proxy_that_fades_and_recovers`, of the same
//!
//! | number | smaller | greater |
//! | --- | --- | --- |
//! | [`DOUBT_FACTOR`] | A | A |
//! | [`JITTER`] | B | B |
//! | [`MIN_SAMPLE_SPAN`] | G | H |
//! | [`MEASURED_RATE_DECAY`] | F | C |
//! | [`TCP_INFO_VALID`] | E | E |
//! | [`RTT_OVERRIDE_VALID`] | D | D |
//! | [`MAX_WIRE_TIME`] | any bound will do | any will do |

use std::time::{Duration, Instant};

use crate::tcp_info::TcpInfo;
use crate::units::{Bytes, BytesPerSecond};

/// The kernel's figures are wrong if something takes longer than this many times what they make it,
/// and [`JITTER`] more.
const DOUBT_FACTOR: f64 = 1.5;
const JITTER: Duration = Duration::from_millis(20);

/// Acknowledgements arrive in bunches, so two samples closer together than this show no rate.
const MIN_SAMPLE_SPAN: Duration = Duration::from_millis(4);

/// What remains of a measured rate with each frame that shows a lower one.
const MEASURED_RATE_DECAY: f64 = 0.95;

/// How long what the kernel said is used without asking it again, while the client keeps up.
const TCP_INFO_VALID: Duration = Duration::from_secs(1);

/// How long a round-trip time that our own frames showed is used before the kernel's is trusted
/// again.
const RTT_OVERRIDE_VALID: Duration = Duration::from_secs(30);

/// No frame is expected to take longer on the wire than this, so that a rate near zero makes no
/// absurd deadline.
const MAX_WIRE_TIME: Duration = Duration::from_secs(60);

/// How many bytes the peer had acknowledged in all at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckSample {
    pub(crate) at: Instant,
    pub(crate) acknowledged_bytes: u64,
}

impl AckSample {
    /// The rate from here to a later sample; `None` if nothing was acknowledged or the time is too
    /// short to tell.
    pub(crate) fn rate_to(self, later: Self) -> Option<BytesPerSecond> {
        let time = later.at - self.at;
        let bytes = later
            .acknowledged_bytes
            .saturating_sub(self.acknowledged_bytes);
        (time >= MIN_SAMPLE_SPAN && bytes > 0).then(|| Bytes::from(bytes) / time)
    }
}

/// What is believed of the path of one connection.
#[derive(Debug, Default)]
pub(crate) struct LinkEstimate {
    /// What the kernel said last, and when.
    tcp_info: Option<(Instant, TcpInfo)>,
    /// The frame that is followed, if one is.
    timed_frame: Option<TimedFrame>,
    /// The rate that the last frames were acknowledged at, where the path decided it.
    measured_rate: Option<BytesPerSecond>,
    /// A frame has been late by the kernel's rate, so the measured one is used even if it is lower.
    doubts_kernel_rate: bool,
    /// The round-trip time that frames have shown where the kernel's is too short, and when they
    /// did.
    rtt_override: Option<(Instant, Duration)>,
    /// What the last frame alone has shown of the same: a second one must confirm it, for one may
    /// have met with a hiccup.
    rtt_suspicion: Option<Duration>,
}

/// A frame that is followed from its write to its last acknowledgement.
#[derive(Clone, Copy, Debug)]
struct TimedFrame {
    /// What was acknowledged when it was written.
    start: AckSample,
    /// The bytes acknowledged in all once all before this frame is, and once this frame is.
    first_byte: u64,
    end_byte: u64,
    /// The sample with which the first of its own bytes were seen to be acknowledged.
    first_ack: Option<AckSample>,
    /// When the kernel's figures are in doubt, unless all of it is acknowledged by then.
    due: Instant,
    /// The pacer has had to wait for it, so the path and not the camera decides how fast it goes.
    is_backlogged: bool,
    /// How long it has lain unanswered, as long as nothing has been acknowledged since its write.
    /// `None` once something has, and from the start if other bytes were under way.
    unanswered_for: Option<Duration>,
}

impl LinkEstimate {
    /// The kernel was asked.
    pub(crate) fn on_tcp_info(&mut self, now: Instant, tcp_info: TcpInfo) {
        self.tcp_info = Some((now, tcp_info));
    }

    /// A frame was written: `bytes` after `written_before` others, of which `unacknowledged_bytes`
    /// were still under way at `start`. It is followed unless another one is, or nothing is known
    /// that it could be compared with.
    pub(crate) fn on_write(
        &mut self,
        start: AckSample,
        unacknowledged_bytes: u64,
        written_before: u64,
        bytes: u64,
    ) {
        if let (None, Some((_, tcp_info))) = (self.timed_frame, self.tcp_info) {
            let expected = self.expected(tcp_info, start.at, unacknowledged_bytes + bytes);
            self.timed_frame = Some(TimedFrame {
                start,
                first_byte: written_before,
                end_byte: written_before + bytes,
                first_ack: None,
                due: start.at + expected.mul_f64(DOUBT_FACTOR) + JITTER,
                is_backlogged: false,
                unanswered_for: (unacknowledged_bytes == 0).then_some(Duration::ZERO),
            });
        }
    }

    /// The pacer waits for acknowledgements before it sends more.
    pub(crate) fn on_backlog(&mut self) {
        if let Some(frame) = &mut self.timed_frame {
            frame.is_backlogged = true;
        }
    }

    /// Compares the followed frame's way so far with what the kernel's figures make it.
    pub(crate) fn on_ack(&mut self, sample: AckSample) {
        let (Some(mut frame), Some((_, tcp_info))) = (self.timed_frame, self.tcp_info) else {
            return;
        };
        if sample.acknowledged_bytes > frame.start.acknowledged_bytes {
            if let Some(unanswered_for) = frame.unanswered_for.take() {
                self.judge_round_trip(unanswered_for, tcp_info, sample.at);
                // What the frame waited for its first answer says how long the path is, not how
                // fast: it is no reason to doubt the rate.
                frame.due += unanswered_for;
            }
        } else if let Some(unanswered_for) = &mut frame.unanswered_for {
            *unanswered_for = sample.at - frame.start.at;
        }
        if sample.acknowledged_bytes > frame.first_byte {
            frame.first_ack.get_or_insert(sample);
        }
        let is_done = sample.acknowledged_bytes >= frame.end_byte;
        // From its first acknowledgement on, not from its write: the time before that is the round
        // trip.
        let rate = frame.first_ack.and_then(|first| first.rate_to(sample));
        match rate {
            Some(rate) if sample.at > frame.due => {
                self.measured_rate = Some(rate);
                self.doubts_kernel_rate = true;
            }
            Some(rate) if frame.is_backlogged && is_done => {
                // An idle link between frames makes a measured rate too low, never too high. So a
                // higher one is taken at once, and a lower one a little at a time.
                let before = self.measured_rate.unwrap_or_default();
                self.measured_rate = Some(rate.max(before * MEASURED_RATE_DECAY));
            }
            _ if is_done => {
                // It went as fast as the kernel said, or faster than the pacer could look.
                self.measured_rate = None;
                self.doubts_kernel_rate = false;
            }
            _ => {}
        }
        self.timed_frame = (!is_done).then_some(frame);
    }

    /// Takes the followed frame for acknowledged, for the rest of it will not be looked at.
    pub(crate) fn end_frame(&mut self, sample: AckSample) {
        if let Some(frame) = &mut self.timed_frame {
            frame.end_byte = frame.end_byte.min(sample.acknowledged_bytes);
            self.on_ack(sample);
        }
    }

    /// Takes the kernel's smallest round-trip time for outdated when two frames in a row, each
    /// alone on its way, were not answered within it. A near peer that does not answer is no long
    /// path: it is a proxy whose buffers are full.
    fn judge_round_trip(&mut self, unanswered_for: Duration, tcp_info: TcpInfo, now: Instant) {
        let explained = tcp_info.min_rtt.mul_f64(DOUBT_FACTOR) + JITTER;
        if tcp_info.is_near() || unanswered_for <= explained {
            (self.rtt_override, self.rtt_suspicion) = (None, None);
        } else if let Some(before) = self.rtt_suspicion.replace(unanswered_for) {
            self.rtt_override = Some((now, unanswered_for.min(before)));
        }
    }

    /// How long the followed frame has lain unanswered, with nothing else under way; `None` if that
    /// says nothing, and zero until somebody has looked.
    pub(crate) fn unanswered_for(&self) -> Option<Duration> {
        self.timed_frame.and_then(|frame| frame.unanswered_for)
    }

    /// Says whether the kernel has been asked lately.
    pub(crate) fn is_recent(&self, now: Instant) -> bool {
        self.tcp_info
            .is_some_and(|(asked, _)| now - asked <= TCP_INFO_VALID)
    }

    /// The round-trip time; `None` before the kernel has been asked.
    pub(crate) fn known_round_trip(&self, now: Instant) -> Option<Duration> {
        self.tcp_info
            .map(|(_, tcp_info)| self.round_trip(tcp_info, now))
    }

    /// The path's bandwidth-delay product: what is under way in it when it is busy and nothing
    /// waits. Zero if nothing is known.
    pub(crate) fn bdp_bytes(&self, now: Instant) -> u64 {
        self.tcp_info.map_or(0, |(_, tcp_info)| {
            let round_trip = self.round_trip(tcp_info, now);
            self.rate(tcp_info).bytes_in(round_trip).whole()
        })
    }

    /// What the path carries in a time; nothing if nothing is known.
    pub(crate) fn bytes_in(&self, time: Duration) -> u64 {
        self.tcp_info.map_or(0, |(_, tcp_info)| {
            self.rate(tcp_info).bytes_in(time).whole()
        })
    }

    /// The path's rate.
    pub(crate) fn rate(&self, tcp_info: TcpInfo) -> BytesPerSecond {
        match self.measured_rate {
            Some(measured) if self.doubts_kernel_rate => measured,
            Some(measured) => measured.max(tcp_info.delivery_rate),
            None => tcp_info.delivery_rate,
        }
    }

    fn round_trip(&self, tcp_info: TcpInfo, now: Instant) -> Duration {
        self.rtt_override
            .filter(|(shown, _)| now - *shown <= RTT_OVERRIDE_VALID)
            .map_or(tcp_info.min_rtt, |(_, round_trip)| {
                round_trip.max(tcp_info.min_rtt)
            })
    }

    /// How long so many bytes take until the last of them is acknowledged, by what is believed of
    /// the path.
    fn expected(&self, tcp_info: TcpInfo, now: Instant, bytes: u64) -> Duration {
        let wire_time = self.rate(tcp_info).time_for(Bytes::from(bytes));
        self.round_trip(tcp_info, now) + wire_time.min(MAX_WIRE_TIME)
    }
}

#[cfg(test)]
mod tests;
