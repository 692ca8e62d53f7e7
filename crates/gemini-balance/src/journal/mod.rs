//! The request log, written behind: a row is handed over in a few instructions and written by a thread of its own.
//!
//! Always true: recording never waits and never fails; what waits to be written has a bound, and what does not fit is
//! counted; rows are written within a fraction of a second, or as soon as the database can write again.

mod news;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::events::{Events, Teller};
use crate::log_row::LogRow;
use crate::store::Store;

pub use news::{RequestNews, RequestsNews};

/// Rows that may wait to be written.
pub const ROWS_MAX: usize = 65_536;

/// A handle to the journal, cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
}

/// What became of the rows that were recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows taken in.
    pub recorded: u64,
    /// Rows that are in the database.
    pub written: u64,
    /// Rows that did not fit, or were given up at the end.
    pub dropped: u64,
    /// Attempts to write a batch that failed in a row; nought while all is well.
    pub failures: u32,
}

/// The rows recorded so far could not be written; they are still waiting.
#[derive(Debug, thiserror::Error)]
#[error("the request log cannot be written at present")]
pub struct NotWritten;

#[derive(Debug)]
struct Shared {
    rows_max: usize,
    state: Mutex<State>,
    /// Wakes the writer: there is something to write, enough of it, or an end.
    wake: Condvar,
    /// Tells requests that have ended to whoever has a page open.
    teller: Teller,
}

#[derive(Debug, Default)]
struct State {
    /// Rows that the writer has not taken yet.
    waiting: VecDeque<LogRow>,
    /// Rows that the writer holds until they are written.
    taken: usize,
    counts: Counts,
    flushes: Vec<Flush>,
    /// Set by `close`: until when the writer may go on trying.
    closing: Option<Instant>,
}

/// Somebody who waits for rows to be written.
#[derive(Debug)]
struct Flush {
    /// How many rows were recorded when the waiting began.
    recorded: u64,
    done: oneshot::Sender<()>,
}

/// The writer's thread, which ends with the last handle at the latest.
#[derive(Debug)]
struct Thread {
    shared: Arc<Shared>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.shared.close(Duration::ZERO);
    }
}

impl Shared {
    fn close(&self, limit: Duration) {
        self.state.lock().closing.get_or_insert_with(|| Instant::now() + limit);
        self.wake.notify_one();
    }
}

impl Journal {
    /// Starts the writer.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(store: Store) -> std::io::Result<Self> {
        Self::with_bound(store, ROWS_MAX)
    }

    /// From here on requests that have ended are told as events.
    pub fn tell_to(&self, events: Events) {
        self.shared.teller.tell_to(events);
    }

    /// Hands a row over. When too many are waiting already, it is dropped and counted.
    pub fn record(&self, row: LogRow) {
        let mut state = self.shared.state.lock();
        if self.shared.rows_max <= state.waiting.len() + state.taken || state.closing.is_some() {
            state.counts.dropped += 1;
            return;
        }
        state.counts.recorded += 1;
        state.waiting.push_back(row);
        // The writer waits for the first row of a batch, then for a full batch or its time.
        let count = state.waiting.len();
        drop(state);
        if count == 1 || count == writer::BATCH_ROWS_MAX {
            self.shared.wake.notify_one();
        }
    }

    /// What became of the rows that were recorded.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state.lock().counts
    }

    /// Waits until everything recorded before the call is written.
    ///
    /// # Errors
    /// If a batch could not be written; it will be tried again.
    pub async fn flush(&self) -> Result<(), NotWritten> {
        let (done, is_done) = oneshot::channel();
        {
            let mut state = self.shared.state.lock();
            if state.waiting.is_empty() && state.taken == 0 {
                return Ok(());
            }
            let recorded = state.counts.recorded;
            state.flushes.push(Flush { recorded, done });
        }
        self.shared.wake.notify_one();
        is_done.await.map_err(|_| NotWritten)
    }

    /// Writes what is left, trying for at most `limit`, and ends the thread. Later rows are dropped and counted.
    pub async fn close(&self, limit: Duration) {
        self.shared.close(limit);
        let Some(handle) = self.thread.handle.lock().take() else {
            return;
        };
        let joined = tokio::task::spawn_blocking(move || handle.join().is_ok());
        if !matches!(joined.await, Ok(true)) {
            tracing::error!("the journal ended with a panic");
        }
    }

    fn with_bound(store: Store, rows_max: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            rows_max,
            state: Mutex::default(),
            wake: Condvar::new(),
            teller: Teller::default(),
        });
        let handle = thread::Builder::new().name("journal".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || writer::run(&shared, &store)
        })?;
        let thread = Thread { shared: Arc::clone(&shared), handle: Mutex::new(Some(handle)) };
        Ok(Self { shared, thread: Arc::new(thread) })
    }
}

#[cfg(test)]
mod tests;
