//! From a frame to its packets, one behind the other in one buffer that is kept: all of one size
//! but the last, so that the kernel can cut them apart (UDP GSO), or with the four bytes before
//! each that an RTSP connection wants, so that one write sends them.

mod h264;
mod jpeg;

pub use h264::h264_payloads;

use crate::jpeg_payload::JpegPayload;

/// RTP's header without contributing sources (RFC 3550, §5.1).
pub(crate) const RTP_HEADER_BYTES: usize = 12;

/// What tells one stream's packets from those of others.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Random, or what a receiver was told (RFC 3550, §8).
    pub ssrc: u32,
    /// 26 for JPEG (RFC 3551), 96 to 127 as an SDP says. Its highest bit does not matter.
    pub payload_type: u8,
    /// That of the first packet; better a random one (§5.1).
    pub first_sequence: u16,
}

/// How large the packets may be: the payload of UDP, which has RTP's header in it and those of UDP
/// and IP around it (28 bytes with IPv4, 48 with IPv6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketBytes(u16);

/// Packets of no such size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packets of {0} bytes: 256 to 65507 can be sent (1400 fits most networks)")]
pub struct PacketBytesError(usize);

/// What stands before each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: each packet is a datagram.
    Datagrams,
    /// What tells packets apart in an RTSP connection (RFC 2326, §10.12).
    Interleaved {
        /// The channel that the client was given.
        channel: u8,
    },
}

/// What was sent, as a sender report counts it (RFC 3550, §6.4.1): both wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets.
    pub packets: u32,
    /// Bytes behind the RTP headers.
    pub octets: u32,
}

/// How far a stream has come: what reports say and quote, for who has no hold of the packetizer
/// while a frame is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream's SSRC.
    pub ssrc: u32,
    /// The sequence number that the next packet gets.
    pub next_sequence: u16,
    /// All that was sent.
    pub sent: Sent,
}

/// Makes the packets of one stream for one receiver or group.
#[derive(Debug)]
pub struct Packetizer {
    stream: Stream,
    sequence: u16,
    sent: Sent,
    packet_bytes: PacketBytes,
    framing: Framing,
    buffer: Vec<u8>,
    /// Where each packet in it ends.
    ends: Vec<usize>,
}

/// The packets of one JPEG.
#[derive(Clone, Copy, Debug)]
pub struct Packets<'a> {
    position: StreamPosition,
    bytes: &'a [u8],
    stride: usize,
    /// Of each packet what is no payload: framing and RTP's header.
    header_bytes: usize,
}

/// The packets of an access unit of H.264, which have different sizes.
#[derive(Clone, Copy, Debug)]
pub struct UnevenPackets<'a> {
    position: StreamPosition,
    bytes: &'a [u8],
    ends: &'a [usize],
    /// Of each packet what is no payload: framing and RTP's header.
    header_bytes: usize,
}

/// Packets one behind the other, all of one size but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// All of them.
    pub bytes: &'a [u8],
    /// The bytes of each but the last, which has as many or fewer.
    pub stride: usize,
}

impl PacketBytes {
    /// Checks a size.
    ///
    /// # Errors
    /// Less than 256 bytes, in which the headers of a JPEG's first packet (168) leave room for
    /// little else, or more than a datagram has.
    pub const fn new(bytes: usize) -> Result<Self, PacketBytesError> {
        match bytes {
            256..=65_507 => Ok(Self(bytes as u16)),
            _ => Err(PacketBytesError(bytes)),
        }
    }

    fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// 1400: with all headers less than Ethernet's 1500, by as much as tunnels take.
impl Default for PacketBytes {
    fn default() -> Self {
        Self(1400)
    }
}

impl Framing {
    fn bytes(self) -> usize {
        match self {
            Self::Datagrams => 0,
            Self::Interleaved { .. } => 4,
        }
    }
}

impl Packetizer {
    /// Starts a stream.
    pub fn new(stream: Stream, packet_bytes: PacketBytes, framing: Framing) -> Self {
        Self {
            stream,
            sequence: stream.first_sequence,
            sent: Sent::default(),
            packet_bytes,
            framing,
            buffer: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Goes on behind what was sent, which is not all of the last frame where that was refused or
    /// given up.
    ///
    /// The numbers of a frame of which nothing has gone are given anew, and nobody misses it. One
    /// that was broken off takes up one number more: receivers that see no gap, as GStreamer's
    /// `rtpjpegdepay`, would put what they have of it before the next frame.
    pub fn resume(&mut self, sent: Sent) {
        let left = self.sent.packets.wrapping_sub(sent.packets);
        let is_broken_off = 0 < left && (left as usize) < self.ends.len();
        let next = self.sequence.wrapping_sub(left as u16);
        self.sequence = next.wrapping_add(is_broken_off.into());
        self.sent = sent;
        self.clear();
    }

    /// Gives the packets that come another SSRC.
    pub fn set_ssrc(&mut self, ssrc: u32) {
        self.stream.ssrc = ssrc;
    }

    /// Makes the packets of a JPEG. They count as sent, unless [`Packetizer::resume`] is told
    /// otherwise: what the caller leaves out then is lost on the way for receivers and reports.
    pub fn jpeg(&mut self, payload: &JpegPayload<'_>, timestamp_90k: u32) -> Packets<'_> {
        self.clear();
        jpeg::write(self, payload, timestamp_90k);
        Packets {
            position: self.position(),
            bytes: &self.buffer,
            stride: self.framing.bytes() + self.packet_bytes.get(),
            header_bytes: self.framing.bytes() + RTP_HEADER_BYTES,
        }
    }

    /// Makes the packets of an access unit of H.264, by RFC 6184: its NAL units with start codes
    /// before them (ITU-T H.264, annex B). Without a start code, there are none. They count as
    /// sent, too.
    pub fn h264(&mut self, annex_b: &[u8], timestamp_90k: u32) -> UnevenPackets<'_> {
        self.clear();
        h264::write(self, annex_b, timestamp_90k);
        UnevenPackets {
            position: self.position(),
            bytes: &self.buffer,
            ends: &self.ends,
            header_bytes: self.framing.bytes() + RTP_HEADER_BYTES,
        }
    }

    /// How far it has come.
    pub fn position(&self) -> StreamPosition {
        StreamPosition {
            ssrc: self.stream.ssrc,
            next_sequence: self.sequence,
            sent: self.sent,
        }
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.ends.clear();
    }

    /// Writes one packet: its header, and its payload in two parts. All three fit.
    fn packet(&mut self, timestamp_90k: u32, marker: Marker, header: &[u8], data: &[u8]) {
        let payload_bytes = header.len() + data.len();
        let packet_bytes = RTP_HEADER_BYTES + payload_bytes;
        debug_assert!(packet_bytes <= self.packet_bytes.get());
        if let Framing::Interleaved { channel } = self.framing {
            // At most 65,507: it fits.
            let [high, low] = (packet_bytes as u16).to_be_bytes();
            self.buffer.extend([b'$', channel, high, low]);
        }
        let marker_bit = match marker {
            Marker::Set => 0x80,
            Marker::Clear => 0,
        };
        let marked_type = marker_bit | self.stream.payload_type & 0x7F;
        let (sequence, ssrc) = (self.sequence, self.stream.ssrc);
        self.buffer
            .extend(rtp_header(marked_type, sequence, timestamp_90k, ssrc));
        self.buffer.extend_from_slice(header);
        self.buffer.extend_from_slice(data);
        self.ends.push(self.buffer.len());
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.octets = self.sent.octets.wrapping_add(payload_bytes as u32);
    }
}

/// Writes RTP's header (RFC 3550, §5.1): version 2, without padding, extension and contributing
/// sources. The highest bit of `marked_type` is the marker, the others are the payload type.
pub(crate) fn rtp_header(
    marked_type: u8,
    sequence: u16,
    timestamp_90k: u32,
    ssrc: u32,
) -> [u8; RTP_HEADER_BYTES] {
    let mut header = [0; RTP_HEADER_BYTES];
    header[0] = 2 << 6;
    header[1] = marked_type;
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp_90k.to_be_bytes());
    header[8..].copy_from_slice(&ssrc.to_be_bytes());
    header
}

/// Whether a packet is its frame's last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Set,
    Clear,
}

impl StreamPosition {
    /// Where it was so many packets before, which had so many bytes behind their headers.
    fn without(self, packets: usize, octets: usize) -> Self {
        Self {
            ssrc: self.ssrc,
            next_sequence: self.next_sequence.wrapping_sub(packets as u16),
            sent: Sent {
                packets: self.sent.packets.wrapping_sub(packets as u32),
                octets: self.sent.octets.wrapping_sub(octets as u32),
            },
        }
    }
}

impl<'a> Packets<'a> {
    /// How far the stream has come with them.
    pub fn position(&self) -> StreamPosition {
        self.position
    }

    /// How far it has come when only so many of them were sent, the first ones.
    pub fn position_after(&self, packets: usize) -> StreamPosition {
        let packets = packets.min(self.len());
        let left = self.len() - packets;
        let left_bytes = self.range(packets..self.len()).len();
        self.position
            .without(left, left_bytes - left * self.header_bytes)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len().div_ceil(self.stride)
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All of them.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of each but the last, which has as many or fewer.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Some of them, one behind the other. The range is cut to those that there are.
    pub fn range(&self, packets: std::ops::Range<usize>) -> &'a [u8] {
        let at = |packet: usize| packet.saturating_mul(self.stride).min(self.bytes.len());
        let end = at(packets.end);
        &self.bytes[at(packets.start).min(end)..end]
    }

    /// Each by itself.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.stride)
    }
}

impl<'a> UnevenPackets<'a> {
    /// How far the stream has come with them.
    pub fn position(&self) -> StreamPosition {
        self.position
    }

    /// How far it has come when only so many of them were sent, the first ones.
    pub fn position_after(&self, packets: usize) -> StreamPosition {
        let packets = packets.min(self.len());
        let sent_bytes = packets.checked_sub(1).map_or(0, |last| self.ends[last]);
        let left = self.len() - packets;
        let left_bytes = self.bytes.len() - sent_bytes;
        self.position
            .without(left, left_bytes - left * self.header_bytes)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All of them.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Each by itself.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (bytes, ends) = (self.bytes, self.ends);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, end)| &bytes[start..*end])
    }

    /// Some of them, in as few runs as can be: each is one send with UDP GSO. The range is cut to
    /// those that there are.
    pub fn runs(&self, packets: std::ops::Range<usize>) -> impl Iterator<Item = Run<'a>> + use<'a> {
        let end = packets.end.min(self.ends.len());
        let mut rest = &self.ends[packets.start.min(end)..end];
        let before = packets.start.checked_sub(1);
        let mut start = before.map_or(0, |at| self.ends.get(at).copied().unwrap_or(0));
        let bytes = self.bytes;
        std::iter::from_fn(move || {
            let stride = rest.first()? - start;
            // The last of a run may be smaller, and no larger.
            let full = rest
                .iter()
                .zip(1..)
                .take_while(|(end, n)| **end == start + n * stride);
            let full = full.count();
            let is_smaller = |end: &&usize| **end < start + (full + 1) * stride;
            let count = full + usize::from(rest.get(full).filter(is_smaller).is_some());
            let end = rest[count - 1];
            let run = Run {
                bytes: &bytes[start..end],
                stride,
            };
            (start, rest) = (end, &rest[count..]);
            Some(run)
        })
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod depacketizer;
#[cfg(test)]
mod h264_tests;
#[cfg(test)]
mod tests;
