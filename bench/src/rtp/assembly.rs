//! Which frames of RTP/JPEG arrive whole (RFC 3550, RFC 2435), and of what moment they are.

use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use eyelid_bench::picture::stamp_of_table;

/// RTP's header without contributing sources (RFC 3550, section 5.1).
const HEADER_BYTES: usize = 12;

/// JPEG's main header, that of restart markers, and that of tables (RFC 2435, section 3.1).
const MAIN_BYTES: usize = 8;
const RESTART_BYTES: usize = 4;
const TABLES_HEADER_BYTES: usize = 4;

/// Types from here on have a restart marker header; from this Q on, the first packet of a frame has
/// tables.
const TYPE_WITH_RESTARTS: u8 = 64;
const Q_WITH_TABLES: u8 = 128;

/// No frame is as old.
const PLAUSIBLE: Duration = Duration::from_secs(60);

/// Puts the packets of one stream together.
#[derive(Default)]
pub(crate) struct Assembly {
    next_sequence: Option<u16>,
    frame: Option<Partial>,
    counts: Counts,
}

/// What has come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Frames of which at least one packet came. The last may not have ended.
    pub(crate) frames: u64,
    /// Packets that came.
    pub(crate) packets: u64,
    /// Packets that did not, by the numbers of those around them.
    pub(crate) lost: u64,
}

/// A frame that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The moment in its table, if there can be one.
    pub(crate) captured: Option<SystemTime>,
    /// When its last packet came.
    pub(crate) at: SystemTime,
    /// The bytes of its scan.
    pub(crate) bytes: usize,
}

/// A frame that has not ended.
struct Partial {
    timestamp: u32,
    captured: Option<SystemTime>,
    /// All up to here has come.
    bytes: usize,
    is_whole: bool,
}

impl Assembly {
    /// Takes a packet that came at this moment. Gives the frame that is whole with it.
    ///
    /// # Errors
    /// It is no packet of a JPEG.
    pub(crate) fn push(&mut self, packet: &[u8], at: SystemTime) -> anyhow::Result<Option<Frame>> {
        let (header, payload) = packet.split_at_checked(HEADER_BYTES).context("no header")?;
        ensure!(header[0] == 0x80, "a header of RTP with more in it");
        let is_last = header[1] & 0x80 != 0;
        let sequence = u16::from_be_bytes([header[2], header[3]]);
        let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        self.counts.packets += 1;
        let expected = self.next_sequence.replace(sequence.wrapping_add(1));
        let lost = sequence.wrapping_sub(expected.unwrap_or(sequence));
        self.counts.lost += u64::from(lost);
        // A gap before a frame's first packet is the frame's before, which stays without its end.
        let mut frame = match self.frame.take() {
            Some(frame) if frame.timestamp == timestamp => frame,
            _ => {
                self.counts.frames += 1;
                Partial::new(timestamp)
            }
        };
        frame.push(payload)?;
        if is_last {
            return Ok(frame.end(at));
        }
        self.frame = Some(frame);
        Ok(None)
    }

    /// What has come since it was made.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}

impl Counts {
    /// What has come since these.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            frames: self.frames - before.frames,
            packets: self.packets - before.packets,
            lost: self.lost - before.lost,
        }
    }
}

impl Frame {
    /// How old it was when its last packet came.
    ///
    /// # Errors
    /// It does not say of what moment it is, or of none that can be.
    pub(crate) fn age(&self) -> anyhow::Result<Duration> {
        let captured = self.captured.context("a frame without a stamp")?;
        let age = self.at.duration_since(captured).unwrap_or_default();
        ensure!(age < PLAUSIBLE, "a frame with a wrong stamp");
        Ok(age)
    }
}

impl Partial {
    fn new(timestamp: u32) -> Self {
        Self {
            timestamp,
            captured: None,
            bytes: 0,
            is_whole: true,
        }
    }

    fn push(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        let (main, mut rest) = payload.split_at_checked(MAIN_BYTES).context("no header")?;
        let offset = u32::from_be_bytes([0, main[1], main[2], main[3]]) as usize;
        if main[4] >= TYPE_WITH_RESTARTS {
            (_, rest) = rest.split_at_checked(RESTART_BYTES).context("cut off")?;
        }
        if main[5] >= Q_WITH_TABLES && offset == 0 {
            let (header, behind) = rest
                .split_at_checked(TABLES_HEADER_BYTES)
                .context("no tables")?;
            let bytes = u16::from_be_bytes([header[2], header[3]]).into();
            let tables;
            (tables, rest) = behind.split_at_checked(bytes).context("cut off")?;
            self.captured = tables.first_chunk().and_then(stamp_of_table);
        }
        self.is_whole &= offset == self.bytes;
        self.bytes = offset + rest.len();
        Ok(())
    }

    fn end(self, at: SystemTime) -> Option<Frame> {
        self.is_whole.then_some(Frame {
            captured: self.captured,
            at,
            bytes: self.bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with so much of a scan at an offset, in a frame of this time.
    fn packet(sequence: u16, timestamp: u32, offset: u8, bytes: usize, is_last: bool) -> Vec<u8> {
        let marker = if is_last { 0x80 } else { 0 };
        let mut packet = vec![0x80, marker | 26];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend([0, 0, 0, offset, 1, 255, 80, 60]);
        if offset == 0 {
            packet.extend([0, 0, 0, 128]);
            packet.extend([7; 128]);
        }
        packet.resize(packet.len() + bytes, 0);
        packet
    }

    fn whole(packets: &[Vec<u8>]) -> (Vec<usize>, Counts) {
        let mut assembly = Assembly::default();
        let at = SystemTime::UNIX_EPOCH;
        let frames = packets.iter().filter_map(|packet| {
            let frame = assembly.push(packet, at).unwrap();
            frame.map(|frame| frame.bytes)
        });
        (frames.collect(), assembly.counts())
    }

    #[test]
    fn frames_are_whole_that_have_all_their_packets() {
        let packets: Vec<_> = (0..9_u16)
            .map(|number| {
                let (frame, part) = (number / 3, number % 3);
                let sequence = number.wrapping_sub(2);
                packet(sequence, frame.into(), part as u8 * 10, 10, part == 2)
            })
            .collect();
        let counts = Counts {
            frames: 3,
            packets: 9,
            lost: 0,
        };
        assert_eq!(whole(&packets), (vec![30, 30, 30], counts));
        // The first of a frame, one between, and the last, which no later one tells of at once.
        for (missing, frames) in [(3, 3), (4, 3), (5, 3), (0, 3)] {
            let mut some = packets.clone();
            some.remove(missing);
            let (bytes, counts) = whole(&some);
            assert_eq!(bytes, [30, 30], "without {missing}");
            assert_eq!((counts.frames, counts.packets), (frames, 8));
            assert_eq!(counts.lost, u64::from(missing > 0), "without {missing}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_a_packet() {
        let mut assembly = Assembly::default();
        let good = packet(1, 1, 0, 10, false);
        for bytes in [0, 11, 15, 22, 60] {
            assert!(
                assembly
                    .push(&good[..bytes], SystemTime::UNIX_EPOCH)
                    .is_err()
            );
        }
    }
}
