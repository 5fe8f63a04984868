//! Ages over time: a file with a line for each frame, when it came (in seconds since the watch
//! began) and its age in ms. `plot` draws such files.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::statistics::{median, percentile};
use crate::viewers::Seen;

/// How long after a link has faded its queue is a faded link's.
const SETTLED_S: f64 = 5.0;

/// What fading did to a client.
#[derive(Debug, PartialEq)]
pub(crate) struct Fade {
    pub(crate) p50_before_ms: f64,
    pub(crate) p50_after_ms: f64,
    pub(crate) max_after_ms: f64,
    /// The longest time without a frame, from the fade on.
    pub(crate) pause_ms: f64,
}

/// # Errors
/// What the system said.
pub(crate) fn write(path: &Path, seen: &[Seen]) -> anyhow::Result<()> {
    let line = |seen: &Seen| {
        let age_ms = seen.age.as_secs_f64() * 1e3;
        format!("{:.3} {age_ms:.1}\n", seen.after.as_secs_f64())
    };
    let lines: String = seen.iter().map(line).collect();
    fs::write(path, lines).with_context(|| path.display().to_string())
}

/// Reads points: any two numbers on each line.
///
/// # Errors
/// No such file, or something else in it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<(f64, f64)>> {
    let name = path.display();
    let lines = fs::read_to_string(path).with_context(|| name.to_string())?;
    let point = |line: &str| {
        let (x, y) = line.split_once(' ')?;
        Some((x.parse().ok()?, y.parse().ok()?))
    };
    let points: Option<_> = lines.lines().map(point).collect();
    points.with_context(|| format!("{name}: use two numbers on each line"))
}

/// What a link did that faded at `at`, to a client that looked until `end`.
///
/// # Errors
/// No frames before, or none after.
pub(crate) fn fade(points: &[(f64, f64)], at: f64, end: f64) -> anyhow::Result<Fade> {
    let ages = |from: f64, until: f64| -> Vec<f64> {
        let within = |(when, _): &&(f64, f64)| (from..until).contains(when);
        points.iter().filter(within).map(|(_, age)| *age).collect()
    };
    let (before, after) = (ages(0.0, at), ages(at + SETTLED_S, end));
    if before.is_empty() || after.is_empty() {
        bail!("no frame before the link faded, or none after");
    }
    let frames = points.iter().map(|(when, _)| *when);
    let frames: Vec<f64> = frames.chain([end]).collect();
    let pauses = frames.windows(2).filter(|pair| pair[1] > at);
    Ok(Fade {
        p50_before_ms: median(before),
        p50_after_ms: median(after.iter().copied()),
        max_after_ms: percentile(after, 100.0),
        pause_ms: pauses.fold(0.0, |longest: f64, pair| longest.max(pair[1] - pair[0])) * 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_fade_from_what_was_before() {
        let before = [(1.0, 20.0), (2.0, 30.0), (5.0, 40.0)];
        let fading = [(11.0, 900.0), (14.0, 800.0)];
        let after = [(15.0, 700.0), (16.0, 500.0), (17.5, 400.0)];
        let points = [&before[..], &fading, &after].concat();
        let expected = Fade {
            p50_before_ms: 30.0,
            p50_after_ms: 500.0,
            max_after_ms: 700.0,
            // The one from 5 to 11 s; that from 2 to 5 s was before.
            pause_ms: 6000.0,
        };
        assert_eq!(fade(&points, 10.0, 18.0).unwrap(), expected);
        // A stream that came to a halt.
        assert_eq!(fade(&points, 10.0, 30.0).unwrap().pause_ms, 12_500.0);
        assert!(fade(&before, 10.0, 18.0).is_err());
    }
}
