//! A picture before it is encoded, as a YUV4MPEG2 file of one frame: a line that says what it is, a
//! line for the frame, and the planes without gaps. ffmpeg, x264 and OpenCV open it.

use std::io::Write;

use crate::error::EncodeError;
use crate::yuv::{SampleRange, Yuv420};

/// Writes a picture in place of what `file` has.
///
/// The frame rate is the one that ffmpeg takes where there is none; of one frame it says nothing.
/// The pixels are square, and the colour lies in the middle of them (`C420jpeg`), as in a JPEG.
///
/// # Errors
/// [`EncodeError::Size`], [`EncodeError::Plane`].
pub fn write_y4m(picture: &Yuv420<'_>, file: &mut Vec<u8>) -> Result<(), EncodeError> {
    let sizes = picture.sizes()?;
    let range = match picture.range {
        SampleRange::Full => "FULL",
        SampleRange::Limited => "LIMITED",
    };
    file.clear();
    let (width, height) = (picture.width, picture.height);
    let head = format_args!(
        "YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg XCOLORRANGE={range}\nFRAME\n"
    );
    // Memory takes all that is written to it.
    let _ = file.write_fmt(head);
    for (plane, width, height) in [
        (picture.y, sizes.width, sizes.height),
        (picture.u, sizes.chroma_width, sizes.chroma_height),
        (picture.v, sizes.chroma_width, sizes.chroma_height),
    ] {
        if plane.stride == width {
            file.extend_from_slice(&plane.bytes[..width * height]);
        } else {
            for row in plane.rows(width, height) {
                file.extend_from_slice(row);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yuv::SamplePlane;

    /// Reads a file of one frame as mjpegtools' yuv4mpeg(5) describes it.
    fn read(file: &[u8]) -> (u32, u32, Vec<String>, [Vec<u8>; 3]) {
        let line = file.iter().position(|byte| *byte == b'\n').unwrap();
        let head = std::str::from_utf8(&file[..line]).unwrap();
        let mut words = head.split(' ');
        assert_eq!(words.next(), Some("YUV4MPEG2"));
        let (mut width, mut height, mut others) = (0u32, 0u32, Vec::new());
        for word in words {
            match word.split_at(1) {
                ("W", value) => width = value.parse().unwrap(),
                ("H", value) => height = value.parse().unwrap(),
                _ => others.push(word.to_owned()),
            }
        }
        let samples = file[line + 1..].strip_prefix(b"FRAME\n").unwrap();
        let luma = (width * height) as usize;
        let chroma = (width.div_ceil(2) * height.div_ceil(2)) as usize;
        assert_eq!(samples.len(), luma + chroma * 2, "{head}");
        let (y, colour) = samples.split_at(luma);
        let (u, v) = colour.split_at(chroma);
        (width, height, others, [y, u, v].map(<[u8]>::to_vec))
    }

    #[test]
    fn a_reader_finds_the_planes_again_whatever_lies_between_their_rows() {
        let bytes: Vec<u8> = (0..=255).cycle().take(4000).collect();
        let mut file = vec![1; 9];
        for (width, height) in [(1usize, 1), (2, 2), (7, 5), (16, 3), (5, 16)] {
            for apart in [0, 3] {
                let half = width.div_ceil(2);
                let plane = |from: usize, stride| SamplePlane {
                    bytes: &bytes[from..],
                    stride,
                };
                let picture = Yuv420 {
                    width: width as u32,
                    height,
                    y: plane(0, width + apart),
                    u: plane(1000, half + apart),
                    v: plane(2000, half + apart),
                    range: SampleRange::Full,
                };
                write_y4m(&picture, &mut file).unwrap();
                let (found_width, found_height, others, planes) = read(&file);
                assert_eq!((found_width, found_height), (width as u32, height));
                assert_eq!(
                    others,
                    ["F25:1", "Ip", "A1:1", "C420jpeg", "XCOLORRANGE=FULL"]
                );
                let rows = height as usize;
                for (found, given, width, rows) in [
                    (&planes[0], picture.y, width, rows),
                    (&planes[1], picture.u, half, rows.div_ceil(2)),
                    (&planes[2], picture.v, half, rows.div_ceil(2)),
                ] {
                    for row in 0..rows {
                        let wanted = &given.bytes[row * given.stride..][..width];
                        assert_eq!(&found[row * width..][..width], wanted);
                    }
                }
            }
        }
    }

    #[test]
    fn says_that_a_range_is_limited_and_refuses_what_is_not_there() {
        let bytes = [128; 6];
        let plane = |from: usize| SamplePlane {
            bytes: &bytes[from..],
            stride: 2,
        };
        let mut picture = Yuv420 {
            width: 2,
            height: 2,
            y: plane(0),
            u: plane(4),
            v: plane(4),
            range: SampleRange::Limited,
        };
        let mut file = Vec::new();
        write_y4m(&picture, &mut file).unwrap();
        assert!(read(&file).2.contains(&"XCOLORRANGE=LIMITED".to_owned()));
        picture.height = 6;
        assert!(write_y4m(&picture, &mut file).is_err());
    }
}
