//! RFC 2435: the packets of a JPEG.

use super::{Marker, Packetizer, RTP_HEADER_BYTES};
use crate::jpeg_payload::JpegPayload;

/// Bytes of the main JPEG header (§3.1) and of the restart marker header (§3.1.7).
const MAIN_BYTES: usize = 8;
const RESTART_BYTES: usize = 4;

/// What stands before two quantisation tables of 8 bits (§3.1.8), and its bytes with them.
const TABLES_HEADER: [u8; 4] = [0, 0, 0, 128];
const TABLES_BYTES: usize = TABLES_HEADER.len() + 2 * 64;

/// Types from 64 on have a restart marker header (§3.1.3).
const TYPE_WITH_RESTARTS: u8 = 64;

/// The tables lie in the frame's first packet, and may be others in each frame (§4.2). No receiver
/// has to have heard an earlier frame, and none has to know how libjpeg makes tables of a quality.
const Q_TABLES_IN_EACH_FRAME: u8 = 255;

/// Packets end anywhere, not where the data starts anew (§3.1.7).
const RESTARTS_ANYWHERE: [u8; 2] = [0xFF, 0xFF];

/// Writes the packets of a frame.
pub(super) fn write(packetizer: &mut Packetizer, payload: &JpegPayload<'_>, timestamp_90k: u32) {
    reserve(packetizer, payload.scan.len());
    let mut header = Vec::with_capacity(MAIN_BYTES + RESTART_BYTES + TABLES_BYTES);
    header.extend(main_header(payload));
    if let Some(interval) = payload.restart_interval {
        header.extend(interval.to_be_bytes());
        header.extend(RESTARTS_ANYWHERE);
    }
    let header_bytes = header.len();
    header.extend(TABLES_HEADER);
    payload
        .tables
        .iter()
        .for_each(|table| header.extend(*table));
    let mut rest = payload.scan;
    loop {
        let room = packetizer.packet_bytes.get() - RTP_HEADER_BYTES - header.len();
        let (scan, behind) = rest.split_at(room.min(rest.len()));
        let marker = if behind.is_empty() {
            Marker::Set
        } else {
            Marker::Clear
        };
        // `JpegPayload` has no scan that 24 bits do not count.
        let [_, offset @ ..] = ((payload.scan.len() - rest.len()) as u32).to_be_bytes();
        header[1..4].copy_from_slice(&offset);
        packetizer.packet(timestamp_90k, marker, &header, scan);
        header.truncate(header_bytes);
        rest = behind;
        if rest.is_empty() {
            return;
        }
    }
}

/// Makes room for the frame at once.
fn reserve(packetizer: &mut Packetizer, scan_bytes: usize) {
    let headers = packetizer.framing.bytes() + RTP_HEADER_BYTES + MAIN_BYTES + RESTART_BYTES;
    let packets = scan_bytes / (packetizer.packet_bytes.get() - headers) + 2;
    let bytes = scan_bytes + packets * headers + TABLES_BYTES;
    packetizer.buffer.reserve(bytes);
}

/// Without its offset, which is each packet's own.
fn main_header(payload: &JpegPayload<'_>) -> [u8; MAIN_BYTES] {
    let restarts = payload.restart_interval.map_or(0, |_| TYPE_WITH_RESTARTS);
    let jpeg_type = payload.jpeg_type + restarts;
    let [width, height] = payload.size_8_px;
    // Type-specific 0: the picture is no half of interlaced video (§4.1).
    [0, 0, 0, 0, jpeg_type, Q_TABLES_IN_EACH_FRAME, width, height]
}
