//! What a camera says of itself.

use eyelid_config::Size;
use eyelid_jpeg::Turn;
use libcamera::camera::Camera;
use libcamera::pixel_format::PixelFormat;
use libcamera::properties;
use libcamera::stream::{StreamFormatsRef, StreamRole};

use super::configuration::{LibcameraConfig, configuration, role};
use crate::source::hardware::choice::{FORMATS, Format, Offer, Range};
use crate::source::hardware::full_pictures::Purpose;

/// A camera, as it describes itself.
#[derive(Clone, Debug)]
pub(in super::super) struct Description {
    pub(in super::super) id: String,
    pub(in super::super) model: Option<String>,
    /// `front`, `back` or `external`.
    pub(in super::super) location: Option<&'static str>,
    /// How it is mounted, in degrees clockwise.
    pub(in super::super) rotation: Option<i32>,
    /// Formats and sizes that can be used here.
    pub(in super::super) offers: Vec<Offer>,
    /// Names of the other formats.
    pub(in super::super) others: Vec<String>,
    /// Numbers of the devices it is made of.
    pub(in super::super) devices: Vec<u64>,
}

pub(super) fn describe(camera: &Camera<'_>) -> Description {
    let properties = camera.properties();
    let configuration = camera.generate_configuration(&[StreamRole::VideoRecording]);
    let stream = configuration.as_ref().and_then(|c| c.get(0));
    let (mut offers, mut others) = (Vec::new(), Vec::new());
    if let Some(stream) = stream {
        let formats = stream.formats();
        for pixels in formats.pixel_formats().into_iter() {
            let name = pixels.to_string();
            match FORMATS.iter().find(|format| format.name() == name) {
                Some(format) => offers.push(offer(camera, *format, pixels, &formats)),
                None => others.push(name),
            }
        }
        offers.retain(|offer| !offer.sizes.is_empty());
    }
    Description {
        id: camera.id().to_owned(),
        model: properties.get::<properties::Model>().ok().map(|m| m.0),
        location: properties.get().ok().map(|location| match location {
            properties::Location::CameraFront => "front",
            properties::Location::CameraBack => "back",
            properties::Location::CameraExternal => "external",
        }),
        rotation: properties.get::<properties::Rotation>().ok().map(|r| r.0),
        offers,
        others,
        devices: properties
            .get::<properties::SystemDevices>()
            .map(|devices| devices.iter().map(|n| n.cast_unsigned()).collect())
            .unwrap_or_default(),
    }
}

/// What a camera has of one format. It may name sizes that it will not be configured to: each is
/// tried.
fn offer(
    camera: &Camera<'_>,
    format: Format,
    pixels: PixelFormat,
    formats: &StreamFormatsRef<'_>,
) -> Offer {
    let range = formats.range(pixels);
    let mut ends = vec![size_of(range.min), size_of(range.max)];
    let mut sizes: Vec<Size> = formats.sizes(pixels).into_iter().map(size_of).collect();
    let named = sizes.len();
    sizes.retain(|size| has(camera, Purpose::Frames, format, *size));
    let means_it = sizes.len() == named;
    // libcamera names the sizes that are usual and lie in the range, which need not be those that
    // the camera has.
    ends.retain(|end| !sizes.contains(end) && has(camera, Purpose::Frames, format, *end));
    sizes.extend(ends);
    Offer {
        format,
        sizes,
        // A step of 0 means that there are no sizes between the named ones.
        range: (means_it && named > 1 && range.h_step > 0 && range.v_step > 0).then(|| Range {
            min: size_of(range.min),
            max: size_of(range.max),
            step: (range.h_step, range.v_step),
        }),
    }
}

/// The largest size of each format, for pictures in the camera's full resolution.
pub(super) fn full_offers(camera: &Camera<'_>) -> Vec<Offer> {
    let configuration = camera.generate_configuration(&[role(Purpose::Full)]);
    let Some(stream) = configuration.as_ref().and_then(|c| c.get(0)) else {
        return Vec::new();
    };
    let formats = stream.formats();
    let all = formats.pixel_formats();
    let largest = |pixels: PixelFormat| {
        let name = pixels.to_string();
        let format = *FORMATS.iter().find(|format| format.name() == name)?;
        let named = formats.sizes(pixels).into_iter();
        let most = formats.range(pixels).max;
        let mut sizes: Vec<Size> = named.chain([most]).map(size_of).collect();
        sizes.sort_unstable_by_key(|size| u64::from(size.width) * u64::from(size.height));
        let largest = sizes.into_iter().rev();
        let size = { largest }.find(|size| has(camera, Purpose::Full, format, *size))?;
        Some(Offer {
            format,
            sizes: vec![size],
            range: None,
        })
    };
    all.into_iter().filter_map(largest).collect()
}

fn size_of(size: libcamera::geometry::Size) -> Size {
    Size {
        width: size.width,
        height: size.height,
    }
}

/// Says whether a camera would be configured to this.
fn has(camera: &Camera<'_>, purpose: Purpose, format: Format, size: Size) -> bool {
    let config = LibcameraConfig {
        purpose,
        format,
        size,
        turn: Turn::NONE,
        buffers: None,
    };
    let configuration = configuration(camera, &[config]).ok();
    let stream = configuration.as_ref().and_then(|c| c.get(0));
    stream.is_some_and(|stream| {
        let there = stream.get_size();
        (there.width, there.height) == (size.width, size.height)
            && stream.get_pixel_format().to_string() == format.name()
    })
}
