//! A receiver of RFC 2435 for tests and fuzzing: strict, and written from the RFC alone, so that it
//! shares no mistake with what is tested.

use eyelid_jpeg::STANDARD_TABLES;

/// What a receiver knows of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReceivedFrame {
    pub(crate) timestamp_90k: u32,
    pub(crate) jpeg_type: u8,
    pub(crate) width_px: u16,
    pub(crate) height_px: u16,
    pub(crate) restart_interval: u16,
    pub(crate) tables: Vec<u8>,
    pub(crate) scan: Vec<u8>,
}

/// Reads bytes from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self, count: usize) -> u32 {
        let bytes = self.take(count);
        bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
    }
}

/// Puts the packets of one frame together, which have these sequence numbers on and came in order.
pub(crate) fn receive<'a>(
    packets: impl Iterator<Item = &'a [u8]>,
    first_sequence: u16,
    ssrc: u32,
) -> ReceivedFrame {
    let mut frame = None;
    let mut sequence = first_sequence;
    let mut ended = false;
    for packet in packets {
        assert!(!ended, "a packet behind the one with the marker");
        let mut packet = Bytes(packet);
        assert_eq!(packet.number(1), 0x80);
        let marker_and_type = packet.number(1);
        assert_eq!(marker_and_type & 0x7F, 26);
        ended = marker_and_type & 0x80 != 0;
        assert_eq!(packet.number(2), u32::from(sequence));
        sequence = sequence.wrapping_add(1);
        let timestamp_90k = packet.number(4);
        assert_eq!(packet.number(4), ssrc);
        jpeg(packet, timestamp_90k, &mut frame);
    }
    assert!(ended, "no packet with a marker");
    frame.unwrap_or_else(|| panic!("no packet"))
}

fn jpeg(mut packet: Bytes<'_>, timestamp_90k: u32, frame: &mut Option<ReceivedFrame>) {
    assert_eq!(packet.number(1), 0, "type-specific");
    let offset = packet.number(3) as usize;
    let jpeg_type = packet.number(1) as u8;
    assert_eq!(packet.number(1), 255, "Q");
    let width_px = packet.number(1) as u16 * 8;
    let height_px = packet.number(1) as u16 * 8;
    let mut restart_interval = 0;
    if jpeg_type >= 64 {
        restart_interval = packet.number(2) as u16;
        assert_eq!(packet.number(2), 0xFFFF, "F, L and count");
    }
    let mut tables = vec![];
    if offset == 0 {
        assert_eq!(packet.number(1), 0, "must be zero");
        assert_eq!(packet.number(1), 0, "precision");
        assert_eq!(packet.number(2), 128, "length");
        tables = packet.take(128).to_vec();
    }
    let first = frame.get_or_insert_with(|| ReceivedFrame {
        timestamp_90k,
        jpeg_type,
        width_px,
        height_px,
        restart_interval,
        tables,
        scan: vec![],
    });
    assert_eq!(first.timestamp_90k, timestamp_90k);
    assert_eq!(first.jpeg_type, jpeg_type);
    assert_eq!((first.width_px, first.height_px), (width_px, height_px));
    assert_eq!(first.restart_interval, restart_interval);
    assert_eq!(first.scan.len(), offset);
    first.scan.extend(packet.0);
}

impl ReceivedFrame {
    /// The JPEG that a receiver makes of it (RFC 2435, appendix B).
    pub(crate) fn jpeg(&self) -> Vec<u8> {
        let mut jpeg = vec![0xFF, 0xD8];
        for (number, table) in (0..).zip(self.tables.chunks(64)) {
            jpeg.extend([0xFF, 0xDB, 0, 67, number]);
            jpeg.extend(table);
        }
        if self.restart_interval > 0 {
            jpeg.extend([0xFF, 0xDD, 0, 4]);
            jpeg.extend(self.restart_interval.to_be_bytes());
        }
        jpeg.extend([0xFF, 0xC0, 0, 17, 8]);
        jpeg.extend(self.height_px.to_be_bytes());
        jpeg.extend(self.width_px.to_be_bytes());
        let factors = if self.jpeg_type & 1 == 0 { 0x21 } else { 0x22 };
        jpeg.extend([3, 0, factors, 0, 1, 0x11, 1, 2, 0x11, 1]);
        jpeg.extend(STANDARD_TABLES);
        jpeg.extend([0xFF, 0xDA, 0, 12, 3, 0, 0, 1, 0x11, 2, 0x11, 0, 63, 0]);
        jpeg.extend(&self.scan);
        jpeg.extend([0xFF, 0xD9]);
        jpeg
    }
}
