//! RFC 6184 with packetization mode 1: the packets of an access unit of H.264.

use memchr::memmem;

use super::{Marker, Packetizer, RTP_HEADER_BYTES};

/// Types of NAL units (ITU-T H.264, table 7-1): supplemental information, and what a decoder has to
/// know before the picture. They are small.
const SEI: u8 = 6;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;

/// What tells access units apart, as timestamps and markers do here.
const DELIMITER: u8 = 9;

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
    let units: Vec<&[u8]> = nal_units(annex_b)
        .filter(|unit| unit_type(unit) != DELIMITER)
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

/// The units between start codes, without the zeros that may follow. There is none without its
/// first byte.
fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = memmem::find_iter(annex_b, &[0, 0, 1]).map(|at| at + 3);
    let mut start = starts.next();
    std::iter::from_fn(move || {
        let from = start?;
        start = starts.next();
        let end = start.map_or(annex_b.len(), |next| next - 3);
        Some(&annex_b[from..end])
    })
    .filter_map(|unit| {
        let last = unit.iter().rposition(|byte| *byte != 0)?;
        Some(&unit[..=last])
    })
}

fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & TYPE)
}

/// How many of the first units go into one packet: one, or several small ones that fit.
fn count_that_go_together(units: &[&[u8]], room: usize) -> usize {
    let mut bytes = 1;
    let small = units.iter().take_while(|unit| {
        bytes += LENGTH_BYTES + unit.len();
        let kind = unit_type(unit);
        matches!(kind, SEI | SEQUENCE_PARAMETERS | PICTURE_PARAMETERS) && bytes <= room
    });
    small.count().max(1)
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
