use super::*;
use crate::{FrameMaker, FrameOptions, JpegKind, Pixels, Turn, decode_jpeg, whole};
use eyelid_picture::{SamplePlane, SampleRange};
use eyelid_replay::case;

const MADE_OF_JPEGS: [(Rendition, u32); 3] = [
    (Rendition::Low, 1),
    (Rendition::Half, 2),
    (Rendition::Quarter, 4),
];

macro_rules! cases {
    ($($name:literal),* $(,)?) => {
        [$(($name, case!($name))),*]
    };
}

/// Smooth, with an edge in it, and colours.
struct Samples {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Samples {
    fn new(width: usize, height: usize) -> Self {
        let plane = |width: usize, height: usize, value: &dyn Fn(usize, usize) -> usize| {
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            places.map(|(x, y)| value(x, y) as u8).collect()
        };
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        Self {
            width,
            height,
            y: plane(width, height, &|x, y| {
                40 + x * 100 / width + y * 60 / height + if x * 3 > width { 40 } else { 0 }
            }),
            u: plane(half_width, half_height, &|x, y| {
                80 + x * 60 / half_width + y * 20 / half_height
            }),
            v: plane(half_width, half_height, &|_, y| 190 - y * 110 / half_height),
        }
    }

    fn picture(&self, range: SampleRange) -> Yuv420<'_> {
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        Yuv420 {
            width: self.width as u32,
            height: self.height as u32,
            y: plane(&self.y, self.width),
            u: plane(&self.u, self.width.div_ceil(2)),
            v: plane(&self.v, self.width.div_ceil(2)),
            range,
        }
    }

    fn jpeg(&self) -> Vec<u8> {
        let picture = self.picture(SampleRange::Full);
        let mut encoder = Encoder::default();
        encoder.encode_yuv420(&picture, 95).unwrap().to_vec()
    }
}

fn maker() -> RenditionMaker {
    RenditionMaker::new(Tables::Standard)
}

fn pixels(jpeg: &[u8]) -> Pixels {
    decode_jpeg(jpeg, whole(jpeg).unwrap().0).unwrap()
}

/// What a picture looks like from further away: the mean of `n` by `n` pixels, or of what there is.
fn smaller(pixels: &Pixels, n: u32) -> Pixels {
    let (width, height) = (pixels.width.div_ceil(n), pixels.height.div_ceil(n));
    let mut rgb = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for channel in 0..3 {
            let rows = y * n..pixels.height.min(y * n + n);
            let places = rows.flat_map(|y| {
                (x * n..pixels.width.min(x * n + n)).map(move |x| (y * pixels.width + x) * 3)
            });
            let values: Vec<u32> = places
                .map(|at| u32::from(pixels.rgb[(at + channel) as usize]))
                .collect();
            let count = values.len() as u32;
            rgb.push(((values.iter().sum::<u32>() + count / 2) / count) as u8);
        }
    }
    Pixels { width, height, rgb }
}

/// How far two pictures are apart: in the mean, and in the mean with its sign.
fn apart(one: &Pixels, other: &Pixels) -> (f64, f64) {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let pairs = one.rgb.iter().zip(&other.rgb);
    let differences: Vec<f64> = pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
    let count = differences.len() as f64;
    let absolute: f64 = differences.iter().map(|d| d.abs()).sum();
    (absolute / count, differences.iter().sum::<f64>() / count)
}

fn check(name: &str, made: &MadeRendition<'_>, source: &Pixels, n: u32) {
    let kind = JpegKind::of(made.bytes).unwrap();
    assert_eq!(kind.to_string(), "baseline-420", "{name}");
    let (header, length) = whole(made.bytes).unwrap();
    assert_eq!((header.width, header.height), (made.width, made.height));
    assert_eq!(length, made.bytes.len());
    let (absolute, signed) = apart(&pixels(made.bytes), &smaller(source, n));
    // A few blocks at quality 30 or 70 say little more than their mean.
    let (most, bias) = match made.width * made.height {
        ..1000 => (25.0, 20.0),
        _ => (3.0, 0.7),
    };
    let message = format!("{name} 1/{n}: {absolute} {signed}");
    assert!(absolute < most && signed.abs() < bias, "{message}");
}

const SIZES: [(usize, usize); 7] = [
    (1, 1),
    (2, 3),
    (16, 16),
    (17, 5),
    (160, 120),
    (321, 239),
    (641, 479),
];

#[test]
fn planes_of_any_size_become_what_they_look_like_from_further_away() {
    let mut maker = maker();
    for (width, height) in SIZES {
        let source = Samples::new(width, height);
        let shown = pixels(&source.jpeg());
        for (rendition, n) in MADE_OF_JPEGS {
            let picture = source.picture(SampleRange::Full);
            let made = maker.from_planes(&picture, rendition).unwrap();
            assert_eq!(made.width, picture.width.div_ceil(n));
            assert_eq!(made.height, picture.height.div_ceil(n));
            check(&format!("{width}x{height}"), &made, &shown, n);
        }
    }
}

#[test]
fn a_jpeg_of_any_size_becomes_what_it_looks_like_from_further_away() {
    let mut maker = maker();
    for (width, height) in SIZES {
        let jpeg = Samples::new(width, height).jpeg();
        let shown = pixels(&jpeg);
        for (rendition, n) in MADE_OF_JPEGS {
            let made = maker.from_jpeg(&jpeg, rendition).unwrap();
            check(&format!("{width}x{height}"), &made, &shown, n);
        }
    }
}

#[test]
fn every_kind_of_frame_that_is_published_has_renditions() {
    let mut maker = maker();
    for (name, picture) in cases![
        "jpeg-411",
        "jpeg-420",
        "jpeg-420-optimised",
        "jpeg-422-by-cjpeg",
        "jpeg-422-in-large-units",
        "jpeg-422-restarts",
        "jpeg-440",
        "jpeg-444-optimised",
        "jpeg-extended",
        "jpeg-grey",
        "jpeg-of-a-usb-camera-without-tables",
        "jpeg-on-its-side",
        "jpeg-progressive",
        "jpeg-stores-rgb",
        "jpeg-three-quantisation-tables",
        "png-rgba",
    ] {
        let mut frames = FrameMaker::new(FrameOptions {
            turn: Turn::NONE,
            quality_percent: 90,
            tables: Tables::Standard,
        });
        let frame = frames.picture(picture).unwrap();
        let shown = pixels(&frame.jpeg);
        for (rendition, n) in MADE_OF_JPEGS {
            let made = maker.from_jpeg(&frame.jpeg, rendition).unwrap();
            check(name, &made, &shown, n);
        }
    }
}

/// zune-jpeg shows no colours of such a picture, so that it is no measure of them.
#[test]
fn a_frame_in_three_scans_has_renditions() {
    let mut maker = maker();
    for (name, jpeg) in cases!["jpeg-in-three-scans"] {
        for (rendition, n) in MADE_OF_JPEGS {
            let made = maker.from_jpeg(jpeg, rendition).unwrap();
            let (header, _) = whole(made.bytes).unwrap();
            let size = (24u32.div_ceil(n), 16u32.div_ceil(n));
            assert_eq!((header.width, header.height), size, "{name}");
        }
    }
}

/// The decoder in Rust alone, which with libjpeg-turbo sees only what that does not take. (Of
/// 4:1:1, libjpeg-turbo scales colour as coarsely as brightness; the mean would keep more of it.)
#[test]
fn both_decoders_give_the_same_picture() {
    for (name, jpeg) in cases![
        "jpeg-420",
        "jpeg-422-by-cjpeg",
        "jpeg-422-in-large-units",
        "jpeg-440",
        "jpeg-444-optimised",
        "jpeg-grey",
        "jpeg-progressive",
    ] {
        let mut any = RenditionMaker::new(Tables::Standard).decoder;
        let mut rust = RenditionMaker::pure_rust().decoder;
        for scale in [Scale::Whole, Scale::Half, Scale::Quarter] {
            let any = any.decode(jpeg, scale).unwrap();
            let rust = rust.decode(jpeg, scale).unwrap();
            assert_eq!((any.width, any.height), (rust.width, rust.height));
            let chroma = (any.width.div_ceil(2), any.height.div_ceil(2));
            for (one, other, (width, height)) in [
                (any.y, rust.y, (any.width, any.height)),
                (any.u, rust.u, chroma),
                (any.v, rust.v, chroma),
            ] {
                let mut sum = 0.0;
                for row in 0..height as usize {
                    for column in 0..width as usize {
                        let one = one.bytes[row * one.stride + column];
                        let other = other.bytes[row * other.stride + column];
                        sum += f64::from(one.abs_diff(other));
                    }
                }
                let mean = sum / f64::from(width * height);
                assert!(mean < 3.0, "{name} {scale:?}: {mean}");
            }
        }
    }
}

#[test]
fn low_is_a_fraction_of_the_bytes_and_limited_range_is_stretched() {
    let source = Samples::new(320, 240);
    let mut maker = maker();
    let mut encoder = Encoder::default();
    let limited = source.picture(SampleRange::Limited);
    let whole_frame = encoder.encode_yuv420(&limited, 85).unwrap().to_vec();
    let shown = pixels(&whole_frame);
    for (rendition, n) in MADE_OF_JPEGS {
        let made = maker.from_planes(&limited, rendition).unwrap();
        assert!(made.bytes.len() < whole_frame.len(), "{rendition}");
        check(rendition.name(), &made, &shown, n);
    }
    let made = maker.from_planes(&limited, Rendition::Y4m).unwrap();
    let head = b"YUV4MPEG2 W320 H240 F25:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\nFRAME\n";
    let samples = made.bytes.strip_prefix(head).unwrap();
    assert_eq!(samples.len(), 320 * 240 * 3 / 2);
    // 16 and 235 of television are 0 and 255.
    let stretched = (f64::from(source.y[0]) - 16.0) * 255.0 / 219.0;
    assert!((f64::from(samples[0]) - stretched).abs() < 1.0);
}

#[test]
fn planes_of_the_full_range_are_in_the_y4m_as_they_came() {
    let source = Samples::new(7, 5);
    let mut maker = maker();
    let picture = source.picture(SampleRange::Full);
    let made = maker.from_planes(&picture, Rendition::Y4m).unwrap();
    assert_eq!((made.width, made.height), (7, 5));
    let planes = [&source.y[..], &source.u, &source.v].concat();
    assert!(made.bytes.ends_with(&[b"\nFRAME\n", &planes[..]].concat()));
}

#[test]
fn says_what_is_not_made_of_what() {
    let source = Samples::new(16, 16);
    let mut maker = maker();
    let picture = source.picture(SampleRange::Full);
    let error = maker.from_planes(&picture, Rendition::Full).unwrap_err();
    assert_eq!(error.to_string(), "no rendition full is made of planes");
    for rendition in [Rendition::Full, Rendition::Y4m] {
        let error = maker.from_jpeg(&source.jpeg(), rendition).unwrap_err();
        let expected = format!("no rendition {rendition} is made of a JPEG");
        assert_eq!(error.to_string(), expected);
    }
    let mut short = picture;
    short.v.bytes = &short.v.bytes[1..];
    for rendition in Rendition::ALL {
        assert!(maker.from_planes(&short, rendition).is_err());
    }
}

#[test]
fn what_is_broken_or_too_large_is_refused_and_the_next_is_made() {
    let mut maker = maker();
    let jpeg = Samples::new(33, 17).jpeg();
    let first = maker.from_jpeg(&jpeg, Rendition::Half).unwrap();
    let first = first.bytes.to_vec();
    for length in 0..jpeg.len() {
        let cut = maker.from_jpeg(&jpeg[..length], Rendition::Half);
        assert!(cut.is_err(), "{length}");
    }
    for (_, large) in cases!["jpeg-of-65535x65535", "jpeg-progressive-of-65535x65535"] {
        let error = maker.from_jpeg(large, Rendition::Quarter).unwrap_err();
        assert!(matches!(error, PictureError::TooManyPixels { .. }));
    }
    let again = maker.from_jpeg(&jpeg, Rendition::Half).unwrap();
    assert!(again.bytes == first);
}

/// A command's frames are published when their markers are right. Viewers show the half that is
/// there, and so do the renditions.
#[test]
fn half_a_scan_is_shown_as_far_as_it_goes() {
    let source = Samples::new(160, 120).jpeg();
    let half = [&source[..source.len() * 3 / 4], &[0xFF, 0xD9]].concat();
    let mut maker = maker();
    for (rendition, n) in MADE_OF_JPEGS {
        let made = maker.from_jpeg(&half, rendition).unwrap();
        let (made, wanted) = (pixels(made.bytes), smaller(&pixels(&source), n));
        let upper = (made.width * made.height / 4 * 3) as usize;
        let pairs = made.rgb[..upper].iter().zip(&wanted.rgb);
        let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        assert!(sum / (upper as u32) < 6, "{rendition}");
    }
}
