//! How long things took, by name.

use std::collections::BTreeMap;
use std::time::Duration;

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

    /// What `percent` of those under a name did not exceed.
    pub(super) fn percentile(&self, what: &str, percent: usize) -> Duration {
        percentile(self.0.get(what).unwrap_or_else(|| panic!("nothing of {what}")), percent)
    }

    /// One line for each name.
    pub(super) fn print(&self, title: &str) {
        println!("{title}: n, p50, p95, p99, max in ms");
        for (what, took) in &self.0 {
            let ms = |percent| percentile(took, percent).as_secs_f64() * 1_000.0;
            let (p50, p95, p99, max) = (ms(50), ms(95), ms(99), ms(100));
            let n = took.len();
            println!("  {n:6} {p50:8.1} {p95:8.1} {p99:8.1} {max:8.1}  {what:.90}");
        }
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
