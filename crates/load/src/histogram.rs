//! A histogram of durations: every bucket is at most 1/64 as wide as its values are large.
//!
//! Recording is one increment, whatever the value; a quantile is at most 1.6 % too high.

/// Values below this have a bucket of their own; above, each power of two has half as many.
const EXACT: u64 = 128;
const PER_POWER: u64 = EXACT / 2;
/// Longer than any bench: 2^36 µs are 19 hours.
const MAX: u64 = (1 << 36) - 1;

/// Counts of durations in microseconds.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_us: u64,
}

impl Histogram {
    /// Makes one without values.
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(MAX) + 1], count: 0, max_us: 0 }
    }

    /// Counts a duration; what is longer than 19 hours counts as that.
    pub(crate) fn record(&mut self, us: u64) {
        let us = us.min(MAX);
        if let Some(count) = self.buckets.get_mut(bucket(us)) {
            *count += 1;
        }
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Returns how many values were counted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the largest value, exactly.
    pub(crate) fn max_us(&self) -> u64 {
        self.max_us
    }

    /// Returns a value that `per_mille` of a thousand values do not exceed, or 0 if there is none.
    pub(crate) fn quantile_us(&self, per_mille: u64) -> u64 {
        let rank = (self.count * per_mille).div_ceil(1000);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if rank <= seen && 0 < seen {
                return highest(index).min(self.max_us);
            }
        }
        self.max_us
    }
}

fn bucket(us: u64) -> usize {
    let shift = shift(us);
    let index = u64::from(shift) * PER_POWER + (us >> shift);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// How many low bits the bucket of a value leaves out.
fn shift(us: u64) -> u32 {
    (us | (EXACT - 1)).ilog2() - (EXACT - 1).ilog2()
}

/// The largest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let index = u64::try_from(bucket).unwrap_or(u64::MAX);
    let shift = (index / PER_POWER).saturating_sub(1);
    ((index - shift * PER_POWER + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_that_ends_at_most_a_64th_above_it() {
        for power in 0..36_u32 {
            for value in [1 << power, (1 << power) + 1, (1 << power) * 3 / 2, (2 << power) - 1] {
                let end = highest(bucket(value));

                assert!(value <= end && end <= value + value / 64, "{value} ends at {end}");
                assert_eq!(bucket(end), bucket(value));
                assert_eq!(bucket(end + 1), bucket(value) + 1);
            }
        }
    }

    #[test]
    fn quantiles_of_a_hundred_values_are_those_values() {
        let mut histogram = Histogram::new();
        (1..=100).for_each(|us| histogram.record(us));

        assert_eq!(histogram.quantile_us(10), 1);
        assert_eq!(histogram.quantile_us(500), 50);
        assert_eq!(histogram.quantile_us(990), 99);
        assert_eq!(histogram.quantile_us(999), 100);
        assert_eq!((histogram.count(), histogram.max_us()), (100, 100));
    }

    #[test]
    fn no_quantile_exceeds_the_largest_value() {
        let mut histogram = Histogram::new();
        histogram.record(1_000_003);

        assert_eq!(histogram.quantile_us(500), 1_000_003);
        assert_eq!(Histogram::new().quantile_us(500), 0);
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        let mut histogram = Histogram::new();
        histogram.record(u64::MAX);

        assert_eq!(histogram.max_us(), MAX);
    }
}
