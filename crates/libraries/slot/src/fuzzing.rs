//! What must hold whatever bytes come. The fuzz targets call this, and the tests with what those found (`fuzz/README.md`).

use crate::State;
use crate::jpeg::{Header, JpegError, Kind, Progress, SOS, Walker, segments, whole};

/// The walk does not depend on the pieces in which a JPEG comes, and gives a JPEG that can be walked by itself.
///
/// # Panics
/// Where that does not hold.
pub fn walker(bytes: &[u8]) {
    let at_once = walk([bytes]);
    assert_eq!(walk(bytes.chunks(1)), at_once, "byte by byte");
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(walk([head, tail]), at_once, "split at {at}");
    }
    match (whole(bytes), at_once) {
        (Ok((header, length)), (Ok(Some(walked)), Some(seen))) => {
            assert_eq!((length, header), (walked, seen));
            assert!(header.width > 0 && header.height > 0 && header.components > 0);
            let jpeg = &bytes[..length];
            assert_eq!(
                whole(jpeg),
                Ok((header, length)),
                "what follows a JPEG matters"
            );
            assert_eq!(
                whole(&jpeg[..length - 1]),
                Err(JpegError::CutOff(length - 1))
            );
            let kind = Kind::of(jpeg);
            assert_eq!(kind, Kind::of(bytes), "what follows a JPEG matters");
            if let Some(kind) = kind {
                check_words(&kind.to_string());
            }
        }
        (Err(JpegError::CutOff(length)), (Ok(None), _)) => assert_eq!(length, bytes.len()),
        (Err(error), (Err(walked), _)) => assert_eq!(error, walked),
        (whole, walked) => panic!("{whole:?}, but {walked:?}"),
    }
    let mut end = 2;
    for segment in segments(bytes) {
        let start = segment.bytes.as_ptr().addr() - bytes.as_ptr().addr();
        assert!(start >= end && start + segment.bytes.len() <= bytes.len());
        assert!(bytes[end..start].iter().all(|fill| *fill == 0xFF));
        assert_eq!(segment.bytes.len(), segment.payload.len() + 4);
        assert_eq!(segment.bytes[..2], [0xFF, segment.code]);
        assert_ne!(segment.code, SOS);
        end = start + segment.bytes.len();
    }
}

/// A kind is two or three words, of which others than ours read the first two (docs/slot.md).
fn check_words(kind: &str) {
    let words: Vec<&str> = kind.split('-').collect();
    let plain = |word: &&str| {
        word.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    assert!(
        matches!(words.len(), 2 | 3) && words.iter().all(plain),
        "{kind}"
    );
}

/// Where the JPEG ends, if it does, or what is wrong; and what its header says.
type Walk = (Result<Option<usize>, JpegError>, Option<Header>);

fn walk<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Walk {
    let mut walker = Walker::default();
    let mut before = 0;
    for piece in pieces {
        match walker.feed(piece) {
            Ok(Progress::More) => before += piece.len(),
            Ok(Progress::Done(length)) => return (Ok(Some(before + length)), walker.header()),
            Err(error) => return (Err(error), walker.header()),
        }
    }
    (Ok(None), walker.header())
}

/// A state that can be read can be written, in one line, and read again.
///
/// # Panics
/// Where that does not hold.
pub fn state(bytes: &[u8]) {
    let Ok(state) = State::parse(bytes) else {
        return;
    };
    let json = state.to_json();
    let lines = json.iter().filter(|byte| **byte == b'\n').count();
    assert!(
        lines == 1 && json.ends_with(b"\n"),
        "{}",
        json.escape_ascii()
    );
    match State::parse(&json) {
        Ok(again) => assert_eq!(again, state),
        Err(error) => panic!("{error}: {}", json.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walker_corpus() {
        eyelid_replay::replay("walker", walker);
    }

    #[test]
    fn state_corpus() {
        eyelid_replay::replay("state", state);
    }
}
