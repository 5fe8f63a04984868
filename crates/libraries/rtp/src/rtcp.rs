//! RTCP (RFC 3550, §6): what a sender says of itself, what receivers say of what came, and how
//! often.
//!
//! Packets are read and written by `rtcp-types`. What stands in them is strangers' word: it is
//! bounded in [`Receivers`].

mod receivers;
mod report_interval;

use rtcp_types::{
    Bye, Compound, Packet, RtcpPacketWriterExt, RtcpWriteError, Sdes, SdesChunk, SdesItem,
    SenderReport,
};

use crate::clock::RtpTime;
use crate::packetizer::Sent;

use receivers::MOST_BYTES;

pub use receivers::{Heard, Receivers, Reception, RtcpError};
pub use report_interval::ReportInterval;

/// An SDES item has a byte for its length (§6.5).
const MOST_CNAME_BYTES: usize = 255;

/// What a stream's sender says of it.
#[derive(Clone, Copy, Debug)]
pub struct StreamReport<'a> {
    /// The stream's SSRC.
    pub ssrc: u32,
    /// Now, on both clocks.
    pub time: RtpTime,
    /// What was sent until now.
    pub sent: Sent,
    /// Names the sender beyond its SSRC, which may change: the same for all its streams,
    /// `USER@HOST` or as RFC 7022 has it. Cut to 255 bytes.
    pub cname: &'a str,
}

/// Whether a report is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// More follows.
    None,
    /// The stream ends (BYE).
    Bye,
}

impl StreamReport<'_> {
    /// Appends the report as one packet: SR, SDES and, at the end, BYE.
    pub fn write(&self, farewell: Farewell, packet: &mut Vec<u8>) {
        let before = packet.len();
        let written = self.try_write(farewell, packet);
        debug_assert!(written.is_ok(), "{written:?}");
        if written.is_err() {
            packet.truncate(before);
        }
    }

    /// Nothing here is out of the bounds that `rtcp-types` knows.
    fn try_write(&self, farewell: Farewell, packet: &mut Vec<u8>) -> Result<(), RtcpWriteError> {
        let report = SenderReport::builder(self.ssrc)
            .ntp_timestamp(self.time.ntp.0)
            .rtp_timestamp(self.time.rtp_90k)
            .packet_count(self.sent.packets)
            .octet_count(self.sent.octets);
        let cname = &self.cname[..self.cname.floor_char_boundary(MOST_CNAME_BYTES)];
        let name = SdesItem::builder(SdesItem::CNAME, cname);
        let names = Sdes::builder().add_chunk(SdesChunk::builder(self.ssrc).add_item(name));
        let compound = Compound::builder().add_packet(report).add_packet(names);
        let compound = match farewell {
            Farewell::None => compound,
            Farewell::Bye => compound.add_packet(Bye::builder().add_source(self.ssrc)),
        };
        // A report has 28 bytes, a BYE 8, and SDES 14 beside the name, with what fills up.
        let before = packet.len();
        packet.resize(before + 64 + MOST_CNAME_BYTES, 0);
        let bytes = compound.write_into(&mut packet[before..])?;
        packet.truncate(before + bytes);
        Ok(())
    }
}

/// Says whether a packet is one that the sender of this name has sent itself: one to a group comes
/// back from there, and so does one that somebody reflects. Its SSRC does not tell: another may
/// have the same (RFC 3550, §8.2). Nobody knows the name but by such a packet, where it is random.
pub fn is_own(packet: &[u8], cname: &str) -> bool {
    if packet.len() > MOST_BYTES {
        return false;
    }
    let Ok(parts) = Compound::parse(packet) else {
        return false;
    };
    let has_name = |chunk: &SdesChunk<'_>| {
        let mut items = chunk.items();
        items.any(|item| item.type_() == SdesItem::CNAME && item.value() == cname.as_bytes())
    };
    parts.map_while(Result::ok).any(|part| match part {
        Packet::Sdes(names) => names.chunks().any(has_name),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Ntp;

    fn report(cname: &str) -> StreamReport<'_> {
        StreamReport {
            ssrc: 0x0102_0304,
            time: RtpTime {
                ntp: Ntp(0x1112_1314_1516_1718),
                rtp_90k: 0x2122_2324,
            },
            sent: Sent {
                packets: 0x3132_3334,
                octets: 0x4142_4344,
            },
            cname,
        }
    }

    /// Byte for byte as in RFC 3550, §6.4.1, §6.5 and §6.6.
    #[test]
    fn writes_a_report_and_a_farewell() {
        let mut packet = vec![];
        report("a@b").write(Farewell::Bye, &mut packet);
        let words = [
            0x80C8_0006,
            0x0102_0304,
            0x1112_1314,
            0x1516_1718,
            0x2122_2324,
            0x3132_3334,
            0x4142_4344,
            0x81CA_0003,
            0x0102_0304,
            0x0103_6140,
            0x6200_0000,
            0x81CB_0001,
            0x0102_0304_u32,
        ];
        let expected: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        assert_eq!(packet, expected);
        let mut without = vec![];
        report("a@b").write(Farewell::None, &mut without);
        assert_eq!(without, expected[..expected.len() - 8]);
    }

    #[test]
    fn a_packet_is_the_senders_own_by_its_name() {
        for farewell in [Farewell::None, Farewell::Bye] {
            let mut packet = vec![];
            report("a@b").write(farewell, &mut packet);
            assert!(is_own(&packet, "a@b"));
            assert!(!is_own(&packet, "a@") && !is_own(&packet, ""));
            assert!(!is_own(&packet[..28], "a@b"), "it has no name");
            packet.resize(MOST_BYTES + 1, 0);
            assert!(!is_own(&packet, "a@b"));
        }
        assert!(!is_own(b"GET /", "a@b"));
    }

    #[test]
    fn any_name_fits_or_is_cut() {
        for bytes in [0, 1, 2, 3, 4, 254, 255, 256, 1000] {
            let mut packet = vec![];
            report(&"é".repeat(bytes)).write(Farewell::Bye, &mut packet);
            assert!(
                packet.len() > 40 && packet.len().is_multiple_of(4),
                "{bytes}"
            );
            assert!(Compound::parse(&packet).unwrap().all(|part| part.is_ok()));
        }
    }
}
