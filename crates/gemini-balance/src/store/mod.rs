//! The only place with SQL of ours: users, keys, sessions, the request log and its statistics in one SQLite database.
//!
//! Always true: SQLite runs on threads of its own, never on a runtime thread; there is one writer, and every operation
//! is one transaction; what an operation answers as done is on the disk, except log rows and what the pool writes
//! behind, which outlive the process but not a power cut; every queue and every answer has a bound.

pub mod backup;
pub mod calendar;
pub mod charts;
pub mod error;
pub mod import;
pub mod log_offsets;
pub mod log_pages;
pub mod meta;
pub mod open;
pub mod pool_state;
pub mod prune;
pub mod recent;
pub mod replace;
pub mod request_logs;
pub mod reseal;
pub mod resources;
pub mod scope;
pub mod series;
pub mod service_key_lists;
pub mod service_keys;
pub mod sessions;
pub mod stats;
pub mod user_keys;
pub mod value_counts;

mod checkpointer;
mod crew;
mod fold;
mod histogram;
mod log_counts;
mod log_sources;
mod migrate;
mod rollup;
mod sheet;
mod sheets;
mod words;
mod writer;

use std::sync::Arc;

use parking_lot::RwLock;
use rusqlite::{Connection, Transaction};

use crate::store::checkpointer::Checkpointer;
use crate::store::crew::Crew;
use crate::store::error::{OpenError, StoreError};
use crate::store::open::OpenOptions;
use crate::store::words::Words;
use crate::store::writer::{Durability, Writer};

const READERS: usize = 2;
const READ_QUEUE_MAX: usize = 64;
const WRITE_QUEUE_MAX: usize = 64;

/// A handle to the open database, cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    threads: Arc<RwLock<Option<Threads>>>,
}

#[derive(Debug, Clone)]
struct Threads {
    writer: Crew<Writer>,
    readers: Crew<Connection>,
}

impl Store {
    /// Opens the database, makes it if there is none, and brings its schema up to date. Blocks.
    ///
    /// # Errors
    /// If the file is in use, damaged, foreign or of a newer version: it is left as it is.
    pub fn open(options: &OpenOptions) -> Result<Self, OpenError> {
        let path = &options.path;
        let opened = open::open(options)?;
        let engine = |source| OpenError::Engine { path: path.clone(), source };
        let files = |source| OpenError::Files { path: path.clone(), source };
        let readers = (0..READERS)
            .map(|_| open::connect_to_read(path))
            .collect::<Result<Vec<_>, _>>()
            .map_err(engine)?;
        let checkpoints = open::connect_to_checkpoint(path).map_err(engine)?;
        let checkpointer = Checkpointer::start(checkpoints).map_err(files)?;
        let writer = vec![Writer::new(opened, checkpointer).map_err(engine)?];
        let threads = Threads {
            writer: Crew::start("store-writer", writer, WRITE_QUEUE_MAX, Writer::rest)
                .map_err(files)?,
            readers: Crew::start("store-reader", readers, READ_QUEUE_MAX, |connection| {
                writer::release_memory(connection);
            })
            .map_err(files)?,
        };
        Ok(Self { threads: Arc::new(RwLock::new(Some(threads))) })
    }

    /// Finishes what was accepted, writes everything into the one database file and ends the threads.
    ///
    /// Every later operation answers [`StoreError::Closed`]. A second call does nothing.
    pub async fn close(&self) {
        let Some(threads) = self.threads.write().take() else {
            return;
        };
        // The writer goes last: the last connection folds the write-ahead log into the database.
        threads.readers.close().await;
        threads.writer.close().await;
    }

    /// Runs `work` in one transaction on the writer thread. Dropped before it began, it does not begin; begun, it
    /// runs to its end.
    async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>, &mut Words) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let answer = self.threads()?.writer.ask(move |writer| writer.run(durability, work));
        answer.wait().await
    }

    /// As [`Self::write`], for a thread that may block; waits for a place in the queue.
    fn write_blocking<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>, &mut Words) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.threads()?.writer.ask_blocking(move |writer| writer.run(durability, work))
    }

    /// Runs `work` on a reader thread; all it reads is of one moment.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let read = |connection: &mut Connection| work(&*connection.transaction()?);
        let answer = self.threads()?.readers.ask(read);
        answer.wait().await
    }

    /// Runs `work` on a reader thread outside a transaction.
    async fn read_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let answer = self.threads()?.readers.ask(|connection: &mut Connection| work(connection));
        answer.wait().await
    }

    fn threads(&self) -> Result<Threads, StoreError> {
        self.threads.read().clone().ok_or(StoreError::Closed)
    }
}

#[cfg(test)]
pub(crate) mod tests;
