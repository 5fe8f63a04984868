//! A picture before it is encoded, as a YUV4MPEG2 file of one frame: a line that says what it is, a
//! line for the frame, and the planes without gaps. ffmpeg, x264 and OpenCV open it.

use std::io::Write;
use std::str;

use crate::error::EncodeError;
use crate::yuv::{SamplePlane, SampleRange, Sizes, Yuv420};

/// Bytes of a line. With all that yuv4mpeg(5) knows it has fewer than 100, and any comment.
const LONGEST_LINE: usize = 1024;

/// Why a file is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Y4mError {
    /// It is another kind of file, or its lines do not end.
    #[error("no YUV4MPEG2 file")]
    Other,
    /// A side is missing, 0, or more than 65535 pixels.
    #[error("YUV4MPEG2 file of no width or height that a picture can have")]
    Size,
    /// Its colours lie otherwise, or in more bits.
    #[error("YUV4MPEG2 file of {0:?}: only 4:2:0 in 8 bits is read")]
    Chroma(String),
    /// Each picture is two fields, one behind the other in time.
    #[error("YUV4MPEG2 file of interlaced pictures")]
    Interlaced,
    /// It ends before its picture does.
    #[error("YUV4MPEG2 file of {bytes} bytes: {needed} are needed")]
    Short {
        /// What there is.
        bytes: usize,
        /// What there has to be.
        needed: usize,
    },
}

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

/// Reads the first picture of a file, where it lies.
///
/// Takes any 4:2:0 of 8 bits, as nothing here looks where between the pixels its colour lies. What
/// says nothing of its range has that of television, as ffmpeg takes it.
///
/// # Errors
/// See [`Y4mError`].
pub fn read_y4m(file: &[u8]) -> Result<Yuv420<'_>, Y4mError> {
    let (head, rest) = line(file).ok_or(Y4mError::Other)?;
    let mut words = head.split(' ');
    if words.next() != Some("YUV4MPEG2") {
        return Err(Y4mError::Other);
    }
    let (mut width, mut height, mut range) = (0, 0, SampleRange::Limited);
    for word in words {
        // A word has at least a letter that says what it is; two spaces have an empty one between.
        let Some((tag, value)) = word.split_at_checked(1) else {
            continue;
        };
        match tag {
            "W" => width = side(value)?,
            "H" => height = side(value)?,
            "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                return Err(Y4mError::Chroma(value.to_owned()));
            }
            "I" if !matches!(value, "p" | "?") => return Err(Y4mError::Interlaced),
            "X" if value == "COLORRANGE=FULL" => range = SampleRange::Full,
            _ => {}
        }
    }
    let sizes = Sizes::of(width, height).map_err(|_| Y4mError::Size)?;
    let (frame, samples) = line(rest).ok_or(Y4mError::Other)?;
    if frame.split(' ').next() != Some("FRAME") {
        return Err(Y4mError::Other);
    }
    let luma = sizes.width * sizes.height;
    let chroma = sizes.chroma_width * sizes.chroma_height;
    let head_bytes = file.len() - samples.len();
    // Sides are 65535 at most, so this is less than 2^33 and 32 bits may not hold it.
    let needed = luma.saturating_add(chroma * 2);
    let Some(samples) = samples.get(..needed) else {
        return Err(Y4mError::Short {
            bytes: file.len(),
            needed: needed.saturating_add(head_bytes),
        });
    };
    let (y, colour) = samples.split_at(luma);
    let (u, v) = colour.split_at(chroma);
    let plane = |bytes, stride| SamplePlane { bytes, stride };
    Ok(Yuv420 {
        width,
        height,
        y: plane(y, sizes.width),
        u: plane(u, sizes.chroma_width),
        v: plane(v, sizes.chroma_width),
        range,
    })
}

/// The text up to the end of a line, and what is behind that.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().take(LONGEST_LINE).position(|b| *b == b'\n')?;
    Some((str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn side(value: &str) -> Result<u32, Y4mError> {
    value.parse().map_err(|_| Y4mError::Size)
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
                let same = read_y4m(&file).unwrap();
                assert_eq!((same.width, same.height), (picture.width, picture.height));
                assert_eq!(same.range, SampleRange::Full);
                assert_eq!([same.y, same.u, same.v].map(|p| p.bytes.to_vec()), planes);
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

    #[test]
    fn reads_what_others_write() {
        let six = [1, 2, 3, 4, 5, 6];
        for (head, range) in [
            // ffmpeg, with and without a range.
            (
                "YUV4MPEG2 W2 H2 F25:1 Ip A0:0 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL\nFRAME\n",
                SampleRange::Full,
            ),
            (
                "YUV4MPEG2 W2 H2 F30000:1001 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2\nFRAME\n",
                SampleRange::Limited,
            ),
            // mjpegtools, another order, with something about the frame, and what nobody knows.
            (
                "YUV4MPEG2  C420paldv H2 I? W2 Qx\nFRAME Ip\n",
                SampleRange::Limited,
            ),
            ("YUV4MPEG2 W2 H2\nFRAME\n", SampleRange::Limited),
        ] {
            // Another frame may follow.
            let file = [head.as_bytes(), &six, b"FRAME\n"].concat();
            let picture = read_y4m(&file).unwrap();
            picture.check().unwrap();
            assert_eq!(picture.range, range, "{head}");
            let planes = [picture.y, picture.u, picture.v].map(|plane| plane.bytes);
            assert_eq!(planes, [&[1, 2, 3, 4][..], &[5], &[6]], "{head}");
        }
    }

    #[test]
    fn refuses_the_rest_by_name() {
        let chroma = |kind: &str| Y4mError::Chroma(kind.to_owned());
        let short = |bytes, needed| Y4mError::Short { bytes, needed };
        for (file, reason) in [
            ("", Y4mError::Other),
            ("P5 2 2 255\n", Y4mError::Other),
            ("YUV4MPEG2 W2 H2", Y4mError::Other),
            ("YUV4MPEG2 W2 H2\nFRAM\n123456", Y4mError::Other),
            ("YUV4MPEG2 W2\nFRAME\n123456", Y4mError::Size),
            ("YUV4MPEG2 W0 H2\nFRAME\n123456", Y4mError::Size),
            ("YUV4MPEG2 W-2 H2\nFRAME\n123456", Y4mError::Size),
            ("YUV4MPEG2 W65536 H2\nFRAME\n", Y4mError::Size),
            ("YUV4MPEG2 W2 H2 C444\nFRAME\n", chroma("444")),
            ("YUV4MPEG2 W2 H2 C420p10\nFRAME\n", chroma("420p10")),
            ("YUV4MPEG2 W2 H2 Cmono\nFRAME\n", chroma("mono")),
            ("YUV4MPEG2 W2 H2 It\nFRAME\n123456", Y4mError::Interlaced),
            ("YUV4MPEG2 W2 H2\nFRAME\n12345", short(27, 28)),
        ] {
            assert_eq!(read_y4m(file.as_bytes()).unwrap_err(), reason, "{file}");
        }
        let largest = read_y4m(b"YUV4MPEG2 W65535 H65535\nFRAME\n").unwrap_err();
        assert!(matches!(largest, Y4mError::Short { .. }), "{largest}");
        let endless = [b"YUV4MPEG2 X".to_vec(), vec![b'a'; 4000]].concat();
        assert_eq!(read_y4m(&endless).unwrap_err(), Y4mError::Other);
    }
}
