//! Finds the JPEGs in a stream of bytes, whatever stands between them.

use std::time::SystemTime;

use eyelid_slot::MAX_FRAME_BYTES;

use crate::markers::SOI;
use crate::walk::{JpegError, Progress, Walker};

/// Every JPEG starts with SOI and the first byte of another marker.
const START: [u8; 3] = [0xFF, SOI, 0xFF];

/// In pieces of so many bytes a stream is looked at where JPEGs have a bound.
const PIECE_BYTES: usize = 16 << 10;

/// What is kept of the bytes before a JPEG where they are wanted: the head of a part, of which
/// servers send a quarter of this.
const PREAMBLE_BYTES: usize = 2048;

/// Splits a stream and keeps the newest complete JPEG. It holds at most two, in memory that it uses
/// again.
#[derive(Debug)]
pub struct Splitter {
    place: Place,
    building: Vec<u8>,
    started: SystemTime,
    newest: Vec<u8>,
    captured: Option<SystemTime>,
    count: u64,
    broken: u64,
    last_error: Option<JpegError>,
    max_bytes: usize,
    preambles: Option<Preambles>,
}

/// What stands before JPEGs.
#[derive(Debug, Default)]
struct Preambles {
    /// Since the end of the last one.
    coming: Vec<u8>,
    building: Vec<u8>,
    newest: Vec<u8>,
}

#[derive(Debug)]
enum Place {
    /// This many bytes of [`START`] have come.
    Between(usize),
    Inside(Walker),
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            place: Place::Between(0),
            building: Vec::new(),
            started: SystemTime::UNIX_EPOCH,
            newest: Vec::new(),
            captured: None,
            count: 0,
            broken: 0,
            last_error: None,
            max_bytes: MAX_FRAME_BYTES,
            preambles: None,
        }
    }
}

impl Preambles {
    /// Takes bytes that belong to no JPEG. The last ones are kept.
    fn pass_over(&mut self, bytes: &[u8]) {
        let kept = PREAMBLE_BYTES.saturating_sub(bytes.len());
        if self.coming.len() > kept {
            self.coming.drain(..self.coming.len() - kept);
        }
        let last = &bytes[bytes.len().saturating_sub(PREAMBLE_BYTES)..];
        self.coming.extend_from_slice(last);
    }

    fn begin(&mut self) {
        std::mem::swap(&mut self.coming, &mut self.building);
        self.coming.clear();
    }

    fn complete(&mut self) {
        std::mem::swap(&mut self.building, &mut self.newest);
    }
}

/// A JPEG in the stream has more bytes than one may have. Nothing of the stream is of use then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a picture has more than {max_bytes} bytes")]
pub struct TooLong {
    /// How many it may have.
    pub max_bytes: usize,
}

impl Splitter {
    /// Holds JPEGs of so many bytes at most.
    pub fn with_max_bytes(max_bytes: usize) -> Self {
        Self {
            max_bytes: max_bytes.min(MAX_FRAME_BYTES),
            ..Self::default()
        }
    }

    /// Keeps what stands before each JPEG, too, its last 2 KiB: the head of a part of multipart, of
    /// whatever form.
    pub fn with_preambles() -> Self {
        Self {
            preambles: Some(Preambles::default()),
            ..Self::default()
        }
    }

    /// What stood between the JPEG before the newest and that, with the first bytes of the newest
    /// behind it, which are no text. Empty where it is not kept.
    pub fn newest_preamble(&self) -> &[u8] {
        self.preambles.as_ref().map_or(&[], |it| &it.newest)
    }

    /// Exchanges the newest complete JPEG for memory that is used again; gives the moment at which
    /// its first byte arrived. Nothing is exchanged where there is none.
    pub fn exchange_newest(&mut self, jpeg: &mut Vec<u8>) -> Option<SystemTime> {
        let captured = self.captured.take()?;
        std::mem::swap(&mut self.newest, jpeg);
        Some(captured)
    }

    /// Takes the next bytes, which have arrived at this moment.
    ///
    /// # Errors
    /// [`TooLong`]; the JPEG is forgotten then.
    pub fn feed_bounded(&mut self, bytes: &[u8], arrived: SystemTime) -> Result<(), TooLong> {
        // So that what is too long is seen before it is complete, in whatever pieces it comes.
        for piece in bytes.chunks(PIECE_BYTES) {
            self.feed(piece, arrived);
            self.bound()?;
        }
        Ok(())
    }

    /// As [`Splitter::feed_bounded`], but takes no more than up to the end of a JPEG.
    ///
    /// # Errors
    /// [`TooLong`]; the JPEG is forgotten then.
    pub fn feed_first(&mut self, bytes: &[u8], arrived: SystemTime) -> Result<(), TooLong> {
        let before = self.count;
        for mut piece in bytes.chunks(PIECE_BYTES) {
            while !piece.is_empty() && self.count == before {
                piece = &piece[self.feed_some(piece, arrived)..];
            }
            self.bound()?;
        }
        Ok(())
    }

    fn bound(&mut self) -> Result<(), TooLong> {
        let newest = self.captured.map_or(0, |_| self.newest.len());
        if self.building.len().max(newest) <= self.max_bytes {
            return Ok(());
        }
        self.clear();
        Err(TooLong {
            max_bytes: self.max_bytes,
        })
    }

    /// Takes the newest complete JPEG out, with the moment at which its first byte arrived.
    pub fn take_newest(&mut self) -> Option<(Vec<u8>, SystemTime)> {
        let captured = self.captured.take()?;
        Some((std::mem::take(&mut self.newest), captured))
    }

    /// What was wrong with the JPEG that broke last.
    pub fn last_error(&self) -> Option<JpegError> {
        self.last_error
    }

    /// Says whether a JPEG has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        matches!(self.place, Place::Inside(_))
    }

    /// Takes the next bytes, which have arrived at this moment.
    pub fn feed(&mut self, mut bytes: &[u8], arrived: SystemTime) {
        while !bytes.is_empty() {
            bytes = &bytes[self.feed_some(bytes, arrived)..];
        }
    }

    /// Takes some of the next bytes; gives how many.
    fn feed_some(&mut self, bytes: &[u8], arrived: SystemTime) -> usize {
        match &mut self.place {
            Place::Between(_) => {
                let used = self.search(bytes, arrived);
                let is_inside = self.is_inside();
                if let Some(preambles) = &mut self.preambles {
                    preambles.pass_over(&bytes[..used]);
                    if is_inside {
                        preambles.begin();
                    }
                }
                used
            }
            Place::Inside(_) => self.walk(bytes, arrived),
        }
    }

    /// The newest complete JPEG and the moment at which its first byte arrived.
    pub fn newest(&self) -> Option<(&[u8], SystemTime)> {
        self.captured.map(|captured| (&self.newest[..], captured))
    }

    /// How many JPEGs were complete.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many were not.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Forgets what it has, but not how many there were.
    pub fn clear(&mut self) {
        self.place = Place::Between(0);
        self.building.clear();
        self.captured = None;
        self.preambles = self.preambles.take().map(|_| Preambles::default());
    }

    /// Looks for a start; gives the number of bytes used.
    fn search(&mut self, bytes: &[u8], arrived: SystemTime) -> usize {
        let Place::Between(matched) = self.place else {
            return 0;
        };
        if matched == 0 {
            let Some(at) = memchr::memchr(START[0], bytes) else {
                return bytes.len();
            };
            self.started = arrived;
            self.place = Place::Between(1);
            return at + 1;
        }
        self.place = match (matched, bytes[0]) {
            (1, SOI) => Place::Between(2),
            (2, 0xFF) => {
                let mut walker = Walker::default();
                self.building.clear();
                self.building.extend(START);
                // Cannot fail: it is how a JPEG starts.
                let _ = walker.feed(&START);
                Place::Inside(walker)
            }
            (1, 0xFF) => {
                self.started = arrived;
                Place::Between(1)
            }
            _ => Place::Between(0),
        };
        1
    }

    /// Follows the JPEG; gives the number of bytes used.
    fn walk(&mut self, bytes: &[u8], arrived: SystemTime) -> usize {
        let Place::Inside(walker) = &mut self.place else {
            return 0;
        };
        let before = walker.clone();
        match walker.feed(bytes) {
            Ok(Progress::More) => {
                self.building.extend_from_slice(bytes);
                bytes.len()
            }
            Ok(Progress::Done(length)) => {
                self.building.extend_from_slice(&bytes[..length]);
                std::mem::swap(&mut self.building, &mut self.newest);
                self.captured = Some(self.started);
                self.count += 1;
                if let Some(preambles) = &mut self.preambles {
                    preambles.complete();
                }
                self.place = Place::Between(0);
                length
            }
            Err(error) => {
                self.last_error = Some(error);
                self.resume(before, bytes, arrived)
            }
        }
    }

    /// The JPEG breaks within these bytes. The byte at which it does may belong to the start of the
    /// next one.
    fn resume(&mut self, mut before: Walker, bytes: &[u8], arrived: SystemTime) -> usize {
        let length = bytes.len();
        let at = (0..length).find(|at| before.feed(&bytes[*at..=*at]).is_err());
        let at = at.unwrap_or(length - 1);
        let previous = match at.checked_sub(1) {
            Some(previous) => bytes.get(previous),
            None => self.building.last(),
        };
        self.broken += 1;
        self.place = match (previous, bytes[at]) {
            (Some(0xFF), SOI) => Place::Between(2),
            (_, 0xFF) => Place::Between(1),
            _ => Place::Between(0),
        };
        self.started = arrived;
        self.building.clear();
        at + 1
    }
}

#[cfg(any(test, fuzzing))]
mod fuzzing;

#[cfg(any(test, fuzzing))]
pub use fuzzing::splitter;

#[cfg(test)]
mod tests;
