//! CPU time of this thread, which others on the machine disturb less than they do the clock.

use std::time::Duration;

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use nix::time::{ClockId, clock_gettime};

/// Gives the median of criterion's samples in milliseconds of CPU time, if criterion took any.
pub(crate) fn run<E: std::fmt::Debug>(
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
