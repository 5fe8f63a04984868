//! What goes at once: a JPEG or an access unit of H.264, and the packets that it becomes.

use std::ops::Range;

use eyelid_config::RtpCodec;
use eyelid_rtp_wire::{
    JPEG_PAYLOAD_TYPE, JpegPayload, Packetizer, Packets, Run, StreamPosition, UnevenPackets,
};

/// One of H.264's: those from 96 on are what the SDP says (RFC 3551, section 6).
pub(crate) const H264_PAYLOAD_TYPE: u8 = 96;

/// The payload type of what is sent.
pub(crate) fn payload_type(codec: RtpCodec) -> u8 {
    match codec {
        RtpCodec::Jpeg => JPEG_PAYLOAD_TYPE,
        RtpCodec::H264 => H264_PAYLOAD_TYPE,
    }
}

/// A picture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    /// A frame (RFC 2435).
    Jpeg(&'a JpegPayload<'a>),
    /// An access unit, with start codes (RFC 6184).
    H264(&'a [u8]),
}

/// Its packets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FramePackets<'a> {
    /// All of one size, but the last.
    Even(Packets<'a>),
    /// Of any size.
    Uneven(UnevenPackets<'a>),
}

impl Payload<'_> {
    /// Makes them.
    pub(crate) fn packets<'p>(
        &self,
        packetizer: &'p mut Packetizer,
        timestamp_90k: u32,
    ) -> FramePackets<'p> {
        match self {
            Self::Jpeg(payload) => FramePackets::Even(packetizer.jpeg(payload, timestamp_90k)),
            Self::H264(unit) => FramePackets::Uneven(packetizer.h264(unit, timestamp_90k)),
        }
    }
}

impl<'a> FramePackets<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Even(packets) => packets.len(),
            Self::Uneven(packets) => packets.len(),
        }
    }

    /// All of them.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Even(packets) => packets.bytes(),
            Self::Uneven(packets) => packets.bytes(),
        }
    }

    /// How far the stream has come with them.
    pub(crate) fn position(&self) -> StreamPosition {
        match self {
            Self::Even(packets) => packets.position(),
            Self::Uneven(packets) => packets.position(),
        }
    }

    /// How far it has come with the first of them.
    pub(crate) fn position_after(&self, packets: usize) -> StreamPosition {
        match self {
            Self::Even(even) => even.position_after(packets),
            Self::Uneven(uneven) => uneven.position_after(packets),
        }
    }

    /// Some of them, in runs of one size but for the last.
    pub(crate) fn runs(&self, range: Range<usize>) -> impl Iterator<Item = Run<'a>> + use<'a> {
        let (even, uneven) = match self {
            Self::Even(packets) => {
                let run = Run {
                    bytes: packets.range(range),
                    stride: packets.stride(),
                };
                (Some(run), None)
            }
            Self::Uneven(packets) => (None, Some(packets.runs(range))),
        };
        even.into_iter().chain(uneven.into_iter().flatten())
    }
}
