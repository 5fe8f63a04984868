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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(values.clone(), 99.0), 99.0);
        assert_eq!(percentile(values, 50.0), 50.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert!(median([]).is_nan());
    }
}
