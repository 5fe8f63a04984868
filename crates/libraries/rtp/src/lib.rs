//! What goes over the wire when a camera is sent by RTP: bytes from values, and when they go.
//!
//! [`JpegPayload`] is what RFC 2435 can carry of a JPEG, [`Packetizer`] makes the packets of a frame,
//! [`RtpClock`] gives frames their times, and [`PacketPacer`] says when each packet goes. No socket,
//! no clock and no randomness: addresses, times and random numbers are handed in.

mod clock;
mod jpeg_payload;
mod packet_pacer;
mod packetizer;
#[cfg(test)]
mod testing;

pub use clock::{Ntp, RtpClock, RtpTime};
pub use jpeg_payload::{Cure, JpegPayload, Unsendable};
pub use packet_pacer::{PaceStep, PacketPacer};
pub use packetizer::{Framing, PacketBytes, PacketBytesError, Packetizer, Packets, Sent, Stream};
