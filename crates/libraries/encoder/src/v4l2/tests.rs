use std::path::Path;

use eyelid_picture::{SamplePlane, SampleRange};

use super::*;

const SETTINGS: Settings = Settings {
    bits_per_second: 1_000_000,
    pictures_per_second: 30.0,
};

/// A picture of this size, of one grey and one colour each.
struct Flat {
    size: (u32, u32),
    samples: Vec<u8>,
}

impl Flat {
    fn new(width: u32, height: u32) -> Self {
        let samples = (width * height) as usize;
        Self {
            size: (width, height),
            samples: vec![100; samples],
        }
    }

    fn picture(&mut self, number: usize) -> Yuv420<'_> {
        let (width, height) = self.size;
        // Something that moves, so that there is something to encode.
        let columns = width as usize;
        for (row, samples) in self.samples.chunks_mut(columns).enumerate() {
            samples.fill(60 + ((row + number * 8) % 128) as u8);
        }
        let plane = |stride: u32| SamplePlane {
            bytes: &self.samples,
            stride: stride as usize,
        };
        Yuv420 {
            width,
            height,
            y: plane(width),
            u: plane(width.div_ceil(2)),
            v: plane(width.div_ceil(2)),
            range: SampleRange::Limited,
        }
    }
}

fn encode(encoder: &mut V4l2, size: (u32, u32)) -> Result<Option<Encoded>, EncodeError> {
    let mut flat = Flat::new(size.0, size.1);
    encoder.encode(&flat.picture(0), Duration::ZERO, Key::NotNeeded)
}

#[test]
fn a_device_that_is_none_is_said_by_name() {
    for (path, what) in [
        ("/dev/null", "refuses a format"),
        ("/nonexistent/video", "cannot be opened"),
    ] {
        let mut encoder = V4l2::new(V4l2Device::at(Path::new(path)), SETTINGS);
        let error = encode(&mut encoder, (64, 64)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("v4l2: {path} {what}")),
            "{error}"
        );
        assert!(encoder.set_bitrate(500_000).is_ok(), "for the next start");
    }
}

#[test]
fn sizes_that_no_such_device_takes_are_refused_before_it_is_opened() {
    let mut encoder = V4l2::new(V4l2Device::at(Path::new("/nonexistent")), SETTINGS);
    for size in [(31, 64), (64, 30), (2034, 64), (64, 4000)] {
        let error = encode(&mut encoder, size).unwrap_err();
        assert!(matches!(error, EncodeError::Size { .. }), "{error}");
    }
    assert_eq!(encoded_size(641, 2033).unwrap(), (640, 2032));
    assert_eq!(
        [0, 1_000_000, u32::MAX].map(within),
        [25_000, 1_000_000, 20_000_000]
    );
}

/// The kernel's own queues. `VICODEC` names the encoder's device, as `tests/vm/vicodec` does.
#[test]
#[ignore = "needs the kernel's vicodec, multi-planar: tests/vm/vicodec"]
fn pictures_go_through_the_kernels_vicodec() {
    let path = std::env::var("VICODEC").unwrap();
    let device = V4l2Device::at(Path::new(&path));
    let mut encoder = V4l2::of(device, Coding::Fwht, SETTINGS);
    let mut number = 0;
    // It has 640 by 360 at least, and its own idea of what a width may be.
    for size in [(640, 480), (1280, 720), (1298, 974), (640, 480)] {
        let mut flat = Flat::new(size.0, size.1);
        let mut keys = Vec::new();
        for at in 0..60 {
            let key = match at {
                10 | 11 | 40 => Key::Wanted,
                _ => Key::NotNeeded,
            };
            number += 1;
            let picture = flat.picture(number);
            let moment = Duration::from_millis(33) * number as u32;
            let encoded = encoder.encode(&picture, moment, key).unwrap().unwrap();
            // Its magic numbers (codec-fwht.h), and the size behind them and the version.
            let magic = [[0x4F; 4], [0xFF; 4]].concat();
            assert_eq!(encoded.annex_b[..8], magic, "{size:?} {at}");
            let side = |from: usize| {
                let bytes = encoded.annex_b[from..from + 4].try_into().unwrap();
                u32::from_be_bytes(bytes)
            };
            assert_eq!((side(12), side(16)), size);
            if encoded.is_key {
                keys.push(at);
            }
        }
        for wanted in [0, 10, 11, 40] {
            assert!(keys.contains(&wanted), "{size:?} {keys:?}");
        }
        encoder.set_bitrate(2_000_000).unwrap();
    }
}
