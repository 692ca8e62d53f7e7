//! The store as a whole, on databases in temporary directories.

mod damage;
mod migrating;
mod opening;
mod pages;
mod pruning;
mod statistics;

use std::borrow::Cow;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::log_row::{LogRow, Tokens};
use crate::random::RequestId;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::open::OpenOptions;

/// A store on a database of its own.
pub(crate) struct TestStore {
    store: Store,
    directory: TempDir,
}

impl TestStore {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(&options(&directory)).unwrap();
        Self { store, directory }
    }

    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        let store = Store::open(&options(&self.directory)).unwrap();
        Self { store, directory: self.directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        options(&self.directory).path
    }

    pub(crate) async fn insert(&self, rows: &[LogRow]) {
        self.try_insert(rows).await.unwrap();
    }

    pub(crate) async fn try_insert(&self, rows: &[LogRow]) -> Result<(), StoreError> {
        let (store, rows) = (self.store.clone(), Arc::from(rows));
        tokio::task::spawn_blocking(move || store.insert_log_rows(rows)).await.unwrap()
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(crate) fn options(directory: &TempDir) -> OpenOptions {
    OpenOptions {
        path: directory.path().join("data").join("gemini-balance.db"),
        backup_dir: directory.path().join("backups"),
        now_ms: 1_800_000_000_000,
        proof: [7; 32],
    }
}

/// A successful request of one attempt.
pub(crate) fn row(ended_at_ms: i64) -> LogRow {
    LogRow {
        request_id: RequestId(ended_at_ms.unsigned_abs().into()),
        ended_at_ms,
        user_key_id: Some(1),
        service_key_id: Some(1),
        model: "gemini-3.0-flash".to_owned(),
        dialect: Cow::Borrowed("gemini"),
        operation: Cow::Borrowed("generateContent"),
        is_stream: false,
        status: Some(200),
        error_kind: None,
        attempt: 1,
        is_final: true,
        tokens: Tokens {
            prompt: Some(10),
            completion: Some(5),
            total: Some(15),
            ..Tokens::default()
        },
        first_byte_ms: Some(300),
        duration_ms: 900,
        bytes_in: 1_000,
        bytes_out: 2_000,
        client: "curl/8.5.0".to_owned(),
        frames: None,
    }
}
