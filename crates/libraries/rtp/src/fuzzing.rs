//! What must hold whatever strangers send. The fuzz targets call this, and the tests with what
//! those found (`fuzz/README.md`).

use std::time::{Duration, Instant};

use eyelid_jpeg::{Recoder, whole};

use crate::clock::Ntp;
use crate::jpeg_payload::{Cure, JpegPayload};
use crate::packetizer::depacketizer::receive;
use crate::packetizer::{Framing, PacketBytes, Packetizer, Stream};
use crate::rtcp::{Receivers, Reception, is_own};

/// Larger pictures are only looked at as far as it takes to refuse them: a fuzzer wants many, not
/// large ones.
const MOST_PIXELS: u64 = 1 << 16;

const SSRC: u32 = 7;

/// As packets of the corpus have it.
const CNAME: &str = "a@b";

fn stream(packet_bytes: PacketBytes) -> Packetizer {
    let stream = Stream {
        ssrc: SSRC,
        payload_type: 26,
        first_sequence: u16::MAX,
    };
    Packetizer::new(stream, packet_bytes, Framing::Datagrams)
}

/// A JPEG is refused by name, or a receiver that knows nothing but the packets makes one of them
/// that could be sent just so. What is said to be cured by recoding is, or is refused.
///
/// # Panics
/// Where that does not hold.
pub fn jpeg_to_rtp(bytes: &[u8]) {
    match JpegPayload::of(bytes) {
        Ok(payload) => check_sent(&payload),
        Err(reason) => {
            assert!(!reason.to_string().contains('\n'), "{reason}");
            let pixels = whole(bytes).map_or(0, |(header, _)| {
                u64::from(header.width) * u64::from(header.height)
            });
            if reason.cure() == Cure::Recode && pixels <= MOST_PIXELS {
                check_recoded(bytes);
            }
        }
    }
}

fn check_sent(payload: &JpegPayload<'_>) {
    let smallest = PacketBytes::new(256).unwrap_or_default();
    for packet_bytes in [smallest, PacketBytes::default()] {
        let mut stream = stream(packet_bytes);
        let packets = stream.jpeg(payload, 90);
        assert!(
            packets
                .iter()
                .all(|packet| packet.len() <= packets.stride())
        );
        let frame = receive(packets.iter(), u16::MAX, SSRC);
        assert_eq!(frame.scan, payload.scan);
        assert_eq!(
            frame.restart_interval,
            payload.restart_interval.unwrap_or(0)
        );
        assert_eq!(
            frame.tables,
            payload.tables.map(<[u8; 64]>::as_slice).concat()
        );
        assert_eq!(
            u32::from(frame.width_px),
            payload.width_px.next_multiple_of(8)
        );
        assert_eq!(
            u32::from(frame.height_px),
            payload.height_px.next_multiple_of(8)
        );
        let jpeg = frame.jpeg();
        match JpegPayload::of(&jpeg) {
            Ok(again) => assert_eq!((again.scan, again.tables), (payload.scan, payload.tables)),
            Err(reason) => panic!("{reason}"),
        }
    }
}

fn check_recoded(bytes: &[u8]) {
    let mut recoder = Recoder::default();
    if let Ok(jpeg) = recoder.recode(bytes) {
        match JpegPayload::of(jpeg) {
            Ok(payload) => check_sent(&payload),
            Err(reason) => assert_eq!(reason.cure(), Cure::Rendition, "{reason}"),
        }
    }
}

/// What receivers say is refused, or bounded by what was sent; and they are not many. A packet is
/// our own only where it can be read and has our name.
///
/// # Panics
/// Where that does not hold.
pub fn rtcp(bytes: &[u8]) {
    let mut stream = stream(PacketBytes::default());
    let tables = [&[1; 64], &[2; 64]];
    let payload = JpegPayload {
        width_px: 8,
        height_px: 8,
        jpeg_type: 1,
        size_8_px: [1, 1],
        restart_interval: None,
        tables,
        scan: &[0; 4000],
    };
    let sent = stream.jpeg(&payload, 90).len();
    let (mut receivers, now) = (Receivers::default(), Instant::now());
    let reported = Ntp(0x0000_03E8_8000_0000);
    receivers.on_report_sent(reported);
    // Several packets, one after another, and all of it as one.
    for packet in bytes.split(|byte| *byte == 0xFF).chain([bytes]) {
        let time = Ntp(reported.0 + (3 << 32));
        let is_own = is_own(packet, CNAME);
        let has_name = || packet.windows(CNAME.len()).any(|it| it == CNAME.as_bytes());
        assert!(!is_own || has_name());
        let Ok(heard) = receivers.on_packet(packet, stream.position(), time, now) else {
            assert!(!is_own);
            continue;
        };
        assert!(heard.listens || heard.receptions == 0);
        assert!(receivers.count(now) <= 64);
        receivers
            .receptions(now)
            .for_each(|it| check_reception(it, sent));
        assert_eq!(
            receivers.last_heard(),
            (receivers.count(now) > 0).then_some(now)
        );
    }
}

fn check_reception(reception: &Reception, sent: usize) {
    let longest = Duration::from_secs(30);
    assert!(
        (0.0..1.0).contains(&reception.fraction_lost),
        "{reception:?}"
    );
    assert!(
        reception.packets_lost.unsigned_abs() as usize <= sent,
        "{reception:?}"
    );
    assert!(reception.jitter <= longest, "{reception:?}");
    assert!(
        reception.round_trip.is_none_or(|it| it <= longest),
        "{reception:?}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pictures are JPEGs of all kinds.
    #[test]
    fn rtp_corpus() {
        eyelid_replay::replay("picture", jpeg_to_rtp);
        eyelid_replay::replay("recode", jpeg_to_rtp);
        eyelid_replay::replay("rtp", jpeg_to_rtp);
    }

    #[test]
    fn rtcp_corpus() {
        eyelid_replay::replay("rtcp", rtcp);
    }
}
