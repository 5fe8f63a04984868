//! Which of a camera's formats and sizes to take.

use std::fmt::Write;

use eyelid_config::Size;

use crate::SizeLimits;

/// The formats that can become frames, the best first: nothing to encode, planes taken as they lie,
/// chroma to be taken apart, packed.
pub(crate) const FORMATS: [Format; 4] = [Format::Mjpeg, Format::Yuv420, Format::Nv12, Format::Yuyv];

/// What is chosen among where no limits are given. More than this costs a Pi without a hardware
/// encoder most of a core.
const USUAL_MAX: Size = Size {
    width: 1280,
    height: 720,
};

/// How a camera lays its pixels out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JPEGs, made by the camera.
    Mjpeg,
    /// Luma, then both chroma planes at half the width and height.
    Yuv420,
    /// Luma, then one plane with both chroma interleaved.
    Nv12,
    /// Luma and chroma in turn; chroma at half the width.
    Yuyv,
}

impl Format {
    /// Its name, which is that in libcamera.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "MJPEG",
            Self::Yuv420 => "YUV420",
            Self::Nv12 => "NV12",
            Self::Yuyv => "YUYV",
        }
    }
}

/// The sizes of one format.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    pub(crate) format: Format,
    /// The sizes that the camera names.
    pub(crate) sizes: Vec<Size>,
    /// Sizes between those, where it can scale.
    pub(crate) range: Option<Range>,
}

/// Sizes in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) min: Size,
    pub(crate) max: Size,
    /// Step across and down, in pixels, each at least 1.
    pub(crate) step: (u32, u32),
}

impl Range {
    /// Says whether it has this size.
    pub(crate) fn contains(&self, size: Size) -> bool {
        (self.min.width..=self.max.width).contains(&size.width)
            && (self.min.height..=self.max.height).contains(&size.height)
            && (size.width - self.min.width).is_multiple_of(self.step.0)
            && (size.height - self.min.height).is_multiple_of(self.step.1)
    }
}

/// A camera does not have the size that was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("no size{wanted}: it has {there}")]
pub(crate) struct NoSize {
    wanted: String,
    there: String,
}

/// Chooses a format and a size: exactly `size`, else the largest (or smallest) of the named ones
/// within the limits.
///
/// # Errors
/// What was asked for and what there is, where that does not meet.
pub(crate) fn choose(
    offers: &[Offer],
    size: Option<Size>,
    limits: SizeLimits,
) -> Result<(Format, Size), NoSize> {
    if let Some(size) = size {
        return ranked(offers)
            .find(|offer| {
                offer.sizes.contains(&size) || offer.range.is_some_and(|range| range.contains(size))
            })
            .map(|offer| (offer.format, size))
            .ok_or_else(|| NoSize {
                wanted: format!(" {size}"),
                there: list(offers),
            });
    }
    let candidates =
        || ranked(offers).flat_map(|offer| offer.sizes.iter().map(|size| (offer.format, *size)));
    let unlimited = limits.min.is_none() && limits.max.is_none();
    let max = limits
        .max
        .or((unlimited && !limits.smallest).then_some(USUAL_MAX));
    let within = candidates().filter(|(_, size)| {
        limits.min.is_none_or(|min| covers(*size, min)) && max.is_none_or(|max| covers(max, *size))
    });
    let chosen = if limits.smallest {
        smallest(within)
    } else {
        largest(within)
    };
    chosen
        .or_else(|| {
            if unlimited {
                smallest(candidates())
            } else {
                None
            }
        })
        .ok_or_else(|| NoSize {
            wanted: wanted(limits),
            there: list(offers),
        })
}

/// Gives the largest size of all, in the best of the formats that have it, if it is larger than
/// `than`.
pub(crate) fn larger(offers: &[Offer], than: Size) -> Option<(Format, Size)> {
    let sizes = ranked(offers).flat_map(|offer| {
        let most = offer.range.map(|range| range.max);
        let sizes = offer.sizes.iter().copied().chain(most);
        sizes.map(|size| (offer.format, size))
    });
    largest(sizes.filter(|(_, size)| area(*size) > area(than)))
}

/// Gives what there is of each format, the best first.
fn ranked(offers: &[Offer]) -> impl Iterator<Item = &Offer> {
    FORMATS
        .iter()
        .filter_map(|format| offers.iter().find(|offer| offer.format == *format))
}

/// Of several that are equal the first is the better format.
fn largest(candidates: impl Iterator<Item = (Format, Size)>) -> Option<(Format, Size)> {
    candidates.reduce(|best, next| {
        if area(next.1) > area(best.1) {
            next
        } else {
            best
        }
    })
}

fn smallest(candidates: impl Iterator<Item = (Format, Size)>) -> Option<(Format, Size)> {
    candidates.min_by_key(|(_, size)| area(*size))
}

fn covers(outer: Size, inner: Size) -> bool {
    inner.width <= outer.width && inner.height <= outer.height
}

fn area(size: Size) -> u64 {
    u64::from(size.width) * u64::from(size.height)
}

fn wanted(limits: SizeLimits) -> String {
    let mut text = String::new();
    for (word, limit) in [("of at least", limits.min), ("of at most", limits.max)] {
        if let Some(size) = limit {
            let and = if text.is_empty() { "" } else { " and" };
            // Writing to a String does not fail.
            let _ = write!(text, "{and} {word} {size}");
        }
    }
    text
}

fn list(offers: &[Offer]) -> String {
    if offers.is_empty() {
        let names = FORMATS.map(Format::name);
        return format!("none of the formats {}", names.join(", "));
    }
    let offers: Vec<String> = offers
        .iter()
        .map(|offer| {
            let sizes: Vec<String> = offer.sizes.iter().map(Size::to_string).collect();
            let range = offer.range.map_or_else(String::new, |range| {
                format!(" and all from {} to {}", range.min, range.max)
            });
            format!("{} {}{range}", offer.format.name(), sizes.join(" "))
        })
        .collect();
    offers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Size {
        text.parse().unwrap()
    }

    fn offer(format: Format, sizes: &str) -> Offer {
        Offer {
            format,
            sizes: sizes.split(' ').map(size).collect(),
            range: None,
        }
    }

    fn usb() -> Vec<Offer> {
        vec![
            offer(Format::Yuyv, "640x480 320x240"),
            offer(Format::Mjpeg, "640x480 1280x720 1920x1080"),
        ]
    }

    fn limits(min: &str, max: &str, smallest: bool) -> SizeLimits {
        let parse = |text: &str| (!text.is_empty()).then(|| size(text));
        SizeLimits {
            min: parse(min),
            max: parse(max),
            smallest,
        }
    }

    #[test]
    fn takes_what_the_limits_say_and_the_better_format() {
        for (given, format, chosen) in [
            (limits("", "", false), Format::Mjpeg, "1280x720"),
            (limits("", "", true), Format::Yuyv, "320x240"),
            (limits("", "8000x8000", false), Format::Mjpeg, "1920x1080"),
            (limits("", "1279x720", false), Format::Mjpeg, "640x480"),
            (limits("400x100", "", true), Format::Mjpeg, "640x480"),
            (limits("400x100", "", false), Format::Mjpeg, "1920x1080"),
            (limits("", "639x480", false), Format::Yuyv, "320x240"),
        ] {
            let expected = Ok((format, size(chosen)));
            assert_eq!(choose(&usb(), None, given), expected, "{given:?}");
        }
        let large = [offer(Format::Nv12, "4000x3000 2000x1500")];
        let none = SizeLimits::default();
        let expected = Ok((Format::Nv12, size("2000x1500")));
        assert_eq!(choose(&large, None, none), expected, "better than nothing");
    }

    #[test]
    fn an_exact_size_may_lie_between_the_named_ones_where_the_camera_scales() {
        let limits = limits("", "100x100", false);
        let chosen = choose(&usb(), Some(size("640x480")), limits);
        assert_eq!(chosen, Ok((Format::Mjpeg, size("640x480"))));
        let mut scales = offer(Format::Yuv420, "640x480");
        scales.range = Some(Range {
            min: size("32x32"),
            max: size("3280x2464"),
            step: (2, 2),
        });
        let exact = |text| choose(std::slice::from_ref(&scales), Some(size(text)), limits);
        assert_eq!(exact("800x450"), Ok((Format::Yuv420, size("800x450"))));
        for bad in ["801x450", "800x451", "4000x16", "16x16"] {
            let error = exact(bad).unwrap_err().to_string();
            let expected =
                format!("no size {bad}: it has YUV420 640x480 and all from 32x32 to 3280x2464");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_full_size_is_the_largest_of_all_in_the_best_format() {
        let larger = |offers: &[Offer], than| larger(offers, size(than));
        let expected = Some((Format::Mjpeg, size("1920x1080")));
        assert_eq!(larger(&usb(), "1280x720"), expected);
        assert_eq!(larger(&usb(), "1920x1080"), None, "as configured");
        assert_eq!(larger(&[], "640x480"), None);
        let mut offers = usb();
        offers[0].sizes.push(size("1920x1080"));
        assert_eq!(larger(&offers, "640x480"), expected, "nothing to encode");
        offers[0].sizes.push(size("2592x1944"));
        let slow = Some((Format::Yuyv, size("2592x1944")));
        assert_eq!(larger(&offers, "640x480"), slow, "larger is larger");
        offers[0].range = Some(Range {
            min: size("32x32"),
            max: size("3280x2464"),
            step: (2, 2),
        });
        let scaled = Some((Format::Yuyv, size("3280x2464")));
        assert_eq!(larger(&offers, "640x480"), scaled);
    }

    #[test]
    fn no_match_lists_what_there_is() {
        let given = limits("2000x100", "3000x3000", false);
        assert_eq!(
            choose(&usb(), None, given).unwrap_err().to_string(),
            "no size of at least 2000x100 and of at most 3000x3000: it has YUYV 640x480 320x240, \
             MJPEG 640x480 1280x720 1920x1080"
        );
        assert_eq!(
            choose(&[], None, SizeLimits::default())
                .unwrap_err()
                .to_string(),
            "no size: it has none of the formats MJPEG, YUV420, NV12, YUYV"
        );
    }
}
