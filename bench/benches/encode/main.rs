//! What making a JPEG costs: Eyelid's encoders with each kind of picture, beside a bare loop around
//! libjpeg-turbo, which is the limit. Counted is the thread's CPU time, which others on the machine
//! disturb less.
//!
//! `bench/run encode` puts the table that is printed last into `docs/performance.md`. What follows
//! `cargo bench --bench encode --` is criterion's: a part of a name, `--save-baseline`, ...

mod bare;
mod photo;

use std::time::Duration;

use anyhow::Context;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use eyelid_picture::Encoder;
use nix::time::{ClockId, clock_gettime};

use crate::bare::Bare;
use crate::photo::Photo;

const SIZES: [(u32, u32); 3] = [(640, 480), (1280, 720), (1920, 1080)];

const QUALITY: u8 = 85;

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut table = String::new();
    for (width, height) in SIZES {
        table += &measure(&mut criterion, width, height)?;
    }
    criterion.final_summary();
    println!("\n| size | KB a frame | | CPU ms per frame | ratio to the bare loop |");
    println!("| --- | --- | --- | --- | --- |\n{table}");
    Ok(())
}

/// Measures one size; gives its rows of the table.
fn measure(criterion: &mut Criterion, width: u32, height: u32) -> anyhow::Result<String> {
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

/// Gives the median of criterion's samples in milliseconds of CPU time, if criterion took any.
fn run<E: std::fmt::Debug>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut encode: impl FnMut() -> Result<usize, E>,
) -> Option<f64> {
    let mut samples = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let before = cpu_time();
            for _ in 0..times {
                let encoded = encode();
                assert!(encoded.is_ok(), "{encoded:?}");
            }
            let time = cpu_time() - before;
            samples.push(time.as_secs_f64() * 1e3 / times as f64);
            time
        });
    });
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}

fn cpu_time() -> Duration {
    // It fails for clocks only that a kernel does not have.
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    now.map_or(Duration::ZERO, Duration::from)
}
