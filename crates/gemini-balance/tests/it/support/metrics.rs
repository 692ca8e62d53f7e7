//! The page of metrics, read.

use crate::support::Client;

/// What must be zero when nothing is under way.
const GAUGES: [&str; 6] = [
    "requests_in_flight",
    "pool_leases",
    "pool_waiting",
    "queue_waiting",
    "journal_rows_waiting",
    "leases_reclaimed_total",
];

/// The page of metrics.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) async fn of(client: &Client) -> Self {
        Self(client.get("/metrics").await.text())
    }

    /// The gauges that should be zero and are not.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let gauges = GAUGES.into_iter().map(|name| (name, self.sum(name)));
        gauges.filter(|(_, value)| *value != 0).map(|it| format!("{it:?}")).collect()
    }

    /// The sum of all samples of a metric of ours.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let name = format!("gemini_balance_{name}");
        let samples = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(&name)?;
            let is_whole_name = rest.starts_with([' ', '{']);
            is_whole_name.then(|| rest.rsplit(' ').next()?.parse::<u64>().ok()).flatten()
        });
        samples.sum()
    }
}
