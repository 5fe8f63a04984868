//! Eyelid's encoders with each kind of picture, beside a bare loop around libjpeg-turbo.

use anyhow::Context;
use criterion::Criterion;
use eyelid_picture::Encoder;

use crate::bare::Bare;
use crate::photo::Photo;
use crate::timing::run;

/// The table's head.
pub(crate) const HEAD: &str = "| size | KB a frame | | CPU ms per frame | ratio to the bare loop |
| --- | --- | --- | --- | --- |
";

const SIZES: [(u32, u32); 3] = [(640, 480), (1280, 720), (1920, 1080)];

const QUALITY: u8 = 85;

/// Measures all sizes; gives the rows of the table.
pub(crate) fn measure(criterion: &mut Criterion) -> anyhow::Result<String> {
    let mut rows = String::new();
    for (width, height) in SIZES {
        rows += &measure_size(criterion, width, height)?;
    }
    Ok(rows)
}

/// Measures one size; gives its rows of the table.
fn measure_size(criterion: &mut Criterion, width: u32, height: u32) -> anyhow::Result<String> {
    let photo = Photo::new(width, height);
    let size = format!("{width}x{height}");
    let mut group = criterion.benchmark_group(&size);

    let mut bare = Bare::new(width, height, QUALITY).context("no libjpeg-turbo")?;
    let (mut turbo, mut pure) = (Encoder::default(), Encoder::pure_rust());
    let kilobytes = turbo.encode_yuv420(&photo.yuv420(), QUALITY)?.len() as f64 / 1e3;

    let mut rows = String::new();
    let mut limit = None;
    let mut row = |name: &str, milliseconds: Option<f64>| {
        // Not measured if criterion was told to leave it out.
        let Some(milliseconds) = milliseconds else {
            return;
        };
        let limit = *limit.get_or_insert(milliseconds);
        let ratio = milliseconds / limit;
        rows += &format!("| {size} | {kilobytes:.0} | {name} | {milliseconds:.2} | {ratio:.2} |\n");
    };
    let yuv420 = photo.yuv420();
    row(
        "bare loop, YUV420",
        run(&mut group, "bare loop", || bare.encode(&yuv420)),
    );
    let encode = || turbo.encode_yuv420(&yuv420, QUALITY).map(<[u8]>::len);
    row(
        "turbojpeg, YUV420",
        run(&mut group, "turbojpeg YUV420", encode),
    );
    let encode = || turbo.encode_nv12(&photo.nv12(), QUALITY).map(<[u8]>::len);
    row("turbojpeg, NV12", run(&mut group, "turbojpeg NV12", encode));
    let encode = || turbo.encode_yuyv(&photo.yuyv(), QUALITY).map(<[u8]>::len);
    row("turbojpeg, YUYV", run(&mut group, "turbojpeg YUYV", encode));
    let encode = || pure.encode_yuv420(&yuv420, QUALITY).map(<[u8]>::len);
    row(
        "jpeg-encoder, YUV420",
        run(&mut group, "jpeg-encoder YUV420", encode),
    );
    group.finish();
    Ok(rows)
}
