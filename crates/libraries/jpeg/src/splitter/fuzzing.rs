//! What must hold whatever is in a stream.

use std::time::SystemTime;

use super::{PREAMBLE_BYTES, START, Splitter};
use crate::whole;

/// The same JPEGs are found whatever the pieces in which a stream comes, and found again if they
/// come raw or as multipart.
///
/// # Panics
/// Where that does not hold.
pub fn splitter(stream: &[u8]) {
    let (jpegs, broken, preamble) = bytewise(stream);
    assert!(preamble.len() <= PREAMBLE_BYTES);
    let mut rest = stream;
    for jpeg in &jpegs {
        assert_eq!(whole(jpeg).map(|(_, length)| length), Ok(jpeg.len()));
        let at = memchr::memmem::find(rest, jpeg);
        rest = &rest[at.map_or_else(|| panic!("not in the stream"), |at| at + jpeg.len())..];
    }
    let mut found = jpegs.iter();
    let mut rest = stream;
    while let Some(at) = memchr::memmem::find(rest, &START) {
        // Where the next one starts after a broken one is the splitter's to say.
        let Ok((_, length)) = whole(&rest[at..]) else {
            break;
        };
        let (jpeg, after) = rest[at..].split_at(length);
        assert_eq!(found.next().map(Vec::as_slice), Some(jpeg), "one is missed");
        rest = after;
    }
    let expected = (jpegs.len() as u64, broken, jpegs.last().cloned());
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        let mut splitter = Splitter::with_preambles();
        splitter.feed(head, SystemTime::UNIX_EPOCH);
        splitter.feed(tail, SystemTime::UNIX_EPOCH);
        assert_eq!(splitter.newest_preamble(), preamble, "split at {at}");
        let newest = splitter.newest().map(|(jpeg, _)| jpeg.to_vec());
        let found = (splitter.count(), splitter.broken(), newest);
        assert_eq!(found, expected, "split at {at}");
        assert!(splitter.building.len() <= stream.len());
        let mut splitter = Splitter::default();
        for piece in [head, tail] {
            if splitter.count() == 0 {
                let fed = splitter.feed_first(piece, SystemTime::UNIX_EPOCH);
                assert_eq!(fed, Ok(()));
            }
        }
        let first = splitter.newest().map(|(jpeg, _)| jpeg);
        assert_eq!(first, jpegs.first().map(Vec::as_slice), "split at {at}");
    }
    let multipart = jpegs.iter().flat_map(|jpeg| {
        let head = format!("\r\n--b\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        [head.as_bytes(), jpeg].concat()
    });
    let (again, broken, preamble) = bytewise(&multipart.collect::<Vec<u8>>());
    assert_eq!((&again, broken), (&jpegs, 0), "multipart");
    if let Some(last) = jpegs.last() {
        let head = format!("\r\n--b\r\nContent-Length: {}\r\n\r\n", last.len());
        assert_eq!(preamble, [head.as_bytes(), &START].concat(), "multipart");
    }
    let (again, broken, _) = bytewise(&jpegs.concat());
    assert_eq!((again, broken), (jpegs, 0), "raw");
}

/// Every JPEG that a stream has, how many were broken, and what stands before the last one.
fn bytewise(stream: &[u8]) -> (Vec<Vec<u8>>, u64, Vec<u8>) {
    let mut splitter = Splitter::with_preambles();
    let mut found = Vec::new();
    for byte in stream {
        let before = splitter.count();
        splitter.feed(&[*byte], SystemTime::UNIX_EPOCH);
        if splitter.count() > before {
            found.extend(splitter.newest().map(|(jpeg, _)| jpeg.to_vec()));
        }
    }
    let preamble = splitter.newest_preamble().to_vec();
    (found, splitter.broken(), preamble)
}
