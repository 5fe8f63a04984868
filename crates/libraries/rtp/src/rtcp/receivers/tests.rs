//! What reports come to, true ones and others.

use super::*;
use crate::packetizer::Packetizer;
use crate::packetizer::{Framing, PacketBytes, Stream};
use crate::{JpegPayload, clock::Ntp};
use eyelid_replay::case;
use rtcp_types::prelude::FciBuilder;
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
fn a_receiver_with_our_ssrc_counts_as_any_other() {
    let (mut receivers, now) = (Receivers::default(), Instant::now());
    for (from, collides) in [(THEIRS, false), (OURS, true)] {
        let packet = packet(from, [block().fraction_lost(64)]);
        let heard = receivers.on_packet(&packet, stream(), REPORTED, now);
        let heard = heard.unwrap();
        assert!(heard.listens && heard.receptions == 1);
        assert_eq!(heard.collides, collides);
    }
    assert_eq!(receivers.count(now), 2);
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

fn feedback(media: u32, what: impl FciBuilder<'static> + 'static) -> Vec<u8> {
    let feedback = PayloadFeedback::builder_owned(what).sender_ssrc(THEIRS);
    let mut bytes = vec![0; 100];
    let length = feedback.media_ssrc(media).write_into(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

#[test]
fn who_lacks_a_picture_says_so_or_reports_losses() {
    let (mut receivers, now) = (Receivers::default(), Instant::now());
    let mut wants = |packet: &[u8]| {
        let heard = receivers.on_packet(packet, stream(), REPORTED, now);
        heard.unwrap().wants_key
    };
    let pli = |media| feedback(media, Pli::builder());
    let fir = |of| feedback(0, Fir::builder().add_ssrc(THEIRS, 1).add_ssrc(of, 2));
    assert!(wants(&pli(OURS)) && !wants(&pli(THEIRS)));
    assert!(wants(&fir(OURS)) && !wants(&fir(THEIRS)));
    // Behind a report, as a compound packet has it.
    assert!(wants(&[packet(THEIRS, []), pli(OURS)].concat()));
    // A share that was lost, told once.
    let lost = |highest, lost| {
        let block = ReportBlock::builder(OURS).extended_sequence_number(highest);
        packet(THEIRS, [block.fraction_lost(lost)])
    };
    assert!(!wants(&lost(0x1_0000, 0)));
    assert!(wants(&lost(0x1_0001, 3)) && !wants(&lost(0x1_0001, 3)));
}
