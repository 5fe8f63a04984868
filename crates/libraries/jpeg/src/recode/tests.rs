use super::*;
use crate::{Pixels, decode_jpeg};
use eyelid_replay::case;
use proptest::prelude::*;

fn recoded(jpeg: &[u8]) -> Vec<u8> {
    Recoder::default().recode(jpeg).unwrap().to_vec()
}

fn pixels(jpeg: &[u8]) -> Pixels {
    decode_jpeg(jpeg, whole(jpeg).unwrap().0).unwrap()
}

#[test]
fn shows_the_same_picture_with_the_standard_tables() {
    for (name, jpeg, kind) in [
        ("optimised", case!("jpeg-420-optimised"), "baseline-420"),
        ("restarts", case!("jpeg-422-restarts"), "baseline-422"),
        ("4:4:4", case!("jpeg-444-optimised"), "baseline-444"),
        ("grey", case!("jpeg-grey"), "baseline-grey"),
        ("4:4:0", case!("jpeg-440"), "baseline-440"),
        ("4:1:1", case!("jpeg-411"), "baseline-411"),
        ("progressive", case!("jpeg-progressive"), "baseline-420"),
        (
            "progressive 4:2:2 with restarts",
            case!("recode", "progressive-422-restarts"),
            "baseline-422",
        ),
        (
            "progressive of high quality",
            case!("recode", "progressive-420"),
            "baseline-420",
        ),
        (
            "progressive grey",
            case!("recode", "progressive-grey"),
            "baseline-grey",
        ),
        (
            "optimised with restarts",
            case!("recode", "optimised-420-restarts"),
            "baseline-420",
        ),
        (
            "large units",
            case!("jpeg-422-in-large-units"),
            "baseline-422-unusual",
        ),
    ] {
        let made = recoded(jpeg);
        assert_eq!(JpegKind::of(&made).unwrap().to_string(), kind, "{name}");
        assert_eq!(whole(&made).unwrap().1, made.len(), "{name}");
        assert!(pixels(&made) == pixels(jpeg), "{name}");
        assert!(Sequential::of(&made).unwrap().has_standard_tables, "{name}");
    }
}

/// The same picture was coded in one scan, too. Blocks beyond its edge are in none of the three.
#[test]
fn puts_scans_together() {
    let made = recoded(case!("jpeg-in-three-scans"));
    assert_eq!(JpegKind::of(&made).unwrap().to_string(), "baseline-420");
    assert!(pixels(&made) == pixels(case!("jpeg-420-optimised")));
}

/// What has the standard tables already comes out as it went in.
#[test]
fn changes_nothing_that_need_not_change() {
    for jpeg in [
        case!("jpeg-420"),
        case!("jpeg-422-by-cjpeg"),
        case!("jpeg-440"),
        case!("jpeg-of-a-usb-camera-without-tables"),
    ] {
        let before = Sequential::of(jpeg).unwrap();
        let made = recoded(jpeg);
        let after = Sequential::of(&made).unwrap();
        assert_eq!(before, after);
    }
}

#[test]
fn restart_markers_have_to_fit_but_for_one_at_the_end() {
    let jpeg = case!("recode", "optimised-420-restarts");
    let data = Sequential::of(jpeg).unwrap().entropy_coded;
    let markers = data.windows(2).filter(|w| matches!(w, [0xFF, 0xD0..=0xD7]));
    let next = 0xD0 + markers.count() as u8;
    let head = &jpeg[..jpeg.len() - 2];
    let one_more = [head, &[0xFF, next, 0xFF, EOI]].concat();
    assert_eq!(recoded(&one_more), recoded(jpeg));
    for behind in [&[0xFF, next + 1][..], &[0xFF, next, 0x55]] {
        let broken = [head, behind, &[0xFF, EOI]].concat();
        let error = Recoder::default().recode(&broken).unwrap_err();
        assert!(error.to_string().contains("restart marker"), "{error}");
    }
}

#[test]
fn names_what_it_does_not_recode() {
    for (jpeg, name) in [
        (case!("jpeg-arithmetic"), "arithmetic JPEG"),
        (case!("jpeg-lossless"), "lossless JPEG"),
        (case!("jpeg-12-bits"), "12 bits"),
        (case!("jpeg-cut-off"), "cut off"),
        (case!("jpeg-of-65535x65535"), "its data end early"),
        (case!("jpeg-progressive-of-65535x65535"), "blocks"),
        (case!("gif"), "not a JPEG"),
    ] {
        let error = Recoder::default().recode(jpeg).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn data_that_end_early_are_broken() {
    for jpeg in [
        case!("jpeg-420-optimised"),
        case!("jpeg-422-restarts"),
        case!("jpeg-progressive"),
        case!("jpeg-in-three-scans"),
    ] {
        // The last scan loses all of its data.
        let scan = jpeg.windows(2).rposition(|w| w == [0xFF, SOS]).unwrap();
        let header = usize::from(jpeg[scan + 3]);
        let cut = [&jpeg[..scan + 2 + header], &[0xFF, EOI]].concat();
        let error = Recoder::default().recode(&cut).unwrap_err();
        assert!(matches!(error, RecodeError::Broken(_)), "{error}");
    }
}

#[test]
fn more_scans_than_there_is_time_for_are_refused() {
    let jpeg = case!("jpeg-progressive");
    let start = jpeg.windows(2).position(|w| w == [0xFF, SOS]).unwrap();
    let next = jpeg[start + 2..]
        .windows(2)
        .position(|w| w[0] == 0xFF && w[1] > 0);
    let scan = &jpeg[start..start + 2 + next.unwrap()];
    let many = [&jpeg[..start], &scan.repeat(101), &[0xFF, EOI]].concat();
    let error = Recoder::default().recode(&many).unwrap_err();
    assert_eq!(error, RecodeError::TooManyScans);
    let few = [&jpeg[..start], &scan.repeat(100), &[0xFF, EOI]].concat();
    assert!(Recoder::default().recode(&few).is_ok());
}

proptest! {
    /// Whatever a byte becomes, the result, if there is one, is a JPEG with the standard tables.
    #[test]
    fn a_broken_byte_does_no_harm(
        which in 0_usize..6,
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut jpeg = [
            case!("jpeg-420-optimised"),
            case!("jpeg-422-restarts"),
            case!("jpeg-progressive"),
            case!("jpeg-in-three-scans"),
            case!("recode", "progressive-422-restarts"),
            case!("recode", "progressive-420"),
        ][which].to_vec();
        let at = at.index(jpeg.len());
        jpeg[at] = byte;
        crate::fuzzing::recode(&jpeg);
    }
}
