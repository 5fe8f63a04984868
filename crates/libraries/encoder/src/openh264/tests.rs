use eyelid_h264::{NalType, ParameterSets, nal_units};
use eyelid_picture::{SamplePlane, SampleRange};
use openh264::decoder::Decoder;

use super::*;

mod left_behind;

/// A picture that is not easy, and moves.
struct Scene {
    width: u32,
    height: u32,
    samples: Vec<u8>,
}

impl Scene {
    fn new(width: u32, height: u32) -> Self {
        let (columns, rows) = (width as usize, height as usize);
        let chroma = columns.div_ceil(2) * rows.div_ceil(2);
        Self {
            width,
            height,
            samples: vec![0; columns * rows + chroma * 2],
        }
    }

    fn picture(&mut self, number: usize, range: SampleRange) -> Yuv420<'_> {
        let (columns, rows) = (self.width as usize, self.height as usize);
        let half = columns.div_ceil(2);
        let (y, colour) = self.samples.split_at_mut(columns * rows);
        for (row, samples) in y.chunks_mut(columns).enumerate() {
            for (column, sample) in samples.iter_mut().enumerate() {
                let wave = ((column + number * 3) * 5 / 2 + row * 3) % 256;
                *sample = 40 + (wave.abs_diff(128) as u8);
            }
        }
        let count = colour.len() / 2;
        for (at, sample) in colour.iter_mut().enumerate() {
            let place = at % count;
            *sample = 90 + ((place % half + place / half + number) % 64) as u8;
        }
        let (u, v) = colour.split_at(count);
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        Yuv420 {
            width: self.width,
            height: self.height,
            y: plane(y, columns),
            u: plane(u, half),
            v: plane(v, half),
            range,
        }
    }
}

fn settings(bits_per_second: u32) -> Settings {
    Settings {
        bits_per_second,
        pictures_per_second: 30.0,
    }
}

/// The moment of a picture, 30 of which come in a second.
fn at(number: usize) -> Duration {
    Duration::from_secs(1000) + Duration::from_micros(33_333) * number as u32
}

fn types(encoded: &Encoded) -> Vec<NalType> {
    nal_units(&encoded.annex_b)
        .filter_map(NalType::of)
        .collect()
}

const KEY: [NalType; 3] = [NalType::Sps, NalType::Pps, NalType::Idr];

#[test]
fn the_first_picture_is_a_keyframe_and_so_is_each_that_is_wanted_as_one() {
    let mut encoder = OpenH264::new(settings(1_000_000));
    let mut scene = Scene::new(320, 240);
    for number in 0..90 {
        let key = match number {
            30 | 31 | 60 => Key::Wanted,
            _ => Key::NotNeeded,
        };
        let picture = scene.picture(number, SampleRange::Full);
        let encoded = encoder.encode(&picture, at(number), key).unwrap().unwrap();
        let is_key = number == 0 || key == Key::Wanted;
        assert_eq!(encoded.is_key, is_key, "{number}");
        let expected = if is_key { &KEY[..] } else { &[NalType::Slice] };
        assert_eq!(types(&encoded), expected, "{number}");
    }
}

#[test]
fn says_constrained_baseline_and_the_range_of_television() {
    for (width, height, level) in [
        (320, 240, 12..=20),
        (1280, 720, 31..=32),
        (1920, 1080, 40..=42),
    ] {
        let mut encoder = OpenH264::new(settings(1_000_000));
        let mut scene = Scene::new(width, height);
        let picture = scene.picture(0, SampleRange::Full);
        let encoded = encoder.encode(&picture, at(0), Key::NotNeeded);
        let sets = ParameterSets::of(&encoded.unwrap().unwrap().annex_b).unwrap();
        let sps = sets.parse().unwrap();
        assert_eq!((sps.width, sps.height), (width, height));
        assert_eq!((sps.profile, sps.constraints & 0xC0), (66, 0xC0), "{sps:?}");
        assert!(level.contains(&sps.level), "{sps:?}");
        let colour = sps.colour.unwrap();
        assert_eq!((colour.full_range, colour.description), (false, [1, 1, 6]));
    }
}

/// The mean of the squared differences of two planes' samples.
fn apart(one: &[u8], one_stride: usize, other: SamplePlane<'_>, width: usize, rows: usize) -> f64 {
    let mut sum = 0.0;
    for row in 0..rows {
        let one = &one[row * one_stride..][..width];
        let other = &other.bytes[row * other.stride..][..width];
        let squares = one.iter().zip(other);
        sum += squares
            .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
            .sum::<f64>();
    }
    sum / (width * rows) as f64
}

#[test]
fn what_is_decoded_is_what_was_encoded_whatever_its_range() {
    for range in [SampleRange::Full, SampleRange::Limited] {
        // Odd sides lose their last column and row.
        for (width, height) in [(320, 240), (321, 241), (16, 16), (50, 150)] {
            let mut encoder = OpenH264::new(settings(4_000_000));
            let mut decoder = Decoder::new().unwrap();
            let mut scene = Scene::new(width, height);
            for number in 0..10 {
                let picture = scene.picture(number, range);
                let encoded = encoder.encode(&picture, at(number), Key::NotNeeded);
                let encoded = encoded.unwrap().unwrap();
                let decoded = decoder.decode(&encoded.annex_b).unwrap().unwrap();
                let (columns, rows) = (width as usize & !1, height as usize & !1);
                assert_eq!(decoded.dimensions(), (columns, rows));
                let mut memory = Planes::default();
                let expected = memory.limited_range(&picture).unwrap();
                let strides = decoded.strides();
                let worst = [
                    apart(decoded.y(), strides.0, expected.y, columns, rows),
                    apart(decoded.u(), strides.1, expected.u, columns / 2, rows / 2),
                    apart(decoded.v(), strides.2, expected.v, columns / 2, rows / 2),
                ];
                // 28 dB, for a scene that is mostly edges; of the wrong range, it is below 22.
                assert!(
                    worst.iter().all(|apart| *apart < 100.0),
                    "{width} {worst:?}"
                );
            }
        }
    }
}

/// Bits of a second's pictures, after two seconds in which the encoder learns.
fn rate(encoder: &mut OpenH264, scene: &mut Scene, from: usize, pictures: usize) -> usize {
    let step = 30 / pictures;
    let mut bits = 0;
    for second in 0..4 {
        for number in 0..pictures {
            let number = from + second * 30 + number * step;
            let picture = scene.picture(number, SampleRange::Limited);
            let encoded = encoder.encode(&picture, at(number), Key::NotNeeded);
            let bytes = encoded.unwrap().unwrap().annex_b.len();
            bits += if second >= 2 { bytes * 8 / 2 } else { 0 };
        }
    }
    bits
}

#[test]
fn the_bitrate_follows_what_is_set_however_many_pictures_come() {
    let mut encoder = OpenH264::new(settings(500_000));
    let mut scene = Scene::new(640, 480);
    let mut from = 0;
    for (wanted, pictures) in [
        (500_000, 30),
        (1_500_000, 30),
        (300_000, 30),
        (1_000_000, 15),
        (1_000_000, 30),
    ] {
        encoder.set_bitrate(wanted).unwrap();
        let got = rate(&mut encoder, &mut scene, from, pictures);
        eprintln!("{wanted} at {pictures}: {got}");
        let about = wanted as usize * 6 / 10..=wanted as usize * 14 / 10;
        assert!(about.contains(&got), "{got} bits a second, not {wanted}");
        from += 120;
    }
}

#[test]
fn a_change_of_size_is_a_keyframe_of_the_new_size() {
    let mut encoder = OpenH264::new(settings(1_000_000));
    for (number, (width, height)) in [(320, 240), (640, 480), (160, 128)].into_iter().enumerate() {
        for again in 0..2 {
            let mut scene = Scene::new(width, height);
            let picture = scene.picture(0, SampleRange::Full);
            let moment = at(number * 2 + again);
            let encoded = encoder
                .encode(&picture, moment, Key::NotNeeded)
                .unwrap()
                .unwrap();
            assert_eq!(encoded.is_key, again == 0);
            if again == 0 {
                let sps = ParameterSets::of(&encoded.annex_b)
                    .unwrap()
                    .parse()
                    .unwrap();
                assert_eq!((sps.width, sps.height), (width, height));
            }
        }
    }
}

#[test]
fn refuses_what_it_cannot_take_by_name_and_goes_on() {
    let mut encoder = OpenH264::new(settings(1_000_000));
    encoder.set_bitrate(0).unwrap();
    encoder.set_bitrate(u32::MAX).unwrap();
    for (width, height) in [(15, 100), (100, 14), (3842, 16), (2162, 2162)] {
        let mut scene = Scene::new(width, height);
        let picture = scene.picture(0, SampleRange::Full);
        let error = encoder.encode(&picture, at(0), Key::NotNeeded).unwrap_err();
        let said = format!("{width}x{height}");
        assert!(error.to_string().contains(&said), "{error}");
    }
    let mut scene = Scene::new(64, 64);
    let mut picture = scene.picture(0, SampleRange::Full);
    picture.v.bytes = &picture.v.bytes[1..];
    encoder.encode(&picture, at(0), Key::NotNeeded).unwrap_err();
    let picture = scene.picture(0, SampleRange::Full);
    assert!(encoder.encode(&picture, at(0), Key::NotNeeded).is_ok());
    // Without time between them, and backwards.
    for moment in [at(0), at(0), Duration::ZERO, Duration::MAX] {
        let picture = scene.picture(1, SampleRange::Full);
        let encoded = encoder.encode(&picture, moment, Key::NotNeeded).unwrap();
        assert!(encoded.is_some());
    }
    for bits_per_second in [0, 1, u32::MAX] {
        encoder.set_bitrate(bits_per_second).unwrap();
        let picture = scene.picture(2, SampleRange::Full);
        assert!(
            encoder
                .encode(&picture, at(9), Key::NotNeeded)
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn says_which_instructions_it_has() {
    let said = OpenH264::new(settings(1)).description();
    assert!(said.contains("SSE") || said.contains("NEON"), "{said}");
}
