//! The cap on open connections, over all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many connections are open, over all workers.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicUsize,
}

impl Connections {
    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts one more, unless that would exceed `limit`.
    pub fn try_open(self: &Arc<Self>, limit: usize) -> Option<OpenConnection> {
        let connection = OpenConnection(Arc::clone(self));
        (self.open.fetch_add(1, Ordering::Relaxed) < limit).then_some(connection)
    }
}

/// An open connection, counted until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<Connections>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
