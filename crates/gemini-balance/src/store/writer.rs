//! The one connection that writes.
//!
//! Always true: outside of [`Writer::run`] no transaction is open; what the interner remembers is in the database.

use std::fs::File;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::store::checkpointer::Checkpointer;
use crate::store::error::StoreError;
use crate::store::open::Opened;
use crate::store::words::Words;

/// Another process may hold the write lock this long before a command fails.
const COMMAND_LOCK_WAIT: Duration = Duration::from_secs(2);
/// A batch comes again, so it gives way to the commands behind it.
const BATCH_LOCK_WAIT: Duration = Duration::from_millis(250);

/// What must have happened when a transaction is answered as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It is on the disk, and so is all that was written before it: for keys and settings.
    OnDisk,
    /// It is with the operating system: it outlives the process, a power cut may take the last seconds of it.
    Batched,
}

/// The write connection and what belongs to it.
#[derive(Debug)]
pub(super) struct Writer {
    /// Goes before the connection: the last one to close folds the write-ahead log into the database.
    _checkpointer: Checkpointer,
    connection: Connection,
    words: Words,
    durability: Option<Durability>,
    /// Keeps other processes out for as long as the connection may write; dropped after it.
    _lock: File,
}

impl Writer {
    pub(super) fn new(opened: Opened, checkpointer: Checkpointer) -> Result<Self, StoreError> {
        let Opened { mut connection, lock } = opened;
        checkpointer.watch(&mut connection)?;
        Ok(Self {
            _checkpointer: checkpointer,
            connection,
            words: Words::default(),
            durability: None,
            _lock: lock,
        })
    }

    /// Runs `work` in one transaction: all of it happens, or nothing.
    pub(super) fn run<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>, &mut Words) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.prepare(durability)?;
        // Taken out while it may learn words that are not committed, so that any failure forgets them.
        let mut words = std::mem::take(&mut self.words);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction, &mut words)?;
        transaction.commit()?;
        self.words = words;
        Ok(value)
    }

    /// Gives back memory that only a busy writer needs.
    pub(super) fn rest(&self) {
        release_memory(&self.connection);
    }

    fn prepare(&mut self, durability: Durability) -> Result<(), StoreError> {
        if self.durability == Some(durability) {
            return Ok(());
        }
        let (synchronous, wait) = match durability {
            Durability::OnDisk => ("FULL", COMMAND_LOCK_WAIT),
            Durability::Batched => ("NORMAL", BATCH_LOCK_WAIT),
        };
        self.connection.pragma_update(None, "synchronous", synchronous)?;
        self.connection.busy_timeout(wait)?;
        self.durability = Some(durability);
        Ok(())
    }
}

/// Lets go of a connection's page cache.
pub(super) fn release_memory(connection: &Connection) {
    if let Err(error) = connection.release_memory() {
        tracing::debug!(%error, "the database keeps its memory");
    }
}
