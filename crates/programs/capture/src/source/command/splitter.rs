//! Finds the JPEGs in a stream of bytes, whatever stands between them.

use std::time::SystemTime;

use eyelid_jpeg::{Progress, SOI, Walker};

/// Every JPEG starts with SOI and the first byte of another marker.
const START: [u8; 3] = [0xFF, SOI, 0xFF];

/// Splits a stream and keeps the newest complete JPEG. It holds at most two, in memory that it uses
/// again.
#[derive(Debug)]
pub(super) struct Splitter {
    place: Place,
    building: Vec<u8>,
    started: SystemTime,
    newest: Vec<u8>,
    captured: Option<SystemTime>,
    count: u64,
    broken: u64,
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
        }
    }
}

impl Splitter {
    /// Takes the next bytes, which have arrived at this moment.
    pub(super) fn feed(&mut self, mut bytes: &[u8], arrived: SystemTime) {
        while !bytes.is_empty() {
            let used = match &mut self.place {
                Place::Between(_) => self.search(bytes, arrived),
                Place::Inside(_) => self.walk(bytes, arrived),
            };
            bytes = &bytes[used..];
        }
    }

    /// The newest complete JPEG and the moment at which its first byte arrived.
    pub(super) fn newest(&self) -> Option<(&[u8], SystemTime)> {
        self.captured.map(|captured| (&self.newest[..], captured))
    }

    /// How many JPEGs were complete.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many were not.
    pub(super) fn broken(&self) -> u64 {
        self.broken
    }

    /// Forgets what it has, but not how many there were.
    pub(super) fn clear(&mut self) {
        self.place = Place::Between(0);
        self.building.clear();
        self.captured = None;
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
                self.place = Place::Between(0);
                length
            }
            Err(_) => self.resume(before, bytes, arrived),
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
pub use fuzzing::splitter as check_splitter;

#[cfg(test)]
mod tests;
