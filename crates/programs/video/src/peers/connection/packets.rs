//! The RTP packets of a picture. str0m would cut it for each viewer, and looks for start codes a
//! byte at a time; here that is done once for all who watch the same encode.

use std::sync::Arc;
use std::time::Instant;

use eyelid_rtp_wire::{PacketBytes, h264_payloads};
use str0m::media::{MediaTime, Pt};
use str0m::rtp::{AbsCaptureTime, ExtensionValues, RtpWrite, SeqNo};

use crate::coded::Coded;

/// A packet with RTP's header of 12 bytes, as large as str0m itself makes it: with that header's
/// extensions, and what SRTP adds, a datagram of 1150 to 1180 bytes, which with its own headers
/// fits every path of IPv6's least 1280.
const PACKET_BYTES: PacketBytes = match PacketBytes::new(12 + 1120) {
    Ok(bytes) => bytes,
    Err(_) => panic!("no packet has so many"),
};

/// How many bytes an extension of the first header takes that no other has, the moment of capture:
/// all packets but the last have one size by it, and the kernel cuts them (UDP GSO).
const CAPTURE_TIME_BYTES: u8 = 8;

/// Makes the packets of one stream.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// What the next one gets; it begins at a random number (RFC 3550, §5.1), and does not wrap
    /// here.
    pub(super) next: SeqNo,
}

impl Packets {
    /// Makes those of a picture, which have this time in RTP, and were captured at that moment.
    pub(super) fn of<'a>(
        &mut self,
        coded: &'a Coded,
        payload_type: Pt,
        time_90k: u32,
        captured: Instant,
    ) -> impl Iterator<Item = RtpWrite> + use<'a> {
        let payloads = coded
            .payloads
            .get_or_init(|| h264_payloads(&coded.annex_b, PACKET_BYTES, CAPTURE_TIME_BYTES));
        let first = *self.next;
        self.next = (first + payloads.len() as u64).into();
        let last = payloads.len().saturating_sub(1);
        let capture_time = AbsCaptureTime {
            capture_time: coded.captured,
            clock_offset: None,
        };
        payloads.iter().enumerate().map(move |(number, payload)| {
            let extensions = ExtensionValues {
                // The first says it for all.
                abs_capture_time: (number == 0).then_some(capture_time),
                play_delay_min: Some(MediaTime::ZERO),
                play_delay_max: Some(MediaTime::ZERO),
                ..ExtensionValues::default()
            };
            let sequence = (first + number as u64).into();
            RtpWrite::new(
                payload_type,
                sequence,
                time_90k,
                captured,
                Arc::clone(payload),
            )
            .marker(number == last)
            .ext_vals(extensions)
            .nackable(true)
        })
    }
}
