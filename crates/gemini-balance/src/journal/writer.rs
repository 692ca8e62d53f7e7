//! The journal's thread: takes what is waiting, writes it as one transaction, and keeps it until that has worked.
//!
//! Always true: a row leaves memory only when it is in the database, or at the end of the process, counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::journal::{Shared, State, news};
use crate::log_row::LogRow;
use crate::store::Store;
use crate::store::error::StoreError;

/// Rows of one transaction: some tens of ms of the writer.
pub(super) const BATCH_ROWS_MAX: usize = 4_096;
/// How long the first row of a batch waits for others. With the time to write them, well below 250 ms.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// The wait after a failure, doubled with each that follows.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(100);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// A lasting failure is logged once in this time.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Writes batches until the journal is closed.
pub(super) fn run(shared: &Shared, store: &Store) {
    let mut report = Report::default();
    while let Some(batch) = next_batch(shared) {
        write(shared, store, &batch, &mut report);
    }
}

/// Waits for rows; `None` when there are none left and none will come.
fn next_batch(shared: &Shared) -> Option<Arc<[LogRow]>> {
    let mut state = shared.state.lock();
    while state.waiting.is_empty() {
        if state.closing.is_some() {
            return None;
        }
        shared.wake.wait(&mut state);
    }
    let deadline = Instant::now() + BATCH_WAIT;
    while is_worth_waiting(&state) {
        if shared.wake.wait_until(&mut state, deadline).timed_out() {
            break;
        }
    }
    let count = state.waiting.len().min(BATCH_ROWS_MAX);
    state.taken = count;
    Some(state.waiting.drain(..count).collect())
}

fn is_worth_waiting(state: &State) -> bool {
    state.waiting.len() < BATCH_ROWS_MAX && state.flushes.is_empty() && state.closing.is_none()
}

/// Writes a batch, however often it takes, or gives it up when the journal has been closing for too long.
fn write(shared: &Shared, store: &Store, batch: &Arc<[LogRow]>, report: &mut Report) {
    let mut wait = RETRY_WAIT_MIN;
    loop {
        let outcome = store.insert_log_rows(Arc::clone(batch));
        let backlog = shared.state.lock().backlog();
        let Err(error) = outcome else {
            report.success(backlog);
            if let Some(events) = shared.teller.events() {
                news::tell(events, batch);
            }
            return shared.state.lock().written(batch.len());
        };
        report.failure(&error, backlog);
        let mut state = shared.state.lock();
        state.counts.failures = state.counts.failures.saturating_add(1);
        // Dropping them answers those who wait for these rows.
        state.flushes.clear();
        if is_over(shared, &mut state, &error, wait) {
            let lost = state.give_up();
            tracing::error!(rows = lost, %error, "log rows lost: they could not be written");
            return;
        }
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// Waits before the next attempt; true if there should be none.
fn is_over(
    shared: &Shared,
    state: &mut MutexGuard<'_, State>,
    error: &StoreError,
    wait: Duration,
) -> bool {
    if matches!(error, StoreError::Closed) {
        return true;
    }
    let retry_at = Instant::now() + wait;
    loop {
        let now = Instant::now();
        let Some(deadline) = state.closing else {
            if shared.wake.wait_until(state, retry_at).timed_out() {
                return false;
            }
            continue;
        };
        if deadline <= now {
            return true;
        }
        shared.wake.wait_until(state, deadline.min(now + RETRY_WAIT_MIN));
        return false;
    }
}

impl State {
    fn backlog(&self) -> Backlog {
        let rows_waiting = self.taken + self.waiting.len();
        Backlog { rows_waiting, rows_dropped: self.counts.dropped }
    }

    fn written(&mut self, rows: usize) {
        self.taken = 0;
        self.counts.written += rows as u64;
        self.counts.failures = 0;
        let written = self.counts.written;
        for flush in self.flushes.extract_if(.., |flush| flush.recorded <= written) {
            // Whoever waited may have left.
            flush.done.send(()).unwrap_or_default();
        }
        if self.waiting.is_empty() {
            self.waiting.shrink_to(BATCH_ROWS_MAX);
        }
    }

    fn give_up(&mut self) -> usize {
        let lost = self.taken + self.waiting.len();
        self.taken = 0;
        self.waiting.clear();
        self.counts.dropped += lost as u64;
        lost
    }
}

/// What has not been written.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    rows_waiting: usize,
    /// Since the start.
    rows_dropped: u64,
}

/// Says that something lasts without saying it every time.
#[derive(Debug, Default)]
struct Report {
    said_at: Option<Instant>,
    /// Whether the last thing said was that rows cannot be written.
    is_failure_said: bool,
    /// Dropped rows that were spoken of.
    rows_dropped: u64,
}

impl Report {
    fn failure(&mut self, error: &StoreError, backlog: Backlog) {
        if !self.is_due() {
            return;
        }
        let Backlog { rows_waiting, rows_dropped } = backlog;
        tracing::warn!(
            %error, rows_waiting, rows_dropped, "the request log cannot be written, trying again"
        );
        self.is_failure_said = true;
        self.rows_dropped = rows_dropped;
    }

    fn success(&mut self, backlog: Backlog) {
        let rows_dropped = backlog.rows_dropped;
        if std::mem::take(&mut self.is_failure_said) {
            tracing::info!(rows_dropped, "the request log is written again");
        } else if self.rows_dropped < rows_dropped && self.is_due() {
            tracing::warn!(
                rows_dropped,
                "requests end faster than the request log can be written; some have no row"
            );
        } else {
            return;
        }
        self.rows_dropped = rows_dropped;
    }

    fn is_due(&mut self) -> bool {
        let is_due = self.said_at.is_none_or(|at| REPORT_INTERVAL <= at.elapsed());
        if is_due {
            self.said_at = Some(Instant::now());
        }
        is_due
    }
}
