//! What receivers say of a stream. Anybody can send such reports: they are bounded in number, and
//! what they say is checked against what was sent.

use std::time::{Duration, Instant};

use rtcp_types::{Compound, Packet, ReportBlock, RtcpParseError};

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
const MOST_BYTES: usize = 2048;

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
                _ => {}
            }
        }
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
mod tests {
    use super::*;
    use crate::packetizer::Packetizer;
    use crate::packetizer::{Framing, PacketBytes, Stream};
    use crate::{JpegPayload, clock::Ntp};
    use eyelid_replay::case;
    use rtcp_types::{ReceiverReport, ReportBlockBuilder, RtcpPacketWriterExt};

    const OURS: u32 = 7;
    const THEIRS: u32 = 8;

    /// The numbers of our report's time: 1000.5 s.
    const REPORTED: Ntp = Ntp(0x0000_03E8_8000_0000);

    /// A stream that has sent three packets: 65535, 0 and 1.
    fn stream() -> StreamPosition {
        let stream = Stream {
            ssrc: OURS,
            payload_type: 26,
            first_sequence: u16::MAX,
        };
        let mut stream = Packetizer::new(stream, PacketBytes::default(), Framing::Datagrams);
        let payload = JpegPayload::of(case!("jpeg-420")).unwrap();
        for timestamp_90k in 0..3 {
            assert_eq!(stream.jpeg(&payload, timestamp_90k).len(), 1);
        }
        stream.position()
    }

    fn block() -> ReportBlockBuilder {
        ReportBlock::builder(OURS).extended_sequence_number(0x1_0001)
    }

    fn packet(from: u32, blocks: impl IntoIterator<Item = ReportBlockBuilder>) -> Vec<u8> {
        let report = blocks
            .into_iter()
            .fold(ReceiverReport::builder(from), |report, block| {
                report.add_report_block(block)
            });
        let mut bytes = vec![0; 2000];
        let length = report.write_into(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    fn only(blocks: impl IntoIterator<Item = ReportBlockBuilder>) -> Option<Reception> {
        let (mut receivers, now) = (Receivers::default(), Instant::now());
        receivers.on_report_sent(REPORTED);
        let packet = packet(THEIRS, blocks);
        let time = Ntp(REPORTED.0 + (3 << 32));
        let heard = receivers.on_packet(&packet, stream(), time, now).unwrap();
        assert!(heard.listens && !heard.left);
        assert_eq!(heard.receptions, receivers.receptions(now).count());
        receivers.worst(now).copied()
    }

    #[test]
    fn tells_how_a_stream_arrives() {
        // It had our report for 2.75 of 3 seconds.
        let block = block()
            .fraction_lost(64)
            .cumulative_lost(2)
            .interarrival_jitter(900)
            .last_sender_report_timestamp(REPORTED.middle())
            .delay_since_last_sender_report_timestamp(0x2_C000);
        let expected = Reception {
            receiver: THEIRS,
            fraction_lost: 0.25,
            packets_lost: 2,
            jitter: Duration::from_millis(10),
            round_trip: Some(Duration::from_millis(250)),
        };
        assert_eq!(only([block]), Some(expected));
    }

    #[test]
    fn counts_each_lost_packet_once_whoever_lost_it() {
        let (mut receivers, now) = (Receivers::default(), Instant::now());
        let mut counted = |from, lost: u32| {
            let packet = packet(from, [block().cumulative_lost(lost)]);
            receivers
                .on_packet(&packet, stream(), REPORTED, now)
                .unwrap();
            receivers.packets_lost()
        };
        assert_eq!([counted(1, 1), counted(1, 1), counted(1, 2)], [1, 1, 2]);
        // Less than nothing, in 24 bits: more came than were sent.
        assert_eq!([counted(1, 0xFF_FFFF), counted(1, 2)], [2, 2]);
        assert_eq!([counted(2, 3), counted(1, 3)], [5, 6]);
    }

    #[test]
    fn a_report_is_news_once() {
        let (mut receivers, now) = (Receivers::default(), Instant::now());
        let mut news = |from, blocks: &[(u32, u8)]| {
            let blocks = blocks.iter().map(|(highest, lost)| {
                let block = ReportBlock::builder(OURS).extended_sequence_number(*highest);
                block.fraction_lost(*lost)
            });
            let packet = packet(from, blocks);
            let heard = receivers.on_packet(&packet, stream(), REPORTED, now);
            heard
                .unwrap()
                .news
                .map(|it| (it.receiver, it.fraction_lost))
        };
        assert_eq!(news(1, &[(0x1_0000, 64)]), Some((1, 0.25)));
        // What it said is known still, but neither nothing nor the same is said anew.
        assert_eq!([news(1, &[]), news(1, &[(0x1_0000, 64)])], [None, None]);
        assert_eq!(news(2, &[(0x1_0000, 0)]), Some((2, 0.0)));
        assert_eq!(news(1, &[(0x1_0001, 0)]), Some((1, 0.0)));
    }

    #[test]
    fn bounds_what_cannot_be() {
        let absurd = only([block()
            .cumulative_lost(0x7F_FFFF)
            .interarrival_jitter(u32::MAX)
            .last_sender_report_timestamp(REPORTED.middle() + 1)]);
        let absurd = absurd.unwrap();
        assert_eq!(absurd.packets_lost, 3);
        assert_eq!(absurd.jitter, MOST_DELAY);
        assert_eq!(absurd.round_trip, None, "we never sent such a report");
        let twice = only([block().cumulative_lost(0xFF_FFFF)]).unwrap();
        assert_eq!(twice.packets_lost, -1);
        // Held for longer than it can have had it.
        let fast = only([block()
            .last_sender_report_timestamp(REPORTED.middle())
            .delay_since_last_sender_report_timestamp(0x3_0100)]);
        assert_eq!(fast.unwrap().round_trip, Some(Duration::ZERO));
        for unsent in [2, 0xFFFE, 0x8000] {
            let block = ReportBlock::builder(OURS).extended_sequence_number(unsent);
            assert_eq!(only([block]), None, "{unsent}");
        }
        let other = ReportBlock::builder(OURS + 1).extended_sequence_number(1);
        assert_eq!(only([other]), None);
    }

    #[test]
    fn who_listens_before_anything_was_sent_is_heard() {
        let (mut receivers, now) = (Receivers::default(), Instant::now());
        let nothing = packet(THEIRS, []);
        let heard = receivers.on_packet(&nothing, stream(), REPORTED, now);
        assert!(heard.unwrap().listens);
        assert_eq!(receivers.count(now), 1);
        assert_eq!(receivers.last_heard(), Some(now));
        assert_eq!(receivers.worst(now), None);
        let later = now + GONE_AFTER + Duration::from_secs(1);
        assert_eq!(receivers.count(later), 0);
    }

    #[test]
    fn who_says_goodbye_is_gone() {
        let (mut receivers, now) = (Receivers::default(), Instant::now());
        let mut both = packet(THEIRS, [block()]);
        receivers.on_packet(&both, stream(), REPORTED, now).unwrap();
        let mut bye = [0; 8];
        let words = rtcp_types::Bye::builder().add_source(THEIRS);
        words.write_into(&mut bye).unwrap();
        both.extend(bye);
        let heard = receivers.on_packet(&both, stream(), REPORTED, now).unwrap();
        assert!(heard.left);
        assert_eq!((receivers.count(now), receivers.last_heard()), (0, None));
    }

    #[test]
    fn strangers_take_no_more_memory_than_there_is_for_them() {
        let (mut receivers, now) = (Receivers::default(), Instant::now());
        for from in 0..1000 {
            let packet = packet(from, [block()]);
            let heard = receivers.on_packet(&packet, stream(), REPORTED, now);
            assert!(heard.unwrap().listens);
            receivers.on_report_sent(Ntp(u64::from(from)));
        }
        assert_eq!(receivers.count(now), MOST_RECEIVERS);
        assert_eq!(receivers.reports.len(), REMEMBERED_REPORTS);
        let long = vec![0x80; MOST_BYTES + 1];
        let error = receivers.on_packet(&long, stream(), REPORTED, now);
        assert_eq!(error, Err(RtcpError::TooLong(MOST_BYTES + 1)));
        assert!(
            receivers
                .on_packet(b"GET /", stream(), REPORTED, now)
                .is_err()
        );
    }
}
