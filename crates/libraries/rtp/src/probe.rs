//! A packet that finds out whether somebody has a port, and shows nothing to who has it.

use crate::packetizer::{RTP_HEADER_BYTES, StreamPosition, rtp_header};

/// A payload type that nothing has (RFC 3551, section 6): of packets that are no picture.
const UNASSIGNED: u8 = 20;

/// A header of RFC 2435 (section 3.1) as it stands before the end of the longest of pictures: no
/// receiver that does not look at the payload type, as GStreamer's `rtpjpegdepay`, has the part
/// before, and without a header it would complain.
const PART_OF_NOTHING: [u8; 8] = [0, 0xFF, 0xFF, 0xFF, 1, 255, 1, 1];

/// How long it is.
const PROBE_BYTES: usize = RTP_HEADER_BYTES + PART_OF_NOTHING.len();

/// Makes a packet that no receiver takes for a picture, or for a part of one. It has the number of
/// the last packet of its stream, so that none seems to be missing.
pub fn probe(stream: StreamPosition, timestamp_90k: u32) -> [u8; PROBE_BYTES] {
    let sequence = stream.next_sequence.wrapping_sub(1);
    let header = rtp_header(UNASSIGNED, sequence, timestamp_90k, stream.ssrc);
    let mut packet = [0; PROBE_BYTES];
    packet[..RTP_HEADER_BYTES].copy_from_slice(&header);
    packet[RTP_HEADER_BYTES..].copy_from_slice(&PART_OF_NOTHING);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sent;

    #[test]
    fn has_the_last_number_and_no_pictures_payload_type() {
        let stream = StreamPosition {
            ssrc: 0x0A0B_0C0D,
            next_sequence: 0,
            sent: Sent::default(),
        };
        let header = [0x80, 20, 255, 255, 1, 2, 3, 4, 10, 11, 12, 13];
        let behind = [0, 255, 255, 255, 1, 255, 1, 1];
        let expected = [&header[..], &behind].concat();
        assert_eq!(probe(stream, 0x0102_0304)[..], expected);
    }
}
