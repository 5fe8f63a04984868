//! RFC 6184 with packetization mode 1: the packets of an access unit of H.264.

use std::sync::Arc;

use eyelid_h264::{NalType, nal_units};

use super::{Marker, PacketBytes, Packetizer, RTP_HEADER_BYTES};

/// Types that RFC 6184 adds (§5.2): several units in a packet, and a fragment of one.
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// The parts of a NAL unit's first byte (§1.3): whether it is broken, how much it matters, its
/// type.
const FORBIDDEN: u8 = 0x80;
const IMPORTANCE: u8 = 0x60;
const TYPE: u8 = 0x1F;

/// A fragment is the first, or the last (§5.8).
const START: u8 = 0x80;
const END: u8 = 0x40;

/// A packet with several units has two bytes for the length of each (§5.7.1).
const LENGTH_BYTES: usize = 2;

/// By how many bytes the first packet is smaller at most; the smallest one has 256.
const FIRST_LESS_BYTES: u8 = 200;

/// What the packets of an access unit of H.264 have behind RTP's header, for who writes that, and
/// wants them for several receivers: by RFC 6184, of NAL units with start codes before them (ITU-T
/// H.264, annex B). With a header of 12 bytes each is a packet of this size at most, the first one
/// of so many bytes (at most 200) less: those are for extensions that only its header has. The last
/// one has the marker. Without a start code, there are none.
pub fn h264_payloads(
    annex_b: &[u8],
    packet_bytes: PacketBytes,
    first_less_bytes: u8,
) -> Vec<Arc<[u8]>> {
    let later_bytes = packet_bytes.get() - RTP_HEADER_BYTES;
    let room = Room {
        bytes: later_bytes - usize::from(first_less_bytes.min(FIRST_LESS_BYTES)),
        later_bytes,
    };
    let (mut payloads, mut joined) = (Vec::new(), Vec::new());
    cut(annex_b, room, &mut |_, header, data| {
        joined.clear();
        joined.extend_from_slice(header);
        joined.extend_from_slice(data);
        payloads.push(joined.as_slice().into());
    });
    payloads
}

/// How many bytes the next packet has behind RTP's header at most, and those after it.
#[derive(Clone, Copy)]
struct Room {
    bytes: usize,
    later_bytes: usize,
}

/// Writes the packets of an access unit.
pub(super) fn write(packetizer: &mut Packetizer, annex_b: &[u8], timestamp_90k: u32) {
    let bytes = packetizer.packet_bytes.get() - RTP_HEADER_BYTES;
    let room = Room {
        bytes,
        later_bytes: bytes,
    };
    cut(annex_b, room, &mut |marker, header, data| {
        packetizer.packet(timestamp_90k, marker, header, data);
    });
}

/// Gives each packet's marker, and what is behind RTP's header, in two parts.
fn cut(annex_b: &[u8], mut room: Room, packet: &mut impl FnMut(Marker, &[u8], &[u8])) {
    // Timestamps and markers tell access units apart here.
    let units: Vec<&[u8]> = nal_units(annex_b)
        .filter(|unit| NalType::of(unit) != Some(NalType::Delimiter))
        .collect();
    let mut rest = &units[..];
    while !rest.is_empty() {
        let (group, behind) = rest.split_at(count_that_go_together(rest, room.bytes));
        rest = behind;
        let marker = if rest.is_empty() {
            Marker::Set
        } else {
            Marker::Clear
        };
        match group {
            [unit] if unit.len() <= room.bytes => packet(marker, &[], unit),
            [unit] => fragment(marker, unit, room, packet),
            _ => aggregate(marker, group, packet),
        }
        room.bytes = room.later_bytes;
    }
}

/// How many of the first units go into one packet: one, or several small ones that fit.
fn count_that_go_together(units: &[&[u8]], room: usize) -> usize {
    let mut bytes = 1;
    let small = units.iter().take_while(|unit| {
        bytes += LENGTH_BYTES + unit.len();
        is_small(unit) && bytes <= room
    });
    small.count().max(1)
}

/// Supplemental information, and what a decoder has to know before the picture.
fn is_small(unit: &[u8]) -> bool {
    matches!(
        NalType::of(unit),
        Some(NalType::Sei | NalType::Sps | NalType::Pps)
    )
}

fn aggregate(marker: Marker, units: &[&[u8]], packet: &mut impl FnMut(Marker, &[u8], &[u8])) {
    let first_bytes = || units.iter().filter_map(|unit| unit.first());
    let forbidden = first_bytes().fold(0, |bits, byte| bits | byte & FORBIDDEN);
    let importance = first_bytes().map(|byte| byte & IMPORTANCE).max();
    let mut data = Vec::new();
    for unit in units {
        // They fit in a packet together.
        data.extend((unit.len() as u16).to_be_bytes());
        data.extend_from_slice(unit);
    }
    let header = forbidden | importance.unwrap_or(0) | STAP_A;
    packet(marker, &[header], &data);
}

fn fragment(
    marker: Marker,
    unit: &[u8],
    room: Room,
    packet: &mut impl FnMut(Marker, &[u8], &[u8]),
) {
    let Some((&first_byte, data)) = unit.split_first() else {
        return;
    };
    let indicator = first_byte & !TYPE | FU_A;
    // It has more than there is room for.
    let (first, later) = data.split_at(room.bytes - 2);
    let later = later.chunks(room.later_bytes - 2);
    let last = later.len();
    for (number, fragment) in std::iter::once(first).chain(later).enumerate() {
        let start = if number == 0 { START } else { 0 };
        let (end, marker) = if number == last {
            (END, marker)
        } else {
            (0, Marker::Clear)
        };
        let header = [indicator, start | end | first_byte & TYPE];
        packet(marker, &header, fragment);
    }
}
