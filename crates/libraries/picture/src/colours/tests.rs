use super::*;
use proptest::prelude::*;

const STEPS: [ChromaStep; 3] = [ChromaStep::One, ChromaStep::Two, ChromaStep::Four];

/// Where the colour of a place lies that has a sample for each `step` pixels.
fn sample(plane: SamplePlane<'_>, x: usize, y: usize, across: usize, down: usize) -> f64 {
    f64::from(plane.bytes[y / down * plane.stride + x / across])
}

/// The mean colour of the two by two pixels, as far as they are there, that a sample is for.
fn mean(
    plane: SamplePlane<'_>,
    at: (usize, usize),
    size: (usize, usize),
    steps: (usize, usize),
) -> f64 {
    let mut sum = 0.0;
    // An odd side's last pixel stands for the one that is missing, too.
    for y in [at.1 * 2, (at.1 * 2 + 1).min(size.1 - 1)] {
        for x in [at.0 * 2, (at.0 * 2 + 1).min(size.0 - 1)] {
            sum += sample(plane, x, y, steps.0, steps.1);
        }
    }
    sum / 4.0
}

proptest! {
    #[test]
    fn any_sampling_becomes_the_mean_colour_of_two_by_two_pixels(
        width in 1usize..40,
        height in 1usize..40,
        apart in 0usize..5,
        across in 0usize..3,
        down in 0usize..3,
        bytes in proptest::collection::vec(any::<u8>(), 45 * 40 * 3),
    ) {
        let (across, down) = (STEPS[across], STEPS[down]);
        let (stride, third) = (width + apart, bytes.len() / 3);
        let plane = |index: usize, stride| SamplePlane {
            bytes: &bytes[index * third..(index + 1) * third],
            stride,
        };
        let coarse = width.div_ceil(across.count()) + apart;
        let picture = Subsampled {
            width: width as u32,
            height: height as u32,
            y: plane(0, stride),
            chroma: Some(Chroma {
                u: plane(1, coarse),
                v: plane(2, coarse),
                across,
                down,
            }),
        };
        let mut planes = Planes::default();
        let made = planes.from_subsampled(&picture).unwrap();
        made.check().unwrap();
        prop_assert!(std::ptr::eq(made.y.bytes, picture.y.bytes));
        let Chroma { u, v, .. } = picture.chroma.unwrap();
        for (from, to) in [(u, made.u), (v, made.v)] {
            for row in 0..height.div_ceil(2) {
                for column in 0..width.div_ceil(2) {
                    let got = f64::from(to.bytes[row * to.stride + column]);
                    let steps = (across.count(), down.count());
                    let wanted = mean(from, (column, row), (width, height), steps);
                    prop_assert!((got - wanted).abs() <= 0.5, "{column},{row}: {got} {wanted}");
                }
            }
        }
    }

    #[test]
    fn pixels_become_their_brightness_and_the_mean_of_their_colour(
        width in 1usize..20,
        height in 1usize..20,
        bytes in proptest::collection::vec(any::<u8>(), 20 * 20 * 3),
    ) {
        let jfif = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(f64::from);
            [
                0.299 * r + 0.587 * g + 0.114 * b,
                128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b,
                128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b,
            ]
        };
        let as_it_is = |p: &[u8]| [p[0], p[1], p[2]].map(f64::from);
        for (kind, converted) in [
            (PixelKind::Rgb, &jfif as &dyn Fn(&[u8]) -> [f64; 3]),
            (PixelKind::YCbCr, &as_it_is),
        ] {
            let mut planes = Planes::default();
            let made = planes.from_pixels(&bytes, width as u32, height as u32, kind).unwrap();
            let pixel = |x: usize, y: usize| {
                let (x, y) = (x.min(width - 1), y.min(height - 1));
                converted(&bytes[(y * width + x) * 3..][..3])
            };
            for y in 0..height {
                for x in 0..width {
                    let got = f64::from(made.y.bytes[y * made.y.stride + x]);
                    prop_assert!((got - pixel(x, y)[0]).abs() <= 0.51, "{got}");
                }
            }
            for y in 0..height.div_ceil(2) {
                for x in 0..width.div_ceil(2) {
                    for (channel, plane) in [(1, made.u), (2, made.v)] {
                        let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
                        let sum: f64 = places
                            .map(|(right, under)| pixel(x * 2 + right, y * 2 + under)[channel])
                            .iter()
                            .sum();
                        let got = f64::from(plane.bytes[y * plane.stride + x]);
                        // What is 255.5 stays 255.
                        prop_assert!((got - sum / 4.0).abs() <= 0.51, "{got} {}", sum / 4.0);
                    }
                }
            }
        }
    }
}

#[test]
fn what_lies_right_is_not_copied_and_grey_has_no_colour() {
    let bytes = [7; 24];
    let plane = |stride| SamplePlane {
        bytes: &bytes,
        stride,
    };
    let mut picture = Subsampled {
        width: 5,
        height: 3,
        y: plane(5),
        chroma: Some(Chroma {
            u: plane(3),
            v: plane(3),
            across: ChromaStep::Two,
            down: ChromaStep::Two,
        }),
    };
    let mut planes = Planes::default();
    let made = planes.from_subsampled(&picture).unwrap();
    assert!(std::ptr::eq(made.u.bytes, &bytes[..]));
    picture.chroma = None;
    let made = planes.from_subsampled(&picture).unwrap();
    made.check().unwrap();
    assert_eq!((made.u.bytes, made.v.bytes), (&[128; 6][..], &[128; 6][..]));
}

#[test]
fn what_is_too_short_is_refused() {
    let bytes = [7; 24];
    let plane = SamplePlane {
        bytes: &bytes,
        stride: 4,
    };
    let chroma = Chroma {
        u: plane,
        v: plane,
        across: ChromaStep::One,
        down: ChromaStep::One,
    };
    let whole = Subsampled {
        width: 4,
        height: 6,
        y: plane,
        chroma: Some(chroma),
    };
    let mut planes = Planes::default();
    planes.from_subsampled(&whole).unwrap();
    let short = SamplePlane {
        bytes: &bytes[1..],
        ..plane
    };
    for broken in [
        Subsampled { y: short, ..whole },
        Subsampled {
            chroma: Some(Chroma { u: short, ..chroma }),
            ..whole
        },
        Subsampled {
            chroma: Some(Chroma { v: short, ..chroma }),
            ..whole
        },
    ] {
        assert!(planes.from_subsampled(&broken).is_err(), "{broken:?}");
    }
    for kind in [PixelKind::Rgb, PixelKind::YCbCr] {
        planes.from_pixels(&bytes, 4, 2, kind).unwrap();
        assert!(planes.from_pixels(&bytes[1..], 4, 2, kind).is_err());
        assert!(planes.from_pixels(&bytes, 0, 2, kind).is_err());
    }
}
