use super::*;
use eyelid_picture::Encoder;
use proptest::prelude::*;
use std::time::Duration;

fn jpeg(shade: u8) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder
        .encode_rgb(&[shade; 16 * 16 * 3], 16, 16, 80)
        .unwrap()
        .to_vec()
}

/// A JPEG with a thumbnail in APP1 and an end in a comment.
fn misleading() -> Vec<u8> {
    let plain = jpeg(7);
    let mut misled = plain[..2].to_vec();
    misled.extend([0xFF, 0xE1, 0, 10, 0xFF, 0xD8, 0xFF, 0xDB, 3, 4, 0xFF, 0xD9]);
    misled.extend([0xFF, 0xFE, 0, 4, 0xFF, 0xD9]);
    misled.extend(&plain[2..]);
    misled
}

/// Feeds pieces; gives every complete JPEG.
fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, u64) {
    let mut splitter = Splitter::default();
    let mut found = Vec::new();
    for piece in pieces {
        // Byte by byte where a piece could hold several: only the newest is kept.
        let before = splitter.count();
        splitter.feed(piece, SystemTime::now());
        assert!(
            splitter.count() <= before + 1,
            "the test's pieces are small"
        );
        if splitter.count() > before {
            found.push(splitter.newest().unwrap().0.to_vec());
        }
    }
    (found, splitter.broken())
}

fn bytewise(stream: &[u8]) -> (Vec<Vec<u8>>, u64) {
    split(stream.chunks(1))
}

#[test]
fn finds_the_same_jpegs_at_every_split_point() {
    let first = misleading();
    let mut stream = b"--b\r\nContent-Type: image/jpeg\r\n\r\n".to_vec();
    stream.extend(&first);
    stream.extend(b"\r\n--b\r\n\xFF\xFF\xD8");
    for at in 0..=stream.len() {
        let (found, broken) = split([&stream[..at], &stream[at..]]);
        assert_eq!((found, broken), (vec![first.clone()], 0), "split at {at}");
    }
}

#[test]
fn raw_and_multipart_are_the_same() {
    let pictures = [jpeg(1), misleading(), jpeg(3)];
    let raw = pictures.concat();
    let multipart = pictures
        .iter()
        .flat_map(|p| [b"\r\n--x\r\nContent-Length: 1\r\n\r\n".to_vec(), p.clone()])
        .flatten()
        .collect::<Vec<u8>>();
    assert_eq!(bytewise(&raw), (pictures.to_vec(), 0));
    assert_eq!(bytewise(&multipart), (pictures.to_vec(), 0));
}

#[test]
fn only_the_newest_of_one_piece_is_kept_and_all_are_counted() {
    let mut splitter = Splitter::default();
    splitter.feed(&[jpeg(1), jpeg(2), jpeg(3)].concat(), SystemTime::now());
    assert_eq!(splitter.count(), 3);
    assert_eq!(splitter.newest().unwrap().0, jpeg(3));
    splitter.clear();
    assert_eq!((splitter.newest(), splitter.count()), (None, 3));
}

#[test]
fn one_that_is_cut_off_does_not_take_the_next_with_it() {
    let (cut, next) = (jpeg(1), jpeg(2));
    // Cut in its scan: the next one's SOI cannot stand there.
    let scan = 14 + cut.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    for length in scan..cut.len() {
        let mut stream = cut[..length].to_vec();
        stream.extend(&next);
        assert_eq!(
            bytewise(&stream),
            (vec![next.clone()], 1),
            "cut at {length}"
        );
        for at in 0..stream.len() {
            let (found, broken) = split([&stream[..at], &stream[at..]]);
            assert_eq!((found, broken), (vec![next.clone()], 1), "{length}, {at}");
        }
    }
}

#[test]
fn the_moment_is_when_the_first_byte_arrived() {
    let jpeg = jpeg(1);
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let mut splitter = Splitter::default();
    splitter.feed(b"noise \xFF", at(1));
    splitter.feed(&jpeg[..1], at(2));
    splitter.feed(&jpeg[1..9], at(3));
    splitter.feed(&jpeg[9..], at(4));
    assert_eq!(splitter.newest().unwrap(), (&jpeg[..], at(2)));
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut splitter = Splitter::default();
    let mut head = jpeg(1);
    head.truncate(head.len() - 2);
    splitter.feed(&head, SystemTime::now());
    let endless = vec![0x55; 1 << 20];
    for _ in 0..80 {
        splitter.feed(&endless, SystemTime::now());
        assert!(splitter.building.len() <= eyelid_slot::MAX_FRAME_BYTES + endless.len());
    }
    assert_eq!((splitter.count(), splitter.broken()), (0, 1));
    splitter.feed(&jpeg(2), SystemTime::now());
    assert_eq!(splitter.newest().unwrap().0, jpeg(2));
}

proptest! {
    #[test]
    fn whole_jpegs_are_found_in_any_noise_and_any_pieces(
        noise in proptest::collection::vec(
            // No byte that could start a JPEG which swallows the next.
            proptest::collection::vec(0u8..0xFF, 0..40), 1..6),
        piece in 1usize..50,
    ) {
        let mut stream = Vec::new();
        let mut pictures = Vec::new();
        for (index, noise) in noise.iter().enumerate() {
            stream.extend(noise);
            pictures.push(jpeg(index as u8));
            stream.extend(jpeg(index as u8));
        }
        prop_assert_eq!(split(stream.chunks(piece)), (pictures, 0));
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..600) {
        let mut stream = jpeg(9);
        stream.truncate(cut);
        stream.extend(bytes);
        let mut splitter = Splitter::default();
        splitter.feed(&stream, SystemTime::now());
    }
}
