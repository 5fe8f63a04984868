//! Eyelid's encoders with each kind of picture, beside a bare loop around libjpeg-turbo.

use anyhow::Context;
use criterion::Criterion;
use eyelid_bench::photo::Photo;
use eyelid_picture::Encoder;

use crate::bare::Bare;
use crate::table::Table;
use crate::timing::run;

/// The table's head.
pub(crate) const HEAD: &str = "| size | KB a frame | | CPU ms per frame | ratio to the bare loop |
| --- | --- | --- | --- | --- |
";

const SIZES: [(u32, u32); 3] = [(640, 480), (1280, 720), (1920, 1080)];

const QUALITY: u8 = 85;

/// Measures all sizes; gives the rows of the table.
pub(crate) fn measure(criterion: &mut Criterion) -> anyhow::Result<String> {
    let mut table = Table::default();
    for (width, height) in SIZES {
        measure_size(criterion, &mut table, width, height)?;
    }
    Ok(table.rows)
}

fn measure_size(
    criterion: &mut Criterion,
    table: &mut Table,
    width: u32,
    height: u32,
) -> anyhow::Result<()> {
    let photo = Photo::new(width, height);
    let size = format!("{width}x{height}");
    let mut group = criterion.benchmark_group(&size);

    let mut bare = Bare::new(width, height, QUALITY).context("no libjpeg-turbo")?;
    let (mut turbo, mut pure) = (Encoder::default(), Encoder::pure_rust());
    let kilobytes = turbo.encode_yuv420(&photo.yuv420(), QUALITY)?.len() as f64 / 1e3;
    table.next(format!("| {size} | {kilobytes:.0} |"));

    let yuv420 = photo.yuv420();
    let time = run(&mut group, "bare loop", || bare.encode(&yuv420));
    table.row("bare loop, YUV420", time, "");
    let encode = || turbo.encode_yuv420(&yuv420, QUALITY).map(<[u8]>::len);
    let time = run(&mut group, "turbojpeg YUV420", encode);
    table.row("turbojpeg, YUV420", time, "");
    let encode = || turbo.encode_nv12(&photo.nv12(), QUALITY).map(<[u8]>::len);
    let time = run(&mut group, "turbojpeg NV12", encode);
    table.row("turbojpeg, NV12", time, "");
    let encode = || turbo.encode_yuyv(&photo.yuyv(), QUALITY).map(<[u8]>::len);
    let time = run(&mut group, "turbojpeg YUYV", encode);
    table.row("turbojpeg, YUYV", time, "");
    let encode = || pure.encode_yuv420(&yuv420, QUALITY).map(<[u8]>::len);
    let time = run(&mut group, "jpeg-encoder YUV420", encode);
    table.row("jpeg-encoder, YUV420", time, "");
    group.finish();
    Ok(())
}
