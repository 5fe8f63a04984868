//! Numbers out of many.

use crate::viewers::Seen;

/// The value that `percent` of all are not above. NaN of nothing.
pub(crate) fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    values
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values.into_iter().collect(), 50.0)
}

/// A percentile of the frames' ages in milliseconds.
pub(crate) fn age_ms(seen: &[Seen], percent: f64) -> f64 {
    let ages = seen.iter().map(|seen| seen.age.as_secs_f64() * 1e3);
    percentile(ages.collect(), percent)
}

/// Frames a second, from the first to the last: with few frames it matters where the window happens
/// to end.
pub(crate) fn frames_per_s(seen: &[Seen]) -> f64 {
    match seen {
        [first, .., last] => (seen.len() - 1) as f64 / (last.after - first.after).as_secs_f64(),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(values.clone(), 99.0), 99.0);
        assert_eq!(percentile(values, 50.0), 50.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_rate_does_not_depend_on_where_the_window_ends() {
        let seen = [0.3, 0.7, 1.1].map(|after| Seen {
            client: 0,
            after: Duration::from_secs_f64(after),
            age: Duration::ZERO,
            bytes: 0,
        });
        assert!((frames_per_s(&seen) - 2.5).abs() < 1e-9);
        assert!(frames_per_s(&seen[..1]).is_nan());
    }
}
