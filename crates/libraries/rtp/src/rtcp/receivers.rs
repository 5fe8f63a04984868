//! What receivers say of a stream. Anybody can send such reports: they are bounded in number, and
//! what they say is checked against what was sent.

use std::time::{Duration, Instant};

use rtcp_types::{Compound, Fir, Packet, PayloadFeedback, Pli, ReportBlock, RtcpParseError};

use crate::clock::Ntp;
use crate::packetizer::StreamPosition;

/// More than the receivers of a group whose figures anybody reads. Any further one is not told
/// apart, but still somebody who listens.
const MOST_RECEIVERS: usize = 64;

/// Who has not been heard for so long is gone: five intervals of reports, and one more (RFC 3550,
/// §6.3.5).
const GONE_AFTER: Duration = Duration::from_secs(30);

/// As many of our reports are known again: at 5 s each, longer than a receiver is not gone.
const REMEMBERED_REPORTS: usize = 8;

/// A packet of more is not read: reports on 31 streams and a name have less than half of that.
pub(super) const MOST_BYTES: usize = 2048;

/// What no receiver measures who still listens.
const MOST_DELAY: Duration = Duration::from_secs(30);

/// All that is known of a stream's receivers.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    receivers: Vec<Receiver>,
    /// Of the last reports sent, the middle bits of their time; the newest comes last.
    reports: Vec<u32>,
    packets_lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Receiver {
    ssrc: u32,
    heard: Instant,
    /// `None` before it has had a packet of ours.
    reception: Option<Reception>,
    /// The highest sequence number that it has had then, with how often the numbers began anew.
    highest: Option<u32>,
    /// The most packets that it has said it lost: so many are counted.
    lost_counted: i32,
}

/// How a stream arrives, by a receiver's last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reception {
    /// The receiver's SSRC.
    pub receiver: u32,
    /// Of the packets since the report before, the share that was lost: 0 to 1.
    pub fraction_lost: f64,
    /// Packets lost since the receiver began; less than 0 if more came twice than were lost.
    pub packets_lost: i32,
    /// By how much the time that packets take varies.
    pub jitter: Duration,
    /// How long a packet takes there and back. `None` before our report has come back.
    pub round_trip: Option<Duration>,
}

/// What a packet of reports came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Somebody listens: there was a report, though perhaps on nothing.
    pub listens: bool,
    /// Reports on our stream that could be true.
    pub receptions: usize,
    /// Of those that tell of packets not told of before, the one with the largest share lost.
    pub news: Option<Reception>,
    /// Somebody has said that it leaves.
    pub left: bool,
    /// Somebody who listens has our stream's own SSRC (RFC 3550, §8.2).
    pub collides: bool,
    /// Somebody lacks something of a picture: it has said so (PLI, FIR), or that packets were lost
    /// since its last report.
    pub wants_key: bool,
}

/// Why a packet is no reports.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// Its parts do not fit together.
    #[error("broken RTCP ({0})")]
    Broken(RtcpParseError),
    /// Longer than reports of a few streams are.
    #[error("RTCP of {0} bytes, and {MOST_BYTES} are read")]
    TooLong(usize),
}

/// A packet's way to us.
struct Arrival {
    stream: StreamPosition,
    time: Ntp,
    now: Instant,
}

impl Receivers {
    /// Notes that a report went out, whose time receivers will quote.
    pub fn on_report_sent(&mut self, time: Ntp) {
        if self.reports.len() == REMEMBERED_REPORTS {
            self.reports.remove(0);
        }
        self.reports.push(time.middle());
    }

    /// Reads a packet that came for a stream; `time` and `now` are both this moment. What stands
    /// behind a broken part of it is left out.
    ///
    /// # Errors
    /// Why it is none. Nothing of it is taken then.
    pub fn on_packet(
        &mut self,
        packet: &[u8],
        stream: StreamPosition,
        time: Ntp,
        now: Instant,
    ) -> Result<Heard, RtcpError> {
        if packet.len() > MOST_BYTES {
            return Err(RtcpError::TooLong(packet.len()));
        }
        let parts = Compound::parse(packet).map_err(RtcpError::Broken)?;
        let arrival = Arrival { stream, time, now };
        let mut heard = Heard::default();
        self.forget_those_gone(now);
        for part in parts.map_while(Result::ok) {
            match part {
                Packet::Rr(report) => {
                    self.on_report(report.ssrc(), report.report_blocks(), &arrival, &mut heard);
                }
                Packet::Sr(report) => {
                    self.on_report(report.ssrc(), report.report_blocks(), &arrival, &mut heard);
                }
                Packet::Bye(bye) => {
                    heard.left = true;
                    let has_left = |it: &Receiver| bye.ssrcs().any(|ssrc| ssrc == it.ssrc);
                    self.receivers.retain(|receiver| !has_left(receiver));
                }
                Packet::PayloadFeedback(feedback) => {
                    heard.wants_key |= asks_for_key(&feedback, stream.ssrc);
                }
                _ => {}
            }
        }
        heard.wants_key |= heard.news.is_some_and(|news| news.fraction_lost > 0.0);
        Ok(heard)
    }

    /// When somebody was last heard who has not left since.
    pub fn last_heard(&self) -> Option<Instant> {
        self.receivers.iter().map(|receiver| receiver.heard).max()
    }

    /// How many there are, also of those that have had nothing yet.
    pub fn count(&self, now: Instant) -> usize {
        self.listening(now).count()
    }

    /// How many packets all that there have ever been say they lost. It never becomes less.
    pub fn packets_lost(&self) -> u64 {
        self.packets_lost
    }

    /// How the stream arrives at each that has had something of it.
    pub fn receptions(&self, now: Instant) -> impl Iterator<Item = &Reception> {
        self.listening(now).filter_map(|it| it.reception.as_ref())
    }

    /// The reception with the largest share lost.
    pub fn worst(&self, now: Instant) -> Option<&Reception> {
        self.receptions(now)
            .max_by(|one, other| one.fraction_lost.total_cmp(&other.fraction_lost))
    }

    fn listening(&self, now: Instant) -> impl Iterator<Item = &Receiver> {
        self.receivers.iter().filter(move |it| !it.is_gone(now))
    }

    fn forget_those_gone(&mut self, now: Instant) {
        self.receivers.retain(|receiver| !receiver.is_gone(now));
    }

    fn on_report<'b>(
        &mut self,
        ssrc: u32,
        blocks: impl Iterator<Item = ReportBlock<'b>>,
        arrival: &Arrival,
        heard: &mut Heard,
    ) {
        heard.listens = true;
        heard.collides |= ssrc == arrival.stream.ssrc;
        let about_us = blocks.filter(|block| block.ssrc() == arrival.stream.ssrc);
        let block = about_us
            .filter(|block| could_be_true(block, arrival.stream))
            .last();
        let reception = (block.as_ref()).map(|block| self.reception(ssrc, block, arrival));
        heard.receptions += usize::from(reception.is_some());
        let Some(receiver) = self.receiver(ssrc, arrival.now) else {
            return;
        };
        receiver.reception = reception.or(receiver.reception);
        let highest = block.map(|block| block.extended_sequence_number());
        let is_news = highest.is_some() && highest != receiver.highest;
        receiver.highest = highest.or(receiver.highest);
        let newly_lost = receiver.newly_lost();
        self.packets_lost += newly_lost;
        let worst = heard.news.map_or(-1.0, |news| news.fraction_lost);
        if let Some(news) = reception.filter(|it| is_news && it.fraction_lost > worst) {
            heard.news = Some(news);
        }
    }

    /// Gives what is known of a receiver that was heard just now, if there is room for it.
    fn receiver(&mut self, ssrc: u32, now: Instant) -> Option<&mut Receiver> {
        let known = self.receivers.iter().position(|it| it.ssrc == ssrc);
        let at = match known {
            Some(at) => at,
            None if self.receivers.len() == MOST_RECEIVERS => return None,
            None => {
                self.receivers.push(Receiver {
                    ssrc,
                    heard: now,
                    reception: None,
                    highest: None,
                    lost_counted: 0,
                });
                self.receivers.len() - 1
            }
        };
        let receiver = &mut self.receivers[at];
        receiver.heard = now;
        Some(receiver)
    }

    fn reception(&self, receiver: u32, block: &ReportBlock<'_>, arrival: &Arrival) -> Reception {
        // 24 bits with a sign.
        let lost = (block.cumulative_lost() << 8).cast_signed() >> 8;
        let sent = i32::try_from(arrival.stream.sent.packets).unwrap_or(i32::MAX);
        Reception {
            receiver,
            fraction_lost: f64::from(block.fraction_lost()) / 256.0,
            packets_lost: lost.clamp(-sent, sent),
            jitter: Duration::from_secs_f64(f64::from(block.interarrival_jitter()) / 90_000.0)
                .min(MOST_DELAY),
            round_trip: self.round_trip(block, arrival.time),
        }
    }

    /// Since our report went out, without the time for which the receiver had it (RFC 3550,
    /// §6.4.1).
    fn round_trip(&self, block: &ReportBlock<'_>, time: Ntp) -> Option<Duration> {
        let quoted = block.last_sender_report_timestamp();
        if !self.reports.contains(&quoted) {
            return None;
        }
        let held = block.delay_since_last_sender_report_timestamp();
        let passed = time.middle().wrapping_sub(quoted).wrapping_sub(held);
        // The receiver's clock may run faster: less than nothing is nothing.
        let passed_s = f64::from(passed.cast_signed()) / 65_536.0;
        let round_trip = Duration::from_secs_f64(passed_s.max(0.0));
        (round_trip <= MOST_DELAY).then_some(round_trip)
    }
}

/// A receiver has lost a picture (PLI, RFC 4585, §6.3.1), or would begin (FIR, RFC 5104, §4.3.1).
fn asks_for_key(feedback: &PayloadFeedback<'_>, ssrc: u32) -> bool {
    if feedback.parse_fci::<Pli<'_>>().is_ok() {
        return feedback.media_ssrc() == ssrc;
    }
    let fir = feedback.parse_fci::<Fir<'_>>();
    fir.is_ok_and(|fir| fir.entries().any(|entry| entry.ssrc() == ssrc))
}

/// A receiver has had the packet that it says is the last, so it must have been sent.
fn could_be_true(block: &ReportBlock<'_>, stream: StreamPosition) -> bool {
    // The upper half counts how often the lower has begun anew, as the receiver sees it.
    let received = block.extended_sequence_number() as u16;
    let ago = stream.next_sequence.wrapping_sub(1).wrapping_sub(received);
    u32::from(ago) < stream.sent.packets
}

impl Receiver {
    /// Packets that were lost and not counted yet. What came twice makes none of them good.
    fn newly_lost(&mut self) -> u64 {
        let lost = self.reception.map_or(0, |it| it.packets_lost);
        let before = self.lost_counted;
        self.lost_counted = before.max(lost);
        u64::from(before.abs_diff(self.lost_counted))
    }

    fn is_gone(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) > GONE_AFTER
    }
}

#[cfg(test)]
mod tests;
