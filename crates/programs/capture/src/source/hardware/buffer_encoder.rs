//! From what the camera's buffers hold to frames.

use std::borrow::Cow;
use std::time::SystemTime;

use eyelid_config::Size;
use eyelid_jpeg::{Check, EncodedPicture, FrameMaker, Turn, TurnedPlanes};
use eyelid_picture::{EncodeError, Encoder, Nv12, Planes, SamplePlane, SampleRange, Yuv420, Yuyv};
use eyelid_producer::{EncodedFrame, PlanesFrame};
use eyelid_slot::RenditionSet;

use super::choice::Format;
use crate::Settings;
use crate::source::{SourceError, renditions_of_jpegs, renditions_of_planes};

/// How a camera is configured, read back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) size: Size,
    /// Bytes from one row of the first plane to the next.
    pub(crate) stride: usize,
    /// What the camera could not do of the turn.
    pub(crate) turn: Turn,
    /// Luma is 16 to 235, not 0 to 255.
    pub(crate) limited_range: bool,
}

/// Makes frames the way one camera gives them.
pub(crate) struct BufferEncoder {
    layout: Option<Layout>,
    quality: u8,
    encoder: Encoder,
    planes: Planes,
    turned: TurnedPlanes,
    jpegs: FrameMaker,
}

/// Why a buffer does not become a frame.
#[derive(Debug, thiserror::Error)]
enum BufferError {
    /// This one is broken; the next may be whole.
    #[error("{0}")]
    Broken(String),
    /// The encoder refuses it, and will refuse the next.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

enum Buffer<'a> {
    Yuv420(Yuv420<'a>),
    Nv12(Nv12<'a>),
    Yuyv(Yuyv<'a>),
}

impl BufferEncoder {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut encoder = Encoder::default();
        encoder.set_tables(settings.tables());
        Self {
            layout: None,
            quality: settings.quality.percent(),
            encoder,
            planes: Planes::default(),
            turned: TurnedPlanes::default(),
            jpegs: FrameMaker::new(settings.frame_options()),
        }
    }

    /// Takes in how the camera lays out its buffers, and what of the turn it leaves to do.
    pub(crate) fn configure(&mut self, layout: Layout) {
        self.jpegs.set_turn(layout.turn);
        self.layout = Some(layout);
    }

    /// Encodes the newest frame of a camera, of these planes. `None` where there are none, or what
    /// they hold is broken: the next may be whole.
    ///
    /// # Errors
    /// The encoder refuses it, and will refuse the next.
    pub(crate) fn encode<'a>(
        &'a mut self,
        planes: Option<Vec<&'a [u8]>>,
        captured: SystemTime,
    ) -> Result<Option<EncodedFrame<'a>>, SourceError> {
        let Some(planes) = planes else {
            return Ok(None);
        };
        let picture = usable(self.picture(&planes))?;
        Ok(picture.map(|picture| EncodedFrame { picture, captured }))
    }

    /// Gives the newest frame of a camera, of these planes, turned as it is before it is encoded.
    /// `None` where there are none, what they hold is broken, or a JPEG.
    ///
    /// # Errors
    /// See [`BufferEncoder::encode`].
    pub(crate) fn planes<'a>(
        &'a mut self,
        planes: Option<Vec<&'a [u8]>>,
        captured: SystemTime,
    ) -> Result<Option<PlanesFrame<'a>>, SourceError> {
        let (Some(planes), Some(layout)) = (planes, self.layout) else {
            return Ok(None);
        };
        if layout.format == Format::Mjpeg {
            return Ok(None);
        }
        let upright = upright(layout, &planes, &mut self.planes, &mut self.turned);
        Ok(usable(upright)?.map(|planes| PlanesFrame { planes, captured }))
    }

    /// What can be made of the camera's frames, as far as it is known how they come.
    pub(crate) fn offers(&self) -> RenditionSet {
        match self.layout {
            Some(layout) if layout.format != Format::Mjpeg => renditions_of_planes(layout.size),
            _ => renditions_of_jpegs(),
        }
    }

    /// Makes a picture of the planes of one buffer.
    fn picture<'a>(&'a mut self, planes: &[&'a [u8]]) -> Result<EncodedPicture<'a>, BufferError> {
        let count = planes.len();
        let broken = || BufferError::Broken(format!("it has {count} planes"));
        let layout = self.layout.ok_or_else(broken)?;
        if let (Format::Mjpeg, [jpeg, ..]) = (layout.format, planes) {
            let made = self.jpegs.jpeg(jpeg, Check::Markers);
            return made.map_err(|error| BufferError::Broken(error.to_string()));
        }
        let upright = upright(layout, planes, &mut self.planes, &mut self.turned)?;
        Ok(EncodedPicture {
            jpeg: Cow::Borrowed(self.encoder.encode_yuv420(&upright, self.quality)?),
            width: upright.width,
            height: upright.height,
            kind: None,
        })
    }
}

/// Drops a frame that is broken: the next may be whole.
fn usable<T>(made: Result<T, BufferError>) -> Result<Option<T>, SourceError> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(BufferError::Broken(why)) => {
            log::debug!("camera: frame dropped: {why}");
            Ok(None)
        }
        Err(BufferError::Encode(error)) => Err(error.into()),
    }
}

/// Makes three planes of the full range, turned, of those of one buffer.
fn upright<'a>(
    layout: Layout,
    planes: &[&'a [u8]],
    memory: &'a mut Planes,
    turned: &'a mut TurnedPlanes,
) -> Result<Yuv420<'a>, BufferError> {
    let broken = || BufferError::Broken(format!("it has {} planes", planes.len()));
    let full_range = match buffer(layout, planes).ok_or_else(broken)? {
        Buffer::Yuv420(picture) => memory.full_range(&picture)?,
        Buffer::Nv12(picture) => memory.from_nv12(&picture)?,
        Buffer::Yuyv(picture) => memory.from_yuyv(&picture)?,
    };
    Ok(turned.turn(&full_range, layout.turn))
}

fn buffer<'a>(layout: Layout, planes: &[&'a [u8]]) -> Option<Buffer<'a>> {
    let (width, height) = (layout.size.width, layout.size.height);
    let range = if layout.limited_range {
        SampleRange::Limited
    } else {
        SampleRange::Full
    };
    let plane = |bytes, stride| SamplePlane { bytes, stride };
    // libcamera gives the stride of the first plane only; the others follow from it (DRM's rule for
    // these formats).
    let (stride, half) = (layout.stride, layout.stride.div_ceil(2));
    match (layout.format, planes) {
        (Format::Yuv420, [y, u, v]) => Some(Buffer::Yuv420(Yuv420 {
            width,
            height,
            y: plane(y, stride),
            u: plane(u, half),
            v: plane(v, half),
            range,
        })),
        (Format::Nv12, [y, uv]) => Some(Buffer::Nv12(Nv12 {
            width,
            height,
            y: plane(y, stride),
            uv: plane(uv, stride),
            range,
        })),
        (Format::Yuyv, [pixels]) => Some(Buffer::Yuyv(Yuyv {
            width,
            height,
            pixels: plane(pixels, stride),
            range,
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;
    use eyelid_jpeg::whole;
    use eyelid_slot::Rendition;

    const WIDTH: u32 = 48;
    const HEIGHT: u32 = 32;
    const STRIDE: usize = 64;

    fn encoder(format: Format, turn: Turn) -> BufferEncoder {
        let given = ["eyelid-capture", "--slot", "/x", "--source", "libcamera"];
        let mut encoder = BufferEncoder::new(&Arguments::parse_from(given).resolve().unwrap());
        encoder.configure(Layout {
            format,
            size: "48x32".parse().unwrap(),
            stride: STRIDE,
            turn,
            limited_range: false,
        });
        encoder
    }

    fn encoder_quality() -> u8 {
        encoder(Format::Mjpeg, Turn::NONE).quality
    }

    /// Luma and chroma of a picture that is bright at its top, with garbage behind each row.
    fn planes() -> [Vec<u8>; 4] {
        let rows = |stride: usize, width: usize, height: usize, value: &dyn Fn(usize) -> u8| {
            let mut bytes = vec![0xAA; stride * height];
            for (y, row) in bytes.chunks_mut(stride).enumerate() {
                row[..width].fill(value(y));
            }
            bytes
        };
        let bright = |y: usize| if y < 16 { 230 } else { 20 };
        let luma = rows(STRIDE, 48, 32, &bright);
        let chroma = |value: u8| rows(STRIDE / 2, 24, 16, &|_| value);
        let both = rows(STRIDE, 48, 16, &|_| 128);
        [luma, chroma(128), chroma(128), both]
    }

    fn brightness(jpeg: &[u8], x: u32, y: u32) -> u8 {
        let (header, _) = whole(jpeg).unwrap();
        let pixels = eyelid_jpeg::decode_jpeg(jpeg, header).unwrap();
        pixels.rgb[((y * pixels.width + x) * 3) as usize]
    }

    #[test]
    fn each_layout_becomes_the_same_picture() {
        let [y, u, v, uv] = planes();
        let packed: Vec<u8> = y
            .chunks(STRIDE)
            .flat_map(|row| {
                let pairs = row.chunks(2).flat_map(|l| [l[0], 128, l[1], 128]);
                pairs.collect::<Vec<u8>>()
            })
            .collect();
        let mut packed_encoder = encoder(Format::Yuyv, Turn::NONE);
        packed_encoder.configure(Layout {
            stride: STRIDE * 2,
            ..packed_encoder.layout.unwrap()
        });
        let mut planar = encoder(Format::Yuv420, Turn::NONE);
        let mut interleaved = encoder(Format::Nv12, Turn::NONE);
        for made in [
            planar.picture(&[&y, &u, &v]).unwrap(),
            interleaved.picture(&[&y, &uv]).unwrap(),
            packed_encoder.picture(&[&packed]).unwrap(),
        ] {
            assert_eq!((made.width, made.height), (WIDTH, HEIGHT));
            assert!(brightness(&made.jpeg, 24, 2) > 200);
            assert!(brightness(&made.jpeg, 24, 30) < 50);
        }
    }

    #[test]
    fn turns_what_the_camera_did_not() {
        let [y, u, v, uv] = planes();
        let quarter = Turn::from_exif(6);
        let mut planar = encoder(Format::Yuv420, quarter);
        let mut interleaved = encoder(Format::Nv12, quarter);
        for made in [
            planar.picture(&[&y, &u, &v]).unwrap(),
            interleaved.picture(&[&y, &uv]).unwrap(),
        ] {
            assert_eq!((made.width, made.height), (HEIGHT, WIDTH));
            assert!(
                brightness(&made.jpeg, 30, 24) > 200,
                "the top is at the right"
            );
            assert!(brightness(&made.jpeg, 2, 24) < 50);
        }
        let jpeg = encoder(Format::Yuv420, Turn::NONE);
        let jpeg = { jpeg }.picture(&[&y, &u, &v]).unwrap().jpeg.into_owned();
        let mut passed_through = encoder(Format::Mjpeg, quarter);
        let made = passed_through.picture(&[&jpeg]).unwrap();
        assert_eq!((made.width, made.height), (HEIGHT, WIDTH));
        assert!(brightness(&made.jpeg, 30, 24) > 200);
    }

    #[test]
    fn planes_are_those_that_are_encoded_and_a_jpeg_has_none() {
        let [y, u, v, uv] = planes();
        let moment = SystemTime::UNIX_EPOCH;
        for turn in [Turn::NONE, Turn::from_exif(6)] {
            for (format, buffer) in [
                (Format::Yuv420, vec![&y[..], &u, &v]),
                (Format::Nv12, vec![&y[..], &uv]),
            ] {
                let mut encoder = encoder(format, turn);
                let made = encoder.picture(&buffer).unwrap().jpeg.into_owned();
                let frame = encoder
                    .planes(Some(buffer.clone()), moment)
                    .unwrap()
                    .unwrap();
                let (width, height) = turn.size(WIDTH, HEIGHT);
                assert_eq!((frame.planes.width, frame.planes.height), (width, height));
                assert_eq!(frame.captured, moment);
                let mut plain = Encoder::default();
                assert!(
                    plain
                        .encode_yuv420(&frame.planes, encoder_quality())
                        .unwrap()
                        == made
                );
                assert!(encoder.offers().contains(Rendition::Y4m));
                // And again, as often as there are renditions.
                assert!(encoder.picture(&buffer).unwrap().jpeg == made);
                let short = vec![&y[..9]];
                assert!(encoder.planes(Some(short), moment).unwrap().is_none());
                assert!(encoder.planes(None, moment).unwrap().is_none());
            }
        }
        let mut jpegs = encoder(Format::Mjpeg, Turn::NONE);
        assert!(jpegs.planes(Some(vec![&y[..]]), moment).unwrap().is_none());
        assert!(!jpegs.offers().contains(Rendition::Y4m));
        for (size, fits) in [("5632x3900", true), ("5632x3976", false)] {
            let mut large = encoder(Format::Nv12, Turn::NONE);
            large.configure(Layout {
                size: size.parse().unwrap(),
                ..large.layout.unwrap()
            });
            assert_eq!(large.offers().contains(Rendition::Y4m), fits, "{size}");
        }
    }

    #[test]
    fn a_jpeg_is_passed_through_and_a_broken_one_is_not() {
        let [y, u, v, _] = planes();
        let mut planar = encoder(Format::Yuv420, Turn::NONE);
        let jpeg = planar.picture(&[&y, &u, &v]).unwrap().jpeg.into_owned();
        let padded = [&jpeg[..], &[0; 500]].concat();
        let mut encoder = encoder(Format::Mjpeg, Turn::NONE);
        assert_eq!(encoder.picture(&[&padded]).unwrap().jpeg, jpeg);
        for broken in [&jpeg[..jpeg.len() - 2], &[]] {
            let error = encoder.picture(&[broken]).unwrap_err();
            assert!(matches!(error, BufferError::Broken(_)), "{error}");
        }
        assert!(encoder.picture(&[]).is_err());
        assert!(planar.picture(&[&y, &u]).is_err(), "a plane is missing");
        assert!(
            planar.picture(&[&y[..99], &u, &v]).is_err(),
            "a plane is short"
        );
    }
}
