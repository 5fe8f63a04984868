//! What the slot costs a consumer and a producer for each frame, and what checking a JPEG to its
//! end costs.
//!
//! `cargo bench --bench slot`. What follows `--` is criterion's: a part of a name,
//! `--save-baseline`, ...

use std::time::{Duration, SystemTime};

use anyhow::Context;
use criterion::{Criterion, Throughput};
use eyelid_bench::picture::{Picture, Spec};
use eyelid_jpeg::Walker;
use eyelid_slot::{Publisher, Reader};

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for spec in [Spec::SMALL, Spec::LARGE] {
        measure(&mut criterion, spec)?;
    }
    criterion.final_summary();
    Ok(())
}

fn measure(criterion: &mut Criterion, spec: Spec) -> anyhow::Result<()> {
    // In memory, as the slot wants it.
    let slot = tempfile::tempdir_in("/dev/shm").context("no memory file system in /dev/shm")?;
    let mut publisher = Publisher::open(slot.path())?;
    let reader = Reader::new(slot.path());
    let mut picture = Picture::new(spec)?;
    let now = SystemTime::now();
    let jpeg = picture.stamped(now);
    publisher.publish(jpeg, now)?;

    let mut group = criterion.benchmark_group(spec.size());
    group.throughput(Throughput::Bytes(jpeg.len() as u64));
    group.bench_function("Reader::read", |bencher| {
        bencher.iter(|| {
            let held = reader.read();
            assert!(held.is_ok(), "{:?}", held.err());
        });
    });
    group.bench_function("Publisher::publish", |bencher| {
        bencher.iter(|| {
            let published = publisher.publish(jpeg, now);
            assert!(published.is_ok(), "{published:?}");
        });
    });
    group.bench_function("Walker::feed", |bencher| {
        bencher.iter(|| {
            let walked = Walker::default().feed(jpeg);
            assert!(walked.is_ok(), "{walked:?}");
        });
    });
    group.finish();
    Ok(())
}
