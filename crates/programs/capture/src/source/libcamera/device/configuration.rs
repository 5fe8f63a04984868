//! How a camera is configured, and what it makes of that.

use std::{fmt, io};

use eyelid_config::Size;
use eyelid_jpeg::Turn;
use libcamera::camera::{Camera, CameraConfiguration, Orientation};
use libcamera::color_space::{ColorSpace, Range as ColorRange};
use libcamera::pixel_format::PixelFormat;
use libcamera::stream::{Stream, StreamConfigurationRef, StreamRole};

use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::{FORMATS, Format};
use crate::source::hardware::full_pictures::Purpose;

/// How a camera is to be configured.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct LibcameraConfig {
    pub(in super::super) purpose: Purpose,
    pub(in super::super) format: Format,
    pub(in super::super) size: Size,
    /// How the picture is to be turned.
    pub(in super::super) turn: Turn,
    pub(in super::super) buffers: Option<u32>,
}

/// What libcamera calls it.
pub(super) fn role(purpose: Purpose) -> StreamRole {
    match purpose {
        Purpose::Frames => StreamRole::VideoRecording,
        Purpose::Full => StreamRole::StillCapture,
    }
}

/// Makes libcamera's form of a configuration with one stream for each of these, as the camera would
/// have it. All are turned as the first is.
pub(super) fn configuration(
    camera: &Camera<'_>,
    configs: &[LibcameraConfig],
) -> io::Result<CameraConfiguration> {
    let roles: Vec<_> = configs.iter().map(|config| role(config.purpose)).collect();
    let none = || io::Error::other("it has no such streams");
    let mut configuration = camera.generate_configuration(&roles).ok_or_else(none)?;
    let turn = configs.first().map_or(Turn::NONE, |config| config.turn);
    if turn != Turn::NONE && can_turn(camera) {
        configuration.set_orientation(orientation(turn));
    }
    for (index, config) in configs.iter().enumerate() {
        let mut stream = configuration.get_mut(index).ok_or_else(none)?;
        let pixels = PixelFormat::parse(config.format.name());
        stream.set_pixel_format(pixels.ok_or_else(|| io::Error::other("unknown format"))?);
        stream.set_size(libcamera::geometry::Size {
            width: config.size.width,
            height: config.size.height,
        });
        if let Some(buffers) = config.buffers {
            stream.set_buffer_count(buffers);
        }
        // What JPEG is defined with (JFIF 1.02: full range, the matrix of BT.601).
        stream.set_color_space((config.format != Format::Mjpeg).then(ColorSpace::sycc));
    }
    if configuration.validate().is_invalid() || configuration.len() < configs.len() {
        let wanted: Vec<_> = configs.iter().map(LibcameraConfig::to_string).collect();
        return Err(io::Error::other(format!(
            "{} is invalid",
            wanted.join(" with ")
        )));
    }
    Ok(configuration)
}

impl fmt::Display for LibcameraConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.format.name(), self.size)
    }
}

/// Reads back what one of a camera's streams was configured to.
pub(super) fn layout(
    configuration: &CameraConfiguration,
    index: usize,
    config: &LibcameraConfig,
) -> io::Result<(Stream, Layout)> {
    let stream = configuration
        .get(index)
        .ok_or_else(|| io::Error::other("it has no such stream"))?;
    let name = stream.get_pixel_format().to_string();
    let format = FORMATS.into_iter().find(|format| format.name() == name);
    let size = stream.get_size();
    let layout = Layout {
        format: format.ok_or_else(|| io::Error::other(format!("it insists on format {name}")))?,
        size: Size {
            width: size.width,
            height: size.height,
        },
        stride: stream.get_stride() as usize,
        turn: left_to_do(configuration.orientation(), config.turn),
        limited_range: is_limited(&stream),
    };
    let handle = stream
        .stream()
        .ok_or_else(|| io::Error::other("its stream is not configured"))?;
    Ok((handle, layout))
}

fn is_limited(stream: &StreamConfigurationRef<'_>) -> bool {
    stream
        .get_color_space()
        .is_some_and(|space| matches!(space.range, ColorRange::Limited))
}

/// libcamera's orientations have the numbers of EXIF's (libcamera, `orientation.h`): 1 to 8, how a
/// picture lies.
const ORIENTATIONS: [Orientation; 8] = [
    Orientation::Rotate0,
    Orientation::Rotate0Mirror,
    Orientation::Rotate180,
    Orientation::Rotate180Mirror,
    Orientation::Rotate90Mirror,
    Orientation::Rotate270,
    Orientation::Rotate270Mirror,
    Orientation::Rotate90,
];

/// Says whether a camera cares for orientations. libcamera would put another one in place of what a
/// camera cannot do, and none can do a quarter turn: where that stays, it was not looked at.
fn can_turn(camera: &Camera<'_>) -> bool {
    let configuration = camera.generate_configuration(&[StreamRole::VideoRecording]);
    configuration.is_some_and(|mut configuration| {
        configuration.set_orientation(Orientation::Rotate90);
        !configuration.validate().is_invalid()
            && configuration.orientation() != Orientation::Rotate90
    })
}

/// How a picture lies that was turned so.
fn orientation(turn: Turn) -> Orientation {
    (1..)
        .zip(ORIENTATIONS)
        .find(|(exif, _)| Turn::from_exif(*exif).followed_by(turn) == Turn::NONE)
        .map_or(Orientation::Rotate0, |(_, orientation)| orientation)
}

/// How to turn a picture that lies so, for it to be turned as wished.
fn left_to_do(lies: Orientation, wished: Turn) -> Turn {
    (1..)
        .zip(ORIENTATIONS)
        .find(|(_, orientation)| *orientation == lies)
        .map_or(wished, |(exif, _)| {
            Turn::from_exif(exif).followed_by(wished)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_camera_turned_is_not_turned_again() {
        let turns: Vec<Turn> = (1..=8).map(Turn::from_exif).collect();
        for turn in turns {
            assert_eq!(left_to_do(orientation(turn), turn), Turn::NONE, "{turn:?}");
            assert_eq!(left_to_do(Orientation::Rotate0, turn), turn);
        }
        // A picture that was turned clockwise by a quarter lies so (libcamera, orientation.h).
        assert_eq!(orientation(Turn::from_exif(6)), Orientation::Rotate90);
        assert_eq!(orientation(Turn::from_exif(2)), Orientation::Rotate0Mirror);
        // A camera that is mounted upside down and cannot turn its picture says so.
        let upside_down = left_to_do(Orientation::Rotate180, Turn::NONE);
        assert_eq!(upside_down, Turn::from_exif(3));
        let quarter = left_to_do(Orientation::Rotate180, Turn::from_exif(6));
        assert_eq!(quarter, Turn::from_exif(8));
    }
}
