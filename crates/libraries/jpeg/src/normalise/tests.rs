use super::*;
use crate::{Pixels, decode_jpeg};
use eyelid_picture::Encoder;
use proptest::prelude::*;

const WIDTH: u32 = 32;
const HEIGHT: u32 = 24;

/// What Eyelid's encoder makes: SOI, JFIF, tables, scan.
fn plain() -> Vec<u8> {
    let rgb: Vec<u8> = (0..WIDTH * HEIGHT * 3).map(|n| (n / 9) as u8).collect();
    let mut encoder = Encoder::default();
    let encoded = encoder.encode_rgb(&rgb, WIDTH, HEIGHT, 85).unwrap();
    [&encoded[..2], &JFIF, &encoded[2 + JFIF.len()..]].concat()
}

fn segment(code: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, code], &length[..], payload].concat()
}

/// The plain JPEG with these bytes instead of its JFIF segment.
fn with_head(head: &[u8]) -> Vec<u8> {
    let plain = plain();
    [&plain[..2], head, &plain[2 + JFIF.len()..]].concat()
}

fn without(jpeg: &[u8], code: u8) -> Vec<u8> {
    let mut left = jpeg.to_vec();
    for unwanted in segments(jpeg).filter(|s| s.code == code) {
        let at = left
            .windows(unwanted.bytes.len())
            .position(|w| w == unwanted.bytes)
            .unwrap();
        left.drain(at..at + unwanted.bytes.len());
    }
    left
}

fn codes(jpeg: &[u8]) -> Vec<u8> {
    segments(jpeg).map(|s| s.code).collect()
}

fn pixels(jpeg: &[u8]) -> Pixels {
    decode_jpeg(jpeg, whole(jpeg).unwrap().0).unwrap()
}

fn exif(orientation: u16, big: bool) -> Vec<u8> {
    let two = |n: u16| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let four = |n: u32| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let mut tiff = b"Exif\0\0".to_vec();
    tiff.extend(if big { b"MM\0*" } else { b"II*\0" });
    tiff.extend(four(8));
    tiff.extend(two(2));
    for (tag, value) in [(0x0100, 77), (ORIENTATION_TAG, orientation)] {
        tiff.extend(two(tag));
        tiff.extend(two(3));
        tiff.extend(four(1));
        tiff.extend(two(value));
        tiff.extend([0, 0]);
    }
    tiff.extend(four(0));
    // A thumbnail, as cameras append it.
    tiff.extend(plain());
    tiff
}

const ORIENTATION_TAG: u16 = 0x0112;

#[test]
fn what_is_fine_is_not_even_copied() {
    let jpeg = plain();
    let normal = normalise(&jpeg).unwrap();
    assert!(matches!(normal.jpeg, Cow::Borrowed(same) if same == jpeg));
    assert_eq!((normal.turn, normal.stores_rgb), (Turn::NONE, false));
    assert_eq!((normal.header.width, normal.header.height), (WIDTH, HEIGHT));
    let trailing = [&jpeg[..], b"trailing"].concat();
    assert!(matches!(normalise(&trailing).unwrap().jpeg, Cow::Borrowed(same) if same == jpeg));
}

#[test]
fn jfif_comes_first_whatever_was_there() {
    let thumbnail = [&JFIF[4..16], &[1, 1, 255, 0, 0]].concat();
    let jfxx = segment(APP0, b"JFXX\0\x10\xFF\xD8\xFF\xD9");
    for head in [
        Vec::new(),
        segment(APP0, b"AVI1\0\0\0\0"),
        segment(APP0, &thumbnail),
        [JFIF.to_vec(), jfxx.clone()].concat(),
        [segment(COMMENT, b"first"), JFIF.to_vec()].concat(),
        jfxx,
    ] {
        let jpeg = with_head(&head);
        let normal = normalise(&jpeg).unwrap().jpeg.into_owned();
        assert_eq!(normal[2..2 + JFIF.len()], JFIF, "{head:02X?}");
        assert_eq!(codes(&normal).iter().filter(|c| **c == APP0).count(), 1);
        assert_eq!(pixels(&normal), pixels(&plain()));
        let again = normalise(&normal).unwrap();
        assert!(matches!(again.jpeg, Cow::Borrowed(_)), "once is enough");
    }
}

#[test]
fn metadata_goes_and_what_the_picture_needs_stays() {
    let keep_profile = segment(APP2, b"ICC_PROFILE\0\x01\x01harmless\xFF\x00");
    let adobe = segment(APP14, b"Adobe\0d\0\0\0\0\x01");
    let head = [
        &JFIF[..],
        &segment(APP1, &exif(1, true)),
        &segment(APP1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        &keep_profile,
        &segment(APP2, b"MPF\0\xFF\xD8"),
        &segment(0xED, b"Photoshop 3.0\0"),
        &segment(0xEF, b"?"),
        &adobe,
        &segment(COMMENT, b"taken at night"),
        &segment(COMMENT, b"an end: \xFF\xD9"),
    ]
    .concat();
    let jpeg = with_head(&head);
    let normal = normalise(&jpeg).unwrap().jpeg;
    let expected = [
        &JFIF[..],
        &keep_profile,
        &adobe,
        &segment(COMMENT, b"taken at night"),
    ]
    .concat();
    assert_eq!(normal, with_head(&expected));
    let count = |marker: [u8; 2]| normal.windows(2).filter(|w| *w == marker).count();
    assert_eq!((count([0xFF, SOI]), count([0xFF, EOI])), (1, 1));
}

#[test]
fn a_profile_that_could_mislead_goes_as_a_whole() {
    let head = [
        &JFIF[..],
        &segment(APP2, b"ICC_PROFILE\0\x01\x02good"),
        &segment(APP2, b"ICC_PROFILE\0\x02\x02\xFF\xD9"),
    ]
    .concat();
    assert_eq!(normalise(&with_head(&head)).unwrap().jpeg, plain());
}

#[test]
fn missing_huffman_tables_are_inserted() {
    let bare = without(&plain(), HUFFMAN_TABLES);
    assert!(!codes(&bare).contains(&HUFFMAN_TABLES));
    let normal = normalise(&bare).unwrap().jpeg;
    assert_eq!(codes(&normal).last(), Some(&HUFFMAN_TABLES));
    assert_eq!(pixels(&normal), pixels(&plain()));
    let table_bytes = |jpeg: &[u8]| {
        let mut tables: Vec<Vec<u8>> = Vec::new();
        for tables_of_one in segments(jpeg).filter(|s| s.code == HUFFMAN_TABLES) {
            let mut rest = tables_of_one.payload;
            while !rest.is_empty() {
                let codes: usize = rest[1..17].iter().map(|n| usize::from(*n)).sum();
                tables.push(rest[..17 + codes].to_vec());
                rest = &rest[17 + codes..];
            }
        }
        tables.sort();
        tables
    };
    assert_eq!(table_bytes(&normal), table_bytes(&plain()), "K.3 to K.6");
}

#[test]
fn tables_are_not_invented_for_other_kinds() {
    let mut progressive = without(&plain(), HUFFMAN_TABLES);
    let at = progressive
        .windows(2)
        .position(|w| w == [0xFF, BASELINE])
        .unwrap();
    progressive[at + 1] = 0xC2;
    let normal = normalise(&progressive).unwrap();
    assert!(matches!(normal.jpeg, Cow::Borrowed(_)));
}

#[test]
fn the_orientation_is_read_before_it_is_dropped() {
    for orientation in 0..10 {
        for big in [true, false] {
            let jpeg = with_head(&segment(APP1, &exif(orientation, big)));
            let normal = normalise(&jpeg).unwrap();
            assert_eq!(normal.turn, Turn::from_exif(orientation));
            assert_eq!(normal.jpeg, plain());
        }
    }
}

#[test]
fn stored_rgb_is_not_mistaken_for_ycbcr() {
    let adobe = |transform: u8| segment(APP14, &[&b"Adobe\0d\0\0\0\0"[..], &[transform]].concat());
    let stores_rgb = |jpeg: &[u8]| normalise(jpeg).unwrap().stores_rgb;
    assert!(stores_rgb(&with_head(&adobe(0))));
    assert!(!stores_rgb(&with_head(&adobe(1))));
    assert!(!stores_rgb(&with_head(&[&JFIF[..], &adobe(0)].concat())));
    let mut named = with_head(&[]);
    assert!(!stores_rgb(&named));
    let frame = named
        .windows(2)
        .position(|w| w == [0xFF, BASELINE])
        .unwrap();
    for (index, name) in b"RGB".iter().enumerate() {
        named[frame + 10 + index * 3] = *name;
    }
    assert!(stores_rgb(&named));
}

#[test]
fn what_is_not_whole_is_refused() {
    let jpeg = plain();
    for length in 0..jpeg.len() {
        assert!(normalise(&jpeg[..length]).is_err(), "{length}");
    }
    // A marker without a length before the scan: the walker knows it, the list of segments does
    // not.
    let odd = with_head(&[0xFF, 0x01]);
    assert!(normalise(&odd).is_err());
}

proptest! {
    #[test]
    fn never_panics_and_always_gives_a_whole_jpeg(
        changes in proptest::collection::vec((0usize..800, any::<u8>()), 0..6),
        extra in proptest::collection::vec(
            (0xE0u8..=0xFE, proptest::collection::vec(any::<u8>(), 0..40)),
            0..5,
        ),
        exif_bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let segments = extra.iter().map(|(code, payload)| segment(*code, payload));
        let mut head: Vec<u8> = segments.flatten().collect();
        head.extend(segment(APP1, &[&b"Exif\0\0II*\0"[..], &exif_bytes].concat()));
        let mut jpeg = with_head(&head);
        for (at, byte) in changes {
            if let Some(changed) = jpeg.get_mut(at) {
                *changed = byte;
            }
        }
        if let Ok(normal) = normalise(&jpeg) {
            let (header, length) = whole(&normal.jpeg).unwrap();
            prop_assert_eq!((header, length), (normal.header, normal.jpeg.len()));
            prop_assert!(normal.stores_rgb || normal.jpeg[2..4] == [0xFF, APP0]);
        }
    }
}
