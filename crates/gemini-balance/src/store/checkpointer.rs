//! Moves what was written from the write-ahead log into the database file, on a thread of its own.
//!
//! That waits for the disk, some 100 ms for a log of 16 MiB, and whoever committed the last page would wait with it. Always
//! true: the writer waits for a checkpoint only if it fills the log faster than the disk takes it, and so it is bounded.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use crate::store::error::StoreError;

/// Pages of the log from which on a checkpoint is due: 16 MiB.
const PAGES_DUE: i32 = 4_000;
/// Pages of the log from which on the writer makes the checkpoint: 64 MiB.
const PAGES_MAX: i32 = 16_000;

/// The thread; dropped, it ends and its connection is closed, which takes as long as a checkpoint.
#[derive(Debug)]
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_due: bool,
    is_closing: bool,
}

impl Checkpointer {
    /// Starts the thread with a connection of its own.
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let thread = thread::Builder::new().name("store-checkpoint".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || run(&connection, &shared)
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has it look at every commit of a connection, which makes no checkpoints by itself any more.
    pub(super) fn watch(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        connection.wal_hook(Some(move |log: &mut Wal, pages| {
            if PAGES_MAX <= pages {
                // If the thread is at it, the next commit tries again.
                drop(log.checkpoint_v2(CheckpointMode::PASSIVE));
            } else if PAGES_DUE <= pages {
                shared.state.lock().is_due = true;
                shared.wake.notify_one();
            }
            Ok(())
        }))?;
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.state.lock().is_closing = true;
        self.shared.wake.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the checkpoints of the database ended with a panic");
        }
    }
}

fn run(connection: &Connection, shared: &Shared) {
    while shared.wait() {
        // What keeps it from that will do so again: then the log grows until the writer tries.
        if let Err(error) = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
            tracing::debug!(%error, "a checkpoint of the database failed");
        }
    }
}

impl Shared {
    /// Waits until a checkpoint is due; false if none will be.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !state.is_due && !state.is_closing {
            self.wake.wait(&mut state);
        }
        state.is_due = false;
        !state.is_closing
    }
}
