//! How long things took, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::{ms, table};

/// Durations by what took them.
#[derive(Debug, Default)]
pub(super) struct Figures(BTreeMap<String, Vec<Duration>>);

impl Figures {
    pub(super) fn add(&mut self, what: &str, took: Duration) {
        self.0.entry(what.to_owned()).or_default().push(took);
    }

    pub(super) fn extend(&mut self, what: &str, took: impl IntoIterator<Item = Duration>) {
        self.0.entry(what.to_owned()).or_default().extend(took);
    }

    pub(super) fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|(what, took)| self.extend(&what, took));
    }

    /// What `percent` of those under a name did not exceed.
    pub(super) fn percentile(&self, what: &str, percent: usize) -> Duration {
        percentile(self.0.get(what).unwrap_or_else(|| panic!("nothing of {what}")), percent)
    }

    /// One line for each name, and one for all together.
    pub(super) fn print(&self, title: &str) {
        let line = |what: &str, took: &[Duration]| {
            let times = [50, 95, 99, 100].map(|percent| ms(percentile(took, percent)));
            [vec![what.replace('|', "\\|"), took.len().to_string()], times.to_vec()].concat()
        };
        let mut rows: Vec<_> =
            self.0.iter().map(|(what, took)| line(&format!("`{what:.100}`"), took)).collect();
        if 1 < self.0.len() {
            let all: Vec<Duration> = self.0.values().flatten().copied().collect();
            rows.push(line("all of them", &all));
        }
        table(title, &["n", "p50 ms", "p95 ms", "p99 ms", "most ms"], &rows);
    }

    /// Fails if what `percent` of those under any name did not exceed is more than `most`.
    pub(super) fn check(&self, percent: usize, most: Duration) {
        let slow = self.0.iter().filter(|(_, took)| most < percentile(took, percent));
        let slow: Vec<_> = slow.map(|(what, took)| (what, percentile(took, percent))).collect();
        assert!(slow.is_empty(), "more than {most:?}: {slow:?}");
    }
}

fn percentile(took: &[Duration], percent: usize) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}
