//! From what the camera's buffers hold to frames.

use std::borrow::Cow;

use eyelid_config::Size;
use eyelid_picture::{EncodeError, Encoder, Nv12, Plane, Planes, Range, Yuv420, Yuyv};

use super::choice::Format;
use crate::Settings;
use eyelid_jpeg::{Check, EncodedPicture, FrameMaker};
use eyelid_jpeg::{Turn, TurnedPlanes};

/// How a camera is configured, read back from it.
#[derive(Clone, Copy, Debug)]
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
pub(crate) struct Maker {
    layout: Option<Layout>,
    quality: u8,
    encoder: Encoder,
    planes: Planes,
    turned: TurnedPlanes,
    jpegs: FrameMaker,
}

/// Why a buffer does not become a frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    /// This one is broken; the next may be whole.
    #[error("{0}")]
    Broken(String),
    /// The encoder refuses it, and will refuse the next.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

enum Picture<'a> {
    Yuv420(Yuv420<'a>),
    Nv12(Nv12<'a>),
    Yuyv(Yuyv<'a>),
}

impl Maker {
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

    /// Makes a frame of the planes of one buffer.
    pub(crate) fn frame<'a>(
        &'a mut self,
        planes: &[&'a [u8]],
    ) -> Result<EncodedPicture<'a>, MakeError> {
        let count = planes.len();
        let broken = || MakeError::Broken(format!("it has {count} planes"));
        let layout = self.layout.ok_or_else(broken)?;
        if let (Format::Mjpeg, [jpeg, ..]) = (layout.format, planes) {
            let made = self.jpegs.jpeg(jpeg, Check::Markers);
            return made.map_err(|error| MakeError::Broken(error.to_string()));
        }
        let picture = picture(layout, planes).ok_or_else(broken)?;
        if layout.turn == Turn::NONE {
            let jpeg = match &picture {
                Picture::Yuv420(picture) => self.encoder.encode_yuv420(picture, self.quality),
                Picture::Nv12(picture) => self.encoder.encode_nv12(picture, self.quality),
                Picture::Yuyv(picture) => self.encoder.encode_yuyv(picture, self.quality),
            };
            return Ok(EncodedPicture {
                jpeg: Cow::Borrowed(jpeg?),
                width: layout.size.width,
                height: layout.size.height,
            });
        }
        let upright = match &picture {
            Picture::Yuv420(picture) => self.planes.full_range(picture)?,
            Picture::Nv12(picture) => self.planes.from_nv12(picture)?,
            Picture::Yuyv(picture) => self.planes.from_yuyv(picture)?,
        };
        let turned = self.turned.turn(&upright, layout.turn);
        Ok(EncodedPicture {
            jpeg: Cow::Borrowed(self.encoder.encode_yuv420(&turned, self.quality)?),
            width: turned.width,
            height: turned.height,
        })
    }
}

fn picture<'a>(layout: Layout, planes: &[&'a [u8]]) -> Option<Picture<'a>> {
    let (width, height) = (layout.size.width, layout.size.height);
    let range = if layout.limited_range {
        Range::Limited
    } else {
        Range::Full
    };
    let plane = |bytes, stride| Plane { bytes, stride };
    // libcamera gives the stride of the first plane only; the others follow from it (DRM's rule for these formats).
    let (stride, half) = (layout.stride, layout.stride.div_ceil(2));
    match (layout.format, planes) {
        (Format::Yuv420, [y, u, v]) => Some(Picture::Yuv420(Yuv420 {
            width,
            height,
            y: plane(y, stride),
            u: plane(u, half),
            v: plane(v, half),
            range,
        })),
        (Format::Nv12, [y, uv]) => Some(Picture::Nv12(Nv12 {
            width,
            height,
            y: plane(y, stride),
            uv: plane(uv, stride),
            range,
        })),
        (Format::Yuyv, [pixels]) => Some(Picture::Yuyv(Yuyv {
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

    const WIDTH: u32 = 48;
    const HEIGHT: u32 = 32;
    const STRIDE: usize = 64;

    fn maker(format: Format, turn: Turn) -> Maker {
        let given = ["eyelid-capture", "--slot", "/x", "--source", "libcamera"];
        let mut maker = Maker::new(&Arguments::parse_from(given).settle().unwrap());
        maker.configure(Layout {
            format,
            size: "48x32".parse().unwrap(),
            stride: STRIDE,
            turn,
            limited_range: false,
        });
        maker
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
        let mut packed_maker = maker(Format::Yuyv, Turn::NONE);
        packed_maker.configure(Layout {
            stride: STRIDE * 2,
            ..packed_maker.layout.unwrap()
        });
        let mut planar = maker(Format::Yuv420, Turn::NONE);
        let mut interleaved = maker(Format::Nv12, Turn::NONE);
        for made in [
            planar.frame(&[&y, &u, &v]).unwrap(),
            interleaved.frame(&[&y, &uv]).unwrap(),
            packed_maker.frame(&[&packed]).unwrap(),
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
        let mut planar = maker(Format::Yuv420, quarter);
        let mut interleaved = maker(Format::Nv12, quarter);
        for made in [
            planar.frame(&[&y, &u, &v]).unwrap(),
            interleaved.frame(&[&y, &uv]).unwrap(),
        ] {
            assert_eq!((made.width, made.height), (HEIGHT, WIDTH));
            assert!(
                brightness(&made.jpeg, 30, 24) > 200,
                "the top is at the right"
            );
            assert!(brightness(&made.jpeg, 2, 24) < 50);
        }
        let jpeg = maker(Format::Yuv420, Turn::NONE);
        let jpeg = { jpeg }.frame(&[&y, &u, &v]).unwrap().jpeg.into_owned();
        let mut passed_through = maker(Format::Mjpeg, quarter);
        let made = passed_through.frame(&[&jpeg]).unwrap();
        assert_eq!((made.width, made.height), (HEIGHT, WIDTH));
        assert!(brightness(&made.jpeg, 30, 24) > 200);
    }

    #[test]
    fn a_jpeg_is_passed_through_and_a_broken_one_is_not() {
        let [y, u, v, _] = planes();
        let mut planar = maker(Format::Yuv420, Turn::NONE);
        let jpeg = planar.frame(&[&y, &u, &v]).unwrap().jpeg.into_owned();
        let padded = [&jpeg[..], &[0; 500]].concat();
        let mut maker = maker(Format::Mjpeg, Turn::NONE);
        assert_eq!(maker.frame(&[&padded]).unwrap().jpeg, jpeg);
        for broken in [&jpeg[..jpeg.len() - 2], &[]] {
            let error = maker.frame(&[broken]).unwrap_err();
            assert!(matches!(error, MakeError::Broken(_)), "{error}");
        }
        assert!(maker.frame(&[]).is_err());
        assert!(planar.frame(&[&y, &u]).is_err(), "a plane is missing");
        assert!(
            planar.frame(&[&y[..99], &u, &v]).is_err(),
            "a plane is short"
        );
    }
}
