//! Who passes the pictures of `eyelid-video`'s tap on to a gateway to WebRTC, as RTP: so that both
//! have one encoder. Nothing is spread over time, so that they get there as soon as can be.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use eyelid_h264::{TIMED_SOCKET, TimedHeader};
use eyelid_rtp_wire::{Framing, PacketBytes, Packetizer, Stream};

/// As the gateway is told (`peers/janus`).
const PAYLOAD_TYPE: u8 = 96;

/// What leaves room for what SRTP and a gateway add.
const PACKET_BYTES: usize = 1200;

/// Forwards a camera until the tap closes.
///
/// # Errors
/// What the system said.
pub(crate) fn run(taps: &Path, camera: &str, to: SocketAddr) -> anyhow::Result<()> {
    let path = taps.join(TIMED_SOCKET);
    let mut tap = UnixStream::connect(&path).with_context(|| format!("{}", path.display()))?;
    tap.write_all(format!("{camera}\n").as_bytes())?;
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    let stream = Stream {
        ssrc: 1,
        payload_type: PAYLOAD_TYPE,
        first_sequence: 0,
    };
    let packet_bytes = PacketBytes::new(PACKET_BYTES)?;
    let mut packetizer = Packetizer::new(stream, packet_bytes, Framing::Datagrams);
    let (mut header, mut picture) = ([0; TimedHeader::BYTES], Vec::new());
    loop {
        match tap.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let header = TimedHeader::of(header);
        picture.resize(header.length as usize, 0);
        tap.read_exact(&mut picture)?;
        let since = header.captured.duration_since(UNIX_EPOCH)?;
        let time_90k = (since.as_micros() * 9 / 100) as u32;
        for packet in packetizer.h264(&picture, time_90k).iter() {
            // Who is not there yet hears nothing.
            let _ = socket.send_to(packet, to);
        }
    }
}
