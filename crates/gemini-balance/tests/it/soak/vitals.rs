//! How the process is doing: memory, descriptors, threads, and its own gauges.

use std::fmt;
use std::fs;

use fake_upstream::Upstream;

use crate::support::Metrics;
use crate::support::process::memory_kib;

/// One look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vitals {
    /// Resident memory.
    pub(super) memory_kib: u64,
    pub(super) threads: u64,
    /// Descriptors, and tasks, other than those of connections to the upstream that are kept for
    /// later.
    pub(super) descriptors: u64,
    pub(super) tasks: u64,
}

impl Vitals {
    /// Looks at a process on this machine.
    pub(super) fn of(process: u32, metrics: &Metrics, upstream: &Upstream) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
        let threads = threads.trim().parse().unwrap();
        let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
        let kept = u64::try_from(upstream.open_connections()).unwrap();
        Self {
            memory_kib: memory_kib(process).0,
            threads,
            descriptors: u64::try_from(open).unwrap().saturating_sub(kept),
            tasks: metrics.sum("tasks").saturating_sub(kept),
        }
    }

    /// Whether no more is held than was then, give or take the connection that asks.
    pub(super) fn is_back_at(&self, then: &Self) -> bool {
        self.threads <= then.threads + 2
            && self.descriptors <= then.descriptors + 2
            && self.tasks <= then.tasks + 2
    }
}

impl fmt::Display for Vitals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kib, threads, descriptors, tasks } = self;
        write!(
            formatter,
            "{memory_kib} KiB, {threads} threads, {descriptors} descriptors, {tasks} tasks"
        )
    }
}

/// How much more memory the last quarter of the time holds than the third, in KiB, by medians; 0
/// if there were too few looks.
pub(super) fn growth_kib(seen: &[Vitals]) -> i64 {
    let median = |part: &[Vitals]| {
        let mut memory: Vec<u64> = part.iter().map(|vitals| vitals.memory_kib).collect();
        memory.sort_unstable();
        memory.get(memory.len() / 2).map_or(0, |memory| i64::try_from(*memory).unwrap())
    };
    if seen.len() < 4 {
        return 0;
    }
    let (_, later) = seen.split_at(seen.len() / 2);
    let (third, last) = later.split_at(later.len() / 2);
    median(last) - median(third)
}
