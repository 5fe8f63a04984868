//! Where a JPEG starts and ends and how large its picture is, read from its markers (ITU-T T.81,
//! annex B).
//!
//! Frames from strangers arrive in pieces. [`Walker`] follows the markers instead of searching for
//! `FF D9`, which may lie in a thumbnail or a comment as well. Nothing is decoded here.

use eyelid_slot::MAX_FRAME_BYTES;

use crate::markers::{EOI, SOI, SOS, is_frame_header};
use crate::segments::segments;

/// What a JPEG's frame header (SOFn) says of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of colour components: 1 grey, 3 colour, 4 CMYK.
    pub components: u8,
}

impl Header {
    /// Reads the frame header of a JPEG that was walked before, and no further. `None` where there
    /// is none before its first scan, or it is broken.
    pub fn of(jpeg: &[u8]) -> Option<Self> {
        let header = segments(jpeg).find(|segment| is_frame_header(segment.code))?;
        frame_header(header.code, header.payload.first_chunk()?).ok()
    }
}

/// Why bytes are not a JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The bytes do not start with SOI.
    #[error("not a JPEG (no FF D8 at its start)")]
    NoStart,
    /// A byte that is no marker stands where one must be.
    #[error("broken JPEG (byte {0:#04x} where a marker must be)")]
    NoMarker(u8),
    /// A marker that cannot stand here, such as a second SOI.
    #[error("broken JPEG (marker FF {0:02X} out of place)")]
    Misplaced(u8),
    /// A segment with an impossible length.
    #[error("broken JPEG (segment FF {0:02X} has an impossible length)")]
    Length(u8),
    /// The end came without a picture before it.
    #[error("broken JPEG (it ends before its picture)")]
    NoPicture,
    /// More than [`MAX_FRAME_BYTES`].
    #[error("JPEG larger than {MAX_FRAME_BYTES} bytes")]
    TooLarge,
    /// The bytes end before the JPEG does.
    #[error("JPEG cut off after {0} bytes")]
    CutOff(usize),
}

/// How far a [`Walker`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were used; the JPEG goes on.
    More,
    /// The JPEG ended after this many of the bytes given last.
    Done(usize),
}

/// Follows the markers of one JPEG through bytes that arrive in any pieces.
#[derive(Clone, Debug)]
pub struct Walker {
    position: Position,
    header: Option<Header>,
    scanned: bool,
    first_scan_end: Option<usize>,
    total: usize,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    Start,
    StartCode,
    Marker,
    Code,
    Length(u8),
    LengthLow(u8, u8),
    Body {
        code: u8,
        at: u8,
        left: u16,
        sof: [u8; 6],
    },
    Scan,
    ScanCode,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            position: Position::Start,
            header: None,
            scanned: false,
            first_scan_end: None,
            total: 0,
        }
    }
}

impl Walker {
    /// Takes the next bytes. After [`Progress::Done`] or an error the walker is spent: make a new
    /// one.
    ///
    /// # Errors
    /// What makes the bytes no JPEG. The byte at which it shows has been used.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, JpegError> {
        let mut at = 0;
        while at < bytes.len() {
            let (used, done) = self.step(&bytes[at..])?;
            at += used;
            self.total += used;
            if done {
                return Ok(Progress::Done(at));
            }
            if self.total > MAX_FRAME_BYTES {
                return Err(JpegError::TooLarge);
            }
        }
        Ok(Progress::More)
    }

    /// What the picture's header said, once it has passed.
    pub fn header(&self) -> Option<Header> {
        self.header
    }

    /// Where the marker that ended the first scan starts, once it has passed: after this many of
    /// all bytes that were fed.
    pub(crate) fn first_scan_end(&self) -> Option<usize> {
        self.first_scan_end
    }

    /// Advances over at least one byte; gives how many, and whether that was the end. It is longer
    /// than other functions because it is a table: one arm for each position.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, bool), JpegError> {
        let byte = bytes[0];
        self.position = match self.position {
            Position::Start if byte == 0xFF => Position::StartCode,
            Position::StartCode if byte == SOI => Position::Marker,
            Position::Start | Position::StartCode => return Err(JpegError::NoStart),
            Position::Marker if byte == 0xFF => Position::Code,
            Position::Marker => return Err(JpegError::NoMarker(byte)),
            Position::Code => match byte {
                0xFF => Position::Code,
                0x01 => Position::Marker,
                EOI if self.header.is_some() && self.scanned => return Ok((1, true)),
                EOI => return Err(JpegError::NoPicture),
                0x00 | 0x02..=0xBF | 0xD0..=SOI => return Err(JpegError::Misplaced(byte)),
                SOS if self.header.is_none() => return Err(JpegError::NoPicture),
                code => self.segment(code)?,
            },
            Position::Length(code) => Position::LengthLow(code, byte),
            Position::LengthLow(code, high) => {
                let length = u16::from_be_bytes([high, byte]);
                let least = if is_frame_header(code) { 8 } else { 2 };
                if length < least {
                    return Err(JpegError::Length(code));
                }
                after_body(Position::Body {
                    code,
                    at: 0,
                    left: length - 2,
                    sof: [0; 6],
                })
            }
            Position::Body {
                code,
                at,
                left,
                mut sof,
            } if is_frame_header(code) && at < 6 => {
                sof[usize::from(at)] = byte;
                if at == 5 {
                    self.header = Some(frame_header(code, &sof)?);
                }
                after_body(Position::Body {
                    code,
                    at: at + 1,
                    left: left - 1,
                    sof,
                })
            }
            Position::Body {
                code,
                at,
                left,
                sof,
            } => {
                let used = usize::from(left).min(bytes.len());
                // `used` is at most `left`, which is a u16.
                self.position = after_body(Position::Body {
                    code,
                    at,
                    left: left - used as u16,
                    sof,
                });
                return Ok((used, false));
            }
            Position::Scan => {
                self.scanned = true;
                // Most are data (a zero is stuffed behind) or restart the scan: to step to each
                // would take as long as to find them all.
                let mut found = memchr::memchr_iter(0xFF, bytes);
                let next = found.find(|at| !matches!(bytes.get(at + 1), Some(0x00 | 0xD0..=0xD7)));
                self.position = if next.is_some() {
                    Position::ScanCode
                } else {
                    Position::Scan
                };
                return Ok((next.map_or(bytes.len(), |n| n + 1), false));
            }
            Position::ScanCode => match byte {
                0x00 | 0xD0..=0xD7 => Position::Scan,
                0xFF => Position::ScanCode,
                0x01..=0xBF | SOI => return Err(JpegError::Misplaced(byte)),
                code => {
                    // `total` does not have this byte yet, but the 0xFF before it.
                    self.first_scan_end.get_or_insert(self.total - 1);
                    if code == EOI {
                        return Ok((1, true));
                    }
                    self.segment(code)?
                }
            },
        };
        Ok((1, false))
    }

    /// A second frame header is another JPEG's, whose start fell victim to the loss of bytes before
    /// it.
    fn segment(&self, code: u8) -> Result<Position, JpegError> {
        if is_frame_header(code) && self.header.is_some() {
            return Err(JpegError::Misplaced(code));
        }
        Ok(Position::Length(code))
    }
}

/// Where the walk is when `body` may have nothing left.
fn after_body(body: Position) -> Position {
    match body {
        Position::Body {
            code: SOS, left: 0, ..
        } => Position::Scan,
        Position::Body { left: 0, .. } => Position::Marker,
        _ => body,
    }
}

fn frame_header(code: u8, sof: &[u8; 6]) -> Result<Header, JpegError> {
    let header = Header {
        height: u32::from(u16::from_be_bytes([sof[1], sof[2]])),
        width: u32::from(u16::from_be_bytes([sof[3], sof[4]])),
        components: sof[5],
    };
    if header.width == 0 || header.height == 0 || header.components == 0 {
        return Err(JpegError::Length(code));
    }
    Ok(header)
}

/// Walks a whole JPEG; gives its header and its length in bytes, which may be less than `bytes`
/// has.
///
/// # Errors
/// What makes it no JPEG, or [`JpegError::CutOff`].
pub fn whole(bytes: &[u8]) -> Result<(Header, usize), JpegError> {
    let mut walker = Walker::default();
    match (walker.feed(bytes)?, walker.header()) {
        (Progress::Done(length), Some(header)) => Ok((header, length)),
        _ => Err(JpegError::CutOff(bytes.len())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A small picture's markers with everything that misleads a search for FF D9: a thumbnail in
    /// APP1, a comment with EOI, fill bytes, stuffed and restart bytes in the scan, and a second
    /// scan.
    pub(crate) fn tricky() -> Vec<u8> {
        let mut jpeg = vec![0xFF, SOI];
        jpeg.extend([0xFF, 0xE1, 0, 10, 0xFF, 0xD8, 1, 2, 3, 4, 0xFF, 0xD9]);
        jpeg.extend([0xFF, 0xFF, 0xFF, 0xFE, 0, 4, 0xFF, 0xD9]);
        jpeg.extend([0xFF, 0xC2, 0, 11, 8, 1, 0xE0, 2, 0x80, 1, 1, 0x11, 0]);
        jpeg.extend([0xFF, SOS, 0, 8, 1, 1, 0, 0, 63, 0]);
        jpeg.extend([0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD3, 0x56]);
        jpeg.extend([0xFF, 0xC4, 0, 3, 0]);
        jpeg.extend([0xFF, SOS, 0, 8, 1, 1, 0, 0, 63, 0, 0x78, 0xFF, EOI]);
        jpeg
    }

    #[test]
    fn a_frame_header_is_read_without_the_rest() {
        let jpeg = tricky();
        let (header, _) = whole(&jpeg).unwrap();
        assert_eq!(Header::of(&jpeg), Some(header));
        let scan = jpeg
            .windows(2)
            .position(|bytes| bytes == [0xFF, SOS])
            .unwrap();
        assert_eq!(Header::of(&jpeg[..scan]), Some(header), "no scan");
        assert_eq!(Header::of(&jpeg[..scan - 1]), None);
        assert_eq!(Header::of(&[0xFF, SOI, 0xFF, EOI]), None);
        assert_eq!(Header::of(&[]), None);
    }

    #[test]
    fn finds_the_end_at_every_split() {
        let mut bytes = tricky();
        let length = bytes.len();
        bytes.extend(b"after");
        for split in 0..=length {
            let mut walker = Walker::default();
            let first = walker.feed(&bytes[..split]).unwrap();
            if split == length {
                assert_eq!(first, Progress::Done(length));
            } else {
                assert_eq!(first, Progress::More, "at {split}");
                assert_eq!(
                    walker.feed(&bytes[split..]).unwrap(),
                    Progress::Done(length - split),
                    "at {split}"
                );
            }
            assert_eq!(
                walker.header(),
                Some(Header {
                    width: 640,
                    height: 480,
                    components: 1
                })
            );
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(whole(b"GIF89a"), Err(JpegError::NoStart));
        assert_eq!(whole(&[0xFF, SOI, 0x00]), Err(JpegError::NoMarker(0)));
        assert_eq!(whole(&[0xFF, SOI, 0xFF, EOI]), Err(JpegError::NoPicture));
        assert_eq!(
            whole(&[0xFF, SOI, 0xFF, SOI]),
            Err(JpegError::Misplaced(SOI))
        );
        assert_eq!(
            whole(&[0xFF, SOI, 0xFF, 0xE0, 0, 1]),
            Err(JpegError::Length(0xE0))
        );
        let jpeg = tricky();
        assert_eq!(
            whole(&jpeg[..jpeg.len() - 1]),
            Err(JpegError::CutOff(jpeg.len() - 1))
        );
        let mut restarted = jpeg[..jpeg.len() - 2].to_vec();
        restarted.extend(&jpeg);
        assert_eq!(whole(&restarted), Err(JpegError::Misplaced(SOI)));
        // Cut off in its scan's header, which then swallows the start of the next one.
        let header = jpeg.windows(2).position(|w| w == [0xFF, SOS]).unwrap();
        let mut glued = jpeg[..header + 6].to_vec();
        glued.extend([0xFF, SOI]);
        glued.extend(&jpeg[14..]);
        assert_eq!(whole(&glued), Err(JpegError::Misplaced(0xC2)));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_depends_on_the_pieces(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            valid in any::<bool>(),
            splits in proptest::collection::vec(1usize..20, 1..50),
        ) {
            if valid {
                let at = bytes.len() % 40;
                let tail = bytes.split_off(bytes.len() / 2);
                bytes = tricky();
                let end = (at + tail.len() % 3).min(bytes.len());
                bytes.splice(at..end, tail.iter().take(2).copied());
            }
            let at_once = Walker::default().feed(&bytes);
            let mut walker = Walker::default();
            let (mut used, mut result) = (0, Ok(Progress::More));
            for size in splits.iter().cycle() {
                let piece = &bytes[used..(used + size).min(bytes.len())];
                result = walker.feed(piece);
                if piece.is_empty() || result != Ok(Progress::More) {
                    break;
                }
                used += piece.len();
            }
            if let Ok(Progress::Done(n)) = result {
                result = Ok(Progress::Done(used + n));
            }
            prop_assert_eq!(result, at_once);
            let _ = segments(&bytes).count();
        }
    }
}
