//! What goes over the wire when a camera is sent by RTP: bytes from values, and when they go.
//!
//! [`JpegPayload`] is what RFC 2435 can carry of a JPEG, [`Packetizer`] makes the packets of a
//! frame, [`RtpClock`] gives frames their times, and [`PacketPacer`] says when each packet goes.
//! What [`probe()`] makes finds out whether there is a receiver.
//! [`StreamReport`], [`Receivers`] and [`ReportInterval`] are RTCP, [`SessionDescription`] is SDP.
//! No socket, no clock and no randomness: addresses, times and random numbers are handed in.

mod clock;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod jpeg_payload;
mod packet_pacer;
mod packetizer;
mod probe;
mod rtcp;
mod sdp;

pub use clock::{Ntp, RtpClock, RtpTime};
pub use jpeg_payload::{Cure, JpegPayload, Unsendable};
pub use packet_pacer::{PaceStep, PacketPacer};
pub use packetizer::{
    Framing, PacketBytes, PacketBytesError, Packetizer, Packets, Run, Sent, Stream, StreamPosition,
    UnevenPackets, h264_payloads,
};
pub use probe::probe;
pub use rtcp::{
    Farewell, Heard, Receivers, Reception, ReportInterval, RtcpError, StreamReport, is_own,
};
pub use sdp::{Destination, JPEG_PAYLOAD_TYPE, Media, Origin, SessionDescription};
