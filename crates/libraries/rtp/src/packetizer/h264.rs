//! RFC 6184 with packetization mode 1: the packets of an access unit of H.264.

use eyelid_h264::{NalType, nal_units};

use super::{Marker, Packetizer, RTP_HEADER_BYTES};

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

/// Writes the packets of an access unit, whose NAL units have start codes before them (ITU-T H.264,
/// annex B).
pub(super) fn write(packetizer: &mut Packetizer, annex_b: &[u8], timestamp_90k: u32) {
    let room = packetizer.packet_bytes.get() - RTP_HEADER_BYTES;
    // Timestamps and markers tell access units apart here.
    let units: Vec<&[u8]> = nal_units(annex_b)
        .filter(|unit| NalType::of(unit) != Some(NalType::Delimiter))
        .collect();
    let mut rest = &units[..];
    while !rest.is_empty() {
        let (group, behind) = rest.split_at(count_that_go_together(rest, room));
        rest = behind;
        let marker = if rest.is_empty() {
            Marker::Set
        } else {
            Marker::Clear
        };
        match group {
            [unit] if unit.len() <= room => packetizer.packet(timestamp_90k, marker, &[], unit),
            [unit] => fragment(packetizer, timestamp_90k, marker, unit, room),
            _ => aggregate(packetizer, timestamp_90k, marker, group),
        }
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

fn aggregate(packetizer: &mut Packetizer, timestamp_90k: u32, marker: Marker, units: &[&[u8]]) {
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
    packetizer.packet(timestamp_90k, marker, &[header], &data);
}

fn fragment(
    packetizer: &mut Packetizer,
    timestamp_90k: u32,
    marker: Marker,
    unit: &[u8],
    room: usize,
) {
    let Some((&first_byte, data)) = unit.split_first() else {
        return;
    };
    let indicator = first_byte & !TYPE | FU_A;
    let fragments = data.chunks(room - 2);
    let last = fragments.len().saturating_sub(1);
    for (number, fragment) in fragments.enumerate() {
        let start = if number == 0 { START } else { 0 };
        let (end, marker) = if number == last {
            (END, marker)
        } else {
            (0, Marker::Clear)
        };
        let header = [indicator, start | end | first_byte & TYPE];
        packetizer.packet(timestamp_90k, marker, &header, fragment);
    }
}
