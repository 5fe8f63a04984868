//! Pictures as small as a model looks at.

use bytes::Bytes;
use eyelid_jpeg::{PictureError, PlanesDecoder};
use eyelid_picture::{Encoder, SamplePlane, Scale, Yuv420};
use eyelid_words::MOST_PX;

/// libjpeg's quality: what is sent to models is looked at in patches of 14 pixels and more, to
/// which finer steps say nothing.
const QUALITY_PERCENT: u8 = 85;

/// A JPEG of the same, at most [`MOST_PX`] wide and high.
///
/// # Errors
/// It cannot be decoded.
pub(super) fn shrink(jpeg: &Bytes) -> Result<Bytes, PictureError> {
    let (header, length) = eyelid_jpeg::whole(jpeg)?;
    let longer = header.width.max(header.height);
    if longer <= MOST_PX {
        // Decoded to see that it can be: what a model cannot is an error of the endpoint's.
        PlanesDecoder::default().decode(jpeg, Scale::Whole)?;
        return Ok(jpeg.slice(..length));
    }
    let scales = [Scale::Quarter, Scale::Half];
    let scale = scales
        .into_iter()
        .find(|scale| scale.side(longer) >= MOST_PX);
    let mut decoder = PlanesDecoder::default();
    let picture = decoder.decode(jpeg, scale.unwrap_or(Scale::Whole))?;
    let longer = picture.width.max(picture.height);
    let side = |side: u32| {
        let scaled = u64::from(side) * u64::from(MOST_PX) / u64::from(longer);
        u32::try_from(scaled).unwrap_or(MOST_PX).max(1)
    };
    let (width, height) = (side(picture.width), side(picture.height));
    let half = |side: u32| side.div_ceil(2);
    let luma = ((picture.width, picture.height), (width, height));
    let chroma = (
        (half(picture.width), half(picture.height)),
        (half(width), half(height)),
    );
    let y = means(picture.y, luma);
    let (u, v) = (means(picture.u, chroma), means(picture.v, chroma));
    let small = Yuv420 {
        width,
        height,
        y: plane(&y, width),
        u: plane(&u, half(width)),
        v: plane(&v, half(width)),
        range: picture.range,
    };
    let mut encoder = Encoder::default();
    Ok(Bytes::copy_from_slice(
        encoder.encode_yuv420(&small, QUALITY_PERCENT)?,
    ))
}

fn plane(bytes: &[u8], width: u32) -> SamplePlane<'_> {
    SamplePlane {
        bytes,
        stride: width as usize,
    }
}

type Size = (u32, u32);

/// Each sample the mean of those whose place it takes.
fn means(from: SamplePlane<'_>, (old, new): (Size, Size)) -> Vec<u8> {
    let span = |index: u32, old: u32, new: u32| {
        let edge = |index: u32| (u64::from(index) * u64::from(old) / u64::from(new)) as usize;
        edge(index)..edge(index + 1).max(edge(index) + 1)
    };
    let mut means = Vec::with_capacity(new.0 as usize * new.1 as usize);
    for row in 0..new.1 {
        for column in 0..new.0 {
            let columns = span(column, old.0, new.0);
            let lines = span(row, old.1, new.1).filter_map(|y| {
                let start = y * from.stride;
                from.bytes.get(start + columns.start..start + columns.end)
            });
            let samples = lines.flatten().map(|sample| u32::from(*sample));
            let (sum, count) = samples.fold((0, 0), |(sum, count), it| (sum + it, count + 1));
            let mean = (sum + count / 2) / u32::max(count, 1);
            means.push(u8::try_from(mean).unwrap_or(u8::MAX));
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use eyelid_jpeg::{decode_jpeg, whole};
    use eyelid_picture::Canvas;

    use super::*;

    /// Blue, and red in the lower right quarter.
    fn jpeg(width: u32, height: u32) -> Bytes {
        let mut canvas = Canvas::new(width, height, [20, 40, 200]);
        let (x, y) = (width as i32 / 2, height as i32 / 2);
        canvas.rectangle(x, y, width, height, [200, 30, 20]);
        let mut encoder = Encoder::default();
        let jpeg = encoder.encode_rgb(canvas.rgb(), width, height, 90).unwrap();
        Bytes::copy_from_slice(jpeg)
    }

    #[test]
    fn the_longer_side_is_what_is_looked_at() {
        for (size, small) in [
            ((1920, 1080), (640, 360)),
            ((1280, 720), (640, 360)),
            ((1080, 1920), (360, 640)),
            ((4056, 3040), (640, 479)),
            ((700, 9), (640, 8)),
            ((640, 480), (640, 480)),
            ((64, 48), (64, 48)),
        ] {
            let jpeg = shrink(&jpeg(size.0, size.1)).unwrap();
            let (header, _) = whole(&jpeg).unwrap();
            let made = (header.width, header.height);
            assert!(
                made.0.abs_diff(small.0) <= 1 && made.1.abs_diff(small.1) <= 1,
                "{made:?}"
            );
            assert!(made.0 <= MOST_PX && made.1 <= MOST_PX);
            let pixels = decode_jpeg(&jpeg, header).unwrap();
            let pixel = |x: u32, y: u32| {
                let at = ((y * made.0 + x) * 3) as usize;
                (pixels.rgb[at], pixels.rgb[at + 2])
            };
            let (red, blue) = pixel(made.0 / 4, made.1 / 4);
            assert!(blue > 150 && red < 80, "{size:?}: {red} {blue}");
            let (red, blue) = pixel(made.0 * 3 / 4, made.1 * 7 / 8);
            assert!(red > 150 && blue < 80, "{size:?}: {red} {blue}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(shrink(&Bytes::from_static(b"no JPEG")).is_err());
    }
}
