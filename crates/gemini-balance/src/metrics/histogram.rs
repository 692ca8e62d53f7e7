//! Counts values into fixed buckets. Values are whole numbers (tokens, microseconds) so that every
//! step is one atomic addition; only the page turns them into units.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of a histogram's buckets, rising.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets {
    bounds: &'static [u64],
    per_unit: u64,
}

impl Buckets {
    /// Bounds in microseconds; the page shows seconds.
    pub(super) const fn microseconds(bounds: &'static [u64]) -> Self {
        Self { bounds, per_unit: 1_000_000 }
    }

    /// Bounds as they are shown.
    pub(super) const fn units(bounds: &'static [u64]) -> Self {
        Self { bounds, per_unit: 1 }
    }

    fn shown(self, value: u64) -> f64 {
        value as f64 / self.per_unit as f64
    }
}

#[derive(Debug)]
pub(super) struct Histogram {
    buckets: Buckets,
    /// One more than there are bounds: the last is for what exceeds them all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(super) fn new(buckets: Buckets) -> Self {
        let counts = (0..=buckets.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { buckets, counts, sum: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, value: u64) {
        let bucket = self.buckets.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    pub(super) fn observe_duration(&self, duration: Duration) {
        self.observe(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Each upper bound as Prometheus writes it, with the number of values up to it; the last is
    /// `+Inf` and so the number of all.
    pub(super) fn cumulated(&self) -> Vec<(String, u64)> {
        let bounds = self.buckets.bounds.iter().map(|bound| self.buckets.shown(*bound).to_string());
        let mut total = 0;
        bounds
            .chain(["+Inf".to_owned()])
            .zip(&self.counts)
            .map(|(bound, count)| {
                total += count.load(Ordering::Relaxed);
                (bound, total)
            })
            .collect()
    }

    /// The upper bounds, and the number of values in each bucket, the last for what exceeds them all.
    pub(super) fn parts(&self) -> (Vec<f64>, Vec<u64>) {
        let bounds = self.buckets.bounds.iter().map(|bound| self.buckets.shown(*bound)).collect();
        (bounds, self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect())
    }

    pub(super) fn sum(&self) -> f64 {
        self.buckets.shown(self.sum.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_bucket_that_holds_it_and_all_above() {
        let histogram = Histogram::new(Buckets::microseconds(&[10_000, 1_000_000]));
        for ms in [1, 10, 11, 5_000] {
            histogram.observe_duration(Duration::from_millis(ms));
        }

        let cumulated = histogram.cumulated();

        let expected = [("0.01", 2), ("1", 3), ("+Inf", 4)];
        assert_eq!(cumulated, expected.map(|(bound, count)| (bound.to_owned(), count)));
        assert_eq!(histogram.sum(), 5.022);
    }
}
