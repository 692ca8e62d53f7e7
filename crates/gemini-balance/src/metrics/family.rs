//! One metric with labels: a series for each set of them, made when it is first needed.

use std::collections::BTreeMap;

use parking_lot::RwLock;

/// Series of one family. Labels are bounded at their source; this is the last fence, and beyond it
/// new series are not recorded.
const SERIES_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Family<L, M> {
    empty: fn() -> M,
    series: RwLock<BTreeMap<L, M>>,
}

impl<L: Ord, M> Family<L, M> {
    /// No series yet; `empty` makes one that has seen nothing.
    pub(super) fn new(empty: fn() -> M) -> Self {
        Self { empty, series: RwLock::new(BTreeMap::new()) }
    }

    /// Records into the series with these labels.
    pub(super) fn with(&self, labels: L, record: impl FnOnce(&M)) {
        if let Some(metric) = self.series.read().get(&labels) {
            return record(metric);
        }
        let mut series = self.series.write();
        if series.len() < SERIES_MAX || series.contains_key(&labels) {
            record(series.entry(labels).or_insert_with(self.empty));
        }
    }

    /// Shows each series in the order of its labels.
    pub(super) fn each(&self, mut show: impl FnMut(&L, &M)) {
        for (labels, metric) in &*self.series.read() {
            show(labels, metric);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn each_set_of_labels_is_counted_on_its_own_up_to_a_bound() {
        let family = Family::<usize, AtomicU64>::new(AtomicU64::default);
        let increment = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        for label in 0..SERIES_MAX + 5 {
            family.with(label, increment);
            family.with(label, increment);
        }

        let mut count = 0;
        family.each(|_, seen| {
            count += 1;
            assert_eq!(seen.load(Ordering::Relaxed), 2);
        });
        assert_eq!(count, SERIES_MAX);
    }
}
