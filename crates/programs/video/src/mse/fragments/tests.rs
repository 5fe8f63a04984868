use super::*;
use crate::testing::{self, SETS, START};

use mp4_atom::{Any, Decode, Mdat, Prft};

fn coded(is_key: bool, at_ms: u64) -> Coded {
    testing::coded(is_key, 0, at_ms)
}

/// The boxes one behind another, all of them known.
fn boxes(bytes: &Bytes) -> Vec<Any> {
    let mut rest = &bytes[..];
    let mut boxes = Vec::new();
    while !rest.is_empty() {
        boxes.push(Any::decode(&mut rest).unwrap());
    }
    boxes
}

/// When it was captured, where it begins, how long it lasts, and its sample.
fn read(fragment: &Fragment) -> (Prft, u64, u32, Vec<u8>) {
    let [Any::Prft(prft), Any::Moof(moof), Any::Mdat(Mdat { data })] = &boxes(&fragment.bytes)[..]
    else {
        panic!("{:?}", boxes(&fragment.bytes));
    };
    let traf = &moof.traf[0];
    let entry = traf.trun[0].samples.get(0).unwrap();
    let offset = traf.trun[0].data_offset.unwrap() as usize;
    assert_eq!(&fragment.bytes[PRFT_BYTES + offset..], &data[..]);
    assert_eq!(entry.size, Some(data.len() as u32));
    let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
    assert_eq!(prft.media_time, start);
    (prft.clone(), start, entry.duration.unwrap(), data.clone())
}

/// Where pictures of these moments begin, in milliseconds.
fn starts_ms(moments_ms: &[u64]) -> Vec<u64> {
    let mut fragments = Fragments::default();
    let mut next = 0;
    let starts = moments_ms.iter().map(|at_ms| {
        let fragment = fragments.next(&coded(*at_ms == moments_ms[0], *at_ms));
        let (_, start, ticks, _) = read(&fragment.unwrap());
        assert_eq!(start, next, "not contiguous");
        next = start + u64::from(ticks);
        start / 90
    });
    starts.collect()
}

#[test]
fn a_viewer_is_told_what_it_needs_before_the_first_picture_and_when_that_changes() {
    let mut fragments = Fragments::default();
    let first = fragments.next(&coded(true, 0)).unwrap();
    let init = first.init.unwrap();
    let described = Described {
        mime: "video/mp4; codecs=\"avc1.42c00a\"".to_owned(),
        codec: "avc1.42c00a".to_owned(),
        width: 64,
        height: 48,
    };
    assert_eq!(init.described, described);
    let [Any::Ftyp(_), Any::Moov(moov)] = &boxes(&init.bytes)[..] else {
        panic!("{init:?}");
    };
    let stbl = &moov.trak[0].mdia.minf.stbl;
    assert!(stbl.stco.is_some(), "Firefox refuses it");
    let Codec::Avc1(avc1) = &stbl.stsd.codecs[0] else {
        panic!("{stbl:?}");
    };
    assert_eq!((avc1.visual.width, avc1.visual.height), (64, 48));
    assert_eq!(avc1.avcc.picture_parameter_sets, [&SETS[29..]]);
    assert_eq!(fragments.next(&coded(true, 33)).unwrap().init, None);

    let mut other = coded(true, 66);
    other.annex_b[32] ^= 0x08;
    let told = fragments.next(&other).unwrap();
    assert!(told.init.is_some());
    // On the same timeline.
    assert_eq!(read(&told).1, 66 * 90);
}

#[test]
fn a_picture_that_cannot_be_decoded_is_no_fragment() {
    let mut fragments = Fragments::default();
    let error = fragments.next(&coded(false, 0)).unwrap_err();
    assert!(matches!(error, FragmentError::NoParameterSets), "{error}");
    let mut without = coded(true, 0);
    without.annex_b = without.annex_b[SETS.len()..].into();
    let error = fragments.next(&without).unwrap_err();
    assert!(matches!(error, FragmentError::NoParameterSets), "{error}");
}

#[test]
fn a_sample_has_lengths_and_says_whether_it_is_a_key() {
    let mut fragments = Fragments::default();
    let key = read(&fragments.next(&coded(true, 0)).unwrap()).3;
    assert_eq!(key, [0, 0, 0, 4, 0x65, 9, 8, 7]);
    let other = fragments.next(&coded(false, 33)).unwrap();
    let Any::Moof(moof) = &boxes(&other.bytes)[1] else {
        panic!("{other:?}");
    };
    let flags = moof.traf[0].trun[0].samples.get(0).unwrap().flags;
    assert_eq!(flags, Some(OTHER_FLAGS));
}

#[test]
fn times_are_contiguous_whatever_the_camera_does() {
    assert_eq!(starts_ms(&[0, 33, 66, 100]), [0, 33, 66, 99]);
    // It misses some, for longer than browsers stand.
    assert_eq!(starts_ms(&[0, 33, 133, 166]), [0, 33, 66, 166]);
    // It sleeps for an hour: nothing plays then.
    assert_eq!(starts_ms(&[0, 33, 3_600_000, 3_600_033]), [0, 33, 66, 166]);
    // It has one picture a second: that is found out.
    assert_eq!(
        starts_ms(&[0, 1000, 2000, 3000, 4000, 5000, 6000, 7000]),
        [0, 33, 133, 333, 733, 1533, 2533, 3533]
    );
    // Its clock is set back, or stands.
    assert_eq!(starts_ms(&[5000, 5033, 20, 53, 53]), [0, 33, 66, 99, 132]);
}

#[test]
fn each_says_when_it_was_captured_at_the_same_place() {
    let mut fragments = Fragments::default();
    let fragment = fragments.next(&coded(true, 250)).unwrap();
    let prft = read(&fragment).0;
    assert_eq!(prft.utc_time_semantics, mp4_atom::ReferenceTime::RealTime);
    let bytes = |at: usize| u32::from_be_bytes(fragment.bytes[at..at + 4].try_into().unwrap());
    assert_eq!((bytes(0), &fragment.bytes[4..8]), (32, &b"prft"[..]));
    assert_eq!(u64::from(bytes(16)), 2_208_988_800 + START.as_secs());
    assert_eq!(bytes(20), 1 << 30);
    assert_eq!((bytes(24), bytes(28)), (0, 0));
}
