use super::*;
use crate::yuv::{SamplePlane, SampleRange};
use eyelid_jpeg::{segments, whole};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

/// Even and odd sizes, less than a block, and more than one that is not whole.
const SIZES: [(u32, u32); 9] = [
    (1, 1),
    (2, 2),
    (3, 5),
    (16, 16),
    (17, 16),
    (16, 17),
    (50, 37),
    (64, 48),
    (131, 99),
];

/// All encoders of this build.
fn encoders() -> Vec<(&'static str, Encoder)> {
    let mut all = vec![("pure", Encoder::pure_rust())];
    if cfg!(feature = "turbojpeg") {
        all.push(("turbo", Encoder::default()));
    }
    all
}

/// A picture's samples, without gaps.
#[derive(Clone)]
struct Samples {
    width: u32,
    height: u32,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

/// Slopes that differ in each plane, and edges in Y.
fn samples(width: u32, height: u32) -> Samples {
    let plane = |width: u32, height: u32, value: &dyn Fn(u32, u32) -> u32| {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        places.map(|(x, y)| value(x, y) as u8).collect()
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let slope = |at: u32, length: u32, most: u32| at * most / length.max(2);
    Samples {
        width,
        height,
        y: plane(width, height, &|x, y| {
            30 + slope(x, width, 120) + 60 * (x / 8 % 2) + slope(y, height, 30)
        }),
        u: plane(half_width, half_height, &|x, y| {
            70 + slope(x, half_width, 100) + slope(y, half_height, 30)
        }),
        v: plane(half_width, half_height, &|x, y| {
            200 - slope(y, half_height, 110) - slope(x, half_width, 20)
        }),
    }
}

impl Samples {
    fn half_width(&self) -> usize {
        self.width.div_ceil(2) as usize
    }

    fn yuv420(&self, range: SampleRange) -> Yuv420<'_> {
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        Yuv420 {
            width: self.width,
            height: self.height,
            y: plane(&self.y, self.width as usize),
            u: plane(&self.u, self.half_width()),
            v: plane(&self.v, self.half_width()),
            range,
        }
    }

    fn uv(&self) -> Vec<u8> {
        let pairs = self.u.iter().zip(&self.v);
        pairs.flat_map(|(u, v)| [*u, *v]).collect()
    }

    /// As YUYV, with the same colour in both rows of a pair, or with one that is lower and higher,
    /// by half a step less, than it.
    fn yuyv(&self, apart: u8) -> Vec<u8> {
        let mut pixels = Vec::new();
        for (row, luma) in self.y.chunks(self.width as usize).enumerate() {
            let start = row / 2 * self.half_width();
            let alone = row + 1 == self.height as usize && row % 2 == 0;
            let moved = |value: u8| match row % 2 {
                _ if alone => value,
                0 => value - apart,
                _ => value + apart.saturating_sub(1),
            };
            for (index, pair) in luma.chunks(2).enumerate() {
                let (u, v) = (self.u[start + index], self.v[start + index]);
                pixels.extend([pair[0], moved(u), *pair.get(1).unwrap_or(&0), moved(v)]);
            }
        }
        pixels
    }

    /// As a camera of limited range would give it.
    fn limited(&self) -> Self {
        let map = |plane: &[u8], to: &dyn Fn(f64) -> f64| {
            plane
                .iter()
                .map(|s| to(f64::from(*s)).round() as u8)
                .collect()
        };
        let chroma = |c: f64| (c - 128.0) * 224.0 / 255.0 + 128.0;
        Self {
            y: map(&self.y, &|y| y * 219.0 / 255.0 + 16.0),
            u: map(&self.u, &chroma),
            v: map(&self.v, &chroma),
            ..*self
        }
    }
}

/// The same rows further apart, with garbage between them and none behind the last.
fn spread(bytes: &[u8], row_bytes: usize, gap: usize) -> Vec<u8> {
    let mut spread = Vec::new();
    for row in bytes.chunks(row_bytes) {
        spread.extend_from_slice(row);
        spread.extend((0..gap).map(|n| (n * 151) as u8));
    }
    spread.truncate(spread.len() - gap);
    spread
}

/// Y, U and V of each pixel.
fn decode(jpeg: &[u8]) -> Vec<[u8; 3]> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode().unwrap().as_chunks().0.to_vec()
}

/// The largest and the mean difference of Y, and of U and V.
#[derive(Debug)]
struct Difference {
    luma: (u8, f64),
    chroma: (u8, f64),
}

fn difference(one: &[[u8; 3]], other: &[[u8; 3]]) -> Difference {
    assert_eq!(one.len(), other.len());
    let of = |channels: std::ops::Range<usize>| {
        let pairs = one.iter().zip(other);
        let differences: Vec<u8> = pairs
            .flat_map(|(a, b)| channels.clone().map(|c| a[c].abs_diff(b[c])))
            .collect();
        let sum: f64 = differences.iter().map(|d| f64::from(*d)).sum();
        let most = differences.iter().max().unwrap();
        (*most, sum / differences.len() as f64)
    };
    Difference {
        luma: of(0..1),
        chroma: of(1..3),
    }
}

fn assert_shows(jpeg: &[u8], samples: &Samples, what: &str) {
    let wanted: Vec<[u8; 3]> = (0..samples.height as usize)
        .flat_map(|y| (0..samples.width as usize).map(move |x| (x, y)))
        .map(|(x, y)| {
            let chroma = y / 2 * samples.half_width() + x / 2;
            let luma = samples.y[y * samples.width as usize + x];
            [luma, samples.u[chroma], samples.v[chroma]]
        })
        .collect();
    let difference = difference(&decode(jpeg), &wanted);
    // Decoders smooth the colour, which is steep in a picture of a few pixels.
    let steepest = 200 / samples.width.min(samples.height).div_ceil(2) as u8;
    let close = difference.luma.0 <= 12
        && difference.luma.1 < 2.0
        && difference.chroma.0 <= 6 + steepest
        && difference.chroma.1 < 2.0 + f64::from(steepest) / 2.0;
    let size = (samples.width, samples.height);
    assert!(close, "{what} {size:?}: {difference:?}");
}

#[test]
fn is_baseline_420_with_the_standard_tables_and_jfif_first() {
    let samples = samples(50, 37);
    let rgb: Vec<u8> = samples.y.repeat(3);
    for (name, mut encoder) in encoders() {
        for quality in [0, 1, 50, 85, 95, 100, 255] {
            let planar = encoder.encode_yuv420(&samples.yuv420(SampleRange::Full), quality);
            assert_is_plain(planar.unwrap(), name);
            assert_is_plain(encoder.encode_rgb(&rgb, 50, 37, quality).unwrap(), name);
        }
    }
}

fn assert_is_plain(jpeg: &[u8], name: &str) {
    let (header, length) = whole(jpeg).unwrap();
    let size = (header.width, header.height, header.components);
    assert_eq!(size, (50, 37, 3), "{name}");
    assert_eq!(length, jpeg.len());
    let found: Vec<_> = segments(jpeg).collect();
    assert_eq!(found[0].code, 0xE0, "{name}");
    assert_eq!(found[0].payload.len(), 14, "{name}: a thumbnail");
    assert!(found[0].payload.starts_with(b"JFIF\0"));
    let others = found[1..].iter().filter(|s| s.code >= 0xE0).count();
    assert_eq!(others, 0, "{name}");
    let frame = found.iter().find(|s| s.code == 0xC0).unwrap();
    let sampling: Vec<u8> = frame.payload[6..].chunks(3).map(|c| c[1]).collect();
    assert_eq!(sampling, [0x22, 0x11, 0x11], "{name}");
    assert_eq!(scans(jpeg), 1, "{name}");
    let huffman = huffman_tables(jpeg);
    // ITU-T T.81, table K.3, follows its class and destination.
    let luminance_dc = [
        0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ];
    assert!(
        huffman.windows(29).any(|window| window == luminance_dc),
        "{name}"
    );
    assert_eq!(huffman.len(), 2 * (17 + 12) + 2 * (17 + 162), "{name}");
}

fn huffman_tables(jpeg: &[u8]) -> Vec<u8> {
    let tables = segments(jpeg).filter(|s| s.code == 0xC4);
    tables.flat_map(|s| s.payload.to_vec()).collect()
}

fn scans(jpeg: &[u8]) -> usize {
    jpeg.windows(2).filter(|w| *w == [0xFF, 0xDA]).count()
}

#[test]
fn optimised_tables_make_it_smaller_and_are_given_up_again() {
    let samples = samples(131, 99);
    let picture = samples.yuv420(SampleRange::Full);
    for (name, mut encoder) in encoders() {
        let plain = encoder.encode_yuv420(&picture, 85).unwrap().to_vec();
        encoder.set_tables(Tables::Optimised);
        let optimised = encoder.encode_yuv420(&picture, 85).unwrap().to_vec();
        if name == "turbo" {
            assert!(optimised.len() < plain.len());
            assert_ne!(huffman_tables(&optimised), huffman_tables(&plain));
            assert_eq!(scans(&optimised), 1);
            assert!(decode(&optimised) == decode(&plain));
        } else {
            assert!(optimised == plain, "{name}");
        }
        encoder.set_tables(Tables::Standard);
        let again = encoder.encode_yuv420(&picture, 85).unwrap();
        assert!(again == plain, "{name}");
    }
}

#[test]
fn planar_pictures_look_like_what_was_given() {
    for (name, mut encoder) in encoders() {
        for (width, height) in SIZES {
            let samples = samples(width, height);
            let jpeg = encoder.encode_yuv420(&samples.yuv420(SampleRange::Full), 95);
            assert_shows(jpeg.unwrap(), &samples, name);
        }
    }
}

#[test]
fn rgb_looks_like_what_was_given() {
    let mut rgb = Vec::new();
    for y in 0..64u32 {
        for x in 0..64u32 {
            rgb.extend([x as u8 * 4, y as u8 * 4, 128]);
        }
    }
    for (name, mut encoder) in encoders() {
        let jpeg = encoder.encode_rgb(&rgb, 64, 64, 90).unwrap().to_vec();
        let decoded = zune_jpeg::JpegDecoder::new(ZCursor::new(&jpeg))
            .decode()
            .unwrap();
        let worst = decoded.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(24), "{name}: {worst:?}");
    }
}

#[test]
fn rows_may_lie_apart_with_anything_between_them() {
    for (name, mut encoder) in encoders() {
        for (width, height) in SIZES {
            let samples = samples(width, height);
            let tight = samples.yuv420(SampleRange::Full);
            let expected = encoder.encode_yuv420(&tight, 85).unwrap().to_vec();
            for gap in [1, 7, 64] {
                let (y_stride, uv_stride) = (tight.y.stride + gap, tight.u.stride + gap);
                let y = spread(&samples.y, tight.y.stride, gap);
                let u = spread(&samples.u, tight.u.stride, gap);
                let v = spread(&samples.v, tight.v.stride, gap);
                let plane = |bytes, stride| SamplePlane { bytes, stride };
                let apart = Yuv420 {
                    y: plane(&y, y_stride),
                    u: plane(&u, uv_stride),
                    v: plane(&v, uv_stride),
                    ..tight
                };
                let jpeg = encoder.encode_yuv420(&apart, 85).unwrap();
                assert!(jpeg == expected, "{name} {width}x{height} gap {gap}");
            }
        }
    }
}

#[test]
fn nv12_gives_what_its_planes_give() {
    for (name, mut encoder) in encoders() {
        for (width, height) in SIZES {
            for range in [SampleRange::Full, SampleRange::Limited] {
                let samples = samples(width, height);
                let planar = samples.yuv420(range);
                let expected = encoder.encode_yuv420(&planar, 85).unwrap().to_vec();
                let row_bytes = samples.half_width() * 2;
                for gap in [0, 13] {
                    let uv = spread(&samples.uv(), row_bytes, gap);
                    let picture = Nv12 {
                        width,
                        height,
                        y: planar.y,
                        uv: SamplePlane {
                            bytes: &uv,
                            stride: row_bytes + gap,
                        },
                        range,
                    };
                    let jpeg = encoder.encode_nv12(&picture, 85).unwrap();
                    assert!(
                        jpeg == expected,
                        "{name} {width}x{height} {range:?} gap {gap}"
                    );
                }
            }
        }
    }
}

#[test]
fn yuyv_gives_the_mean_of_two_rows_of_colour() {
    for (name, mut encoder) in encoders() {
        for (width, height) in SIZES {
            for (range, apart, gap) in [
                (SampleRange::Full, 0, 0),
                (SampleRange::Full, 9, 0),
                (SampleRange::Full, 9, 5),
                (SampleRange::Limited, 9, 5),
            ] {
                let samples = samples(width, height);
                let planar = samples.yuv420(range);
                let expected = encoder.encode_yuv420(&planar, 85).unwrap().to_vec();
                let row_bytes = samples.half_width() * 4;
                let pixels = spread(&samples.yuyv(apart), row_bytes, gap);
                let picture = Yuyv {
                    width,
                    height,
                    pixels: SamplePlane {
                        bytes: &pixels,
                        stride: row_bytes + gap,
                    },
                    range,
                };
                let jpeg = encoder.encode_yuyv(&picture, 85).unwrap();
                assert!(
                    jpeg == expected,
                    "{name} {width}x{height} {range:?} gap {gap}"
                );
            }
        }
    }
}

#[test]
fn limited_range_is_stretched() {
    for (name, mut encoder) in encoders() {
        for (width, height) in SIZES {
            let samples = samples(width, height);
            let limited = samples.limited();
            let jpeg = encoder.encode_yuv420(&limited.yuv420(SampleRange::Limited), 95);
            assert_shows(jpeg.unwrap(), &samples, name);
        }
    }
}

// With one encoder there is nothing to compare: .ci/run tests with both.
#[cfg(feature = "turbojpeg")]
/// Without the feature there is one encoder, and nothing to compare it with; `.ci/run` tests with
/// it, too.
#[cfg(feature = "turbojpeg")]
#[test]
fn the_encoders_give_the_same_picture() {
    for (width, height) in SIZES {
        let samples = samples(width, height);
        let picture = samples.yuv420(SampleRange::Full);
        let mut rgb = Vec::new();
        for (index, y) in samples.y.iter().enumerate() {
            rgb.extend([*y, (index % 200) as u8, 255 - *y]);
        }
        let shown = |mut encoder: Encoder| {
            let planar = decode(encoder.encode_yuv420(&picture, 85).unwrap());
            let of_rgb = decode(encoder.encode_rgb(&rgb, width, height, 85).unwrap());
            [planar, of_rgb]
        };
        let (pure, turbo) = (shown(Encoder::pure_rust()), shown(Encoder::default()));
        for (pure, turbo) in pure.iter().zip(&turbo) {
            let difference = difference(pure, turbo);
            let mean = if width.min(height) < 16 { 2.0 } else { 0.6 };
            let luma = difference.luma.0 <= 10 && difference.luma.1 < mean;
            let chroma = difference.chroma.0 <= 10 && difference.chroma.1 < mean;
            assert!(luma && chroma, "{width}x{height}: {difference:?}");
        }
    }
}

#[test]
fn refuses_planes_that_are_too_short() {
    for (name, mut encoder) in encoders() {
        for (width, height) in SIZES {
            let samples = samples(width, height);
            let whole = samples.yuv420(SampleRange::Full);
            let (uv, pixels) = (samples.uv(), samples.yuyv(0));
            for range in [SampleRange::Full, SampleRange::Limited] {
                for index in 0..3 {
                    for broken in [shortened, narrowed, widened] {
                        let mut picture = Yuv420 { range, ..whole };
                        let plane = [&mut picture.y, &mut picture.u, &mut picture.v];
                        broken(plane.into_iter().nth(index).unwrap());
                        let error = encoder.encode_yuv420(&picture, 85).unwrap_err();
                        let what = ["Y", "U", "V"][index];
                        assert!(error.to_string().contains(&format!("plane {what} of")));
                    }
                }
                for broken in [shortened, narrowed, widened] {
                    let uv = SamplePlane {
                        bytes: &uv,
                        stride: samples.half_width() * 2,
                    };
                    let whole = Nv12 {
                        width,
                        height,
                        y: whole.y,
                        uv,
                        range,
                    };
                    encoder.encode_nv12(&whole, 85).unwrap();
                    let mut picture = whole;
                    broken(&mut picture.y);
                    assert!(encoder.encode_nv12(&picture, 85).is_err(), "{name}");
                    picture = whole;
                    broken(&mut picture.uv);
                    assert!(encoder.encode_nv12(&picture, 85).is_err(), "{name}");
                    let mut picture = Yuyv {
                        width,
                        height,
                        pixels: SamplePlane {
                            bytes: &pixels,
                            stride: samples.half_width() * 4,
                        },
                        range,
                    };
                    encoder.encode_yuyv(&picture, 85).unwrap();
                    broken(&mut picture.pixels);
                    assert!(encoder.encode_yuyv(&picture, 85).is_err(), "{name}");
                }
            }
            let rgb = vec![0; (width * height * 3) as usize];
            encoder.encode_rgb(&rgb, width, height, 85).unwrap();
            let short = &rgb[1..];
            assert!(
                encoder.encode_rgb(short, width, height, 85).is_err(),
                "{name}"
            );
        }
    }
}

fn shortened(plane: &mut SamplePlane<'_>) {
    plane.bytes = &plane.bytes[1..];
}

fn narrowed(plane: &mut SamplePlane<'_>) {
    plane.stride -= 1;
}

fn widened(plane: &mut SamplePlane<'_>) {
    plane.stride = usize::MAX;
}

#[test]
fn refuses_sizes_that_a_jpeg_cannot_have() {
    let samples = samples(16, 16);
    let whole = samples.yuv420(SampleRange::Full);
    for (_, mut encoder) in encoders() {
        for (width, height) in [
            (0, 1),
            (1, 0),
            (0, 0),
            (65536, 1),
            (1, 65536),
            (u32::MAX, 2),
        ] {
            let planar = Yuv420 {
                width,
                height,
                ..whole
            };
            let nv12 = Nv12 {
                width,
                height,
                y: whole.y,
                uv: whole.y,
                range: SampleRange::Limited,
            };
            let yuyv = Yuyv {
                width,
                height,
                pixels: whole.y,
                range: SampleRange::Limited,
            };
            for error in [
                encoder.encode_yuv420(&planar, 85).unwrap_err(),
                encoder.encode_nv12(&nv12, 85).unwrap_err(),
                encoder.encode_yuyv(&yuyv, 85).unwrap_err(),
                encoder.encode_rgb(&[0; 9], width, height, 85).unwrap_err(),
            ] {
                assert!(error.to_string().contains(&format!("{width}x{height}")));
            }
        }
    }
}

#[test]
fn an_encoder_goes_on_after_an_error_and_with_another_size() {
    let (small, large) = (samples(17, 16), samples(131, 99));
    for (name, mut encoder) in encoders() {
        let (small, large) = (
            small.yuv420(SampleRange::Full),
            large.yuv420(SampleRange::Full),
        );
        let first = encoder.encode_yuv420(&small, 85).unwrap().to_vec();
        encoder.encode_yuv420(&large, 85).unwrap();
        let mut broken = large;
        shortened(&mut broken.v);
        encoder.encode_yuv420(&broken, 85).unwrap_err();
        let again = encoder.encode_yuv420(&small, 85).unwrap();
        assert!(again == first, "{name}");
    }
}
