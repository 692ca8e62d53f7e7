//! Moving in: what other gateways leave behind is read, looked at, and taken over as a whole.
//!
//! A file is known by what is in it. First it becomes [`Findings`], which needs nothing of ours;
//! then either [`foresee`] says what would become of them, or [`take`] takes them over in one
//! transaction. Both end in a [`Report`].
//!
//! Always true: what is read is never written, and neither is anything beside it; nothing of a key
//! is shown but its first and last characters; what cannot be taken over is told, each with its
//! reason.

mod cells;
mod dump;
mod error;
mod findings;
mod first_start;
mod gpt_load;
mod key_list;
mod old_file;
mod one_api;
mod predecessor;
mod predecessor_log;
mod report;
mod snailyp;
mod snailyp_settings;
mod tables;
mod taking;
mod text;
mod uploads;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

pub use error::MoveError;
pub use findings::{Findings, Hint, Source};
pub use first_start::{at_first_start, sweep};
pub use predecessor_log::Progress;
pub use report::{Item, ItemKind, ItemOutcome, Report, Tally};
pub use taking::{Taken, foresee, take};
pub use uploads::{Imports, Upload};

use crate::import::tables::Tables;

/// Longest text that is read: lists and dumps of keys, not of logs.
pub const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How every SQLite database begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Reads a file, whatever it is of what is known. `scratch` is a directory for a copy, which is
/// made only of a database whose last changes lie in a log beside it. Blocks.
///
/// # Errors
///
/// [`MoveError`]: the file cannot be read, or is nothing that is known here.
pub fn read_file(path: &Path, scratch: &Path, now_ms: i64) -> Result<Findings, MoveError> {
    let mut file = File::open(path).map_err(MoveError::Unreadable)?;
    if file.metadata().map_err(MoveError::Unreadable)?.is_dir() {
        return Err(MoveError::Unreadable(std::io::ErrorKind::IsADirectory.into()));
    }
    let mut head = Vec::with_capacity(SQLITE_MAGIC.len());
    let mut limited = (&mut file).take(SQLITE_MAGIC.len() as u64);
    limited.read_to_end(&mut head).map_err(MoveError::Unreadable)?;
    if head == SQLITE_MAGIC {
        return read_tables(Tables::Sqlite(Box::new(old_file::open(path, scratch)?)), now_ms);
    }
    let mut rest = file.take(TEXT_BYTES_MAX as u64);
    // With what was read already, one that is too large ends up above the limit.
    rest.read_to_end(&mut head).map_err(MoveError::Unreadable)?;
    read_bytes(&head, now_ms)
}

/// As [`read_file`], of what is in memory. Blocks.
///
/// # Errors
///
/// [`MoveError`]: it is nothing that is known here.
pub fn read_bytes(bytes: &[u8], now_ms: i64) -> Result<Findings, MoveError> {
    if bytes.starts_with(SQLITE_MAGIC) {
        return read_tables(Tables::Sqlite(Box::new(old_file::in_memory(bytes)?)), now_ms);
    }
    if TEXT_BYTES_MAX < bytes.len() {
        return Err(MoveError::TooLarge);
    }
    text::read(bytes, now_ms)
}

/// Knows a program by the names of its tables.
fn read_tables(tables: Tables, now_ms: i64) -> Result<Findings, MoveError> {
    let names = tables.names()?;
    let has = |name: &str| names.iter().any(|table| table == name);
    if has("key_states") || has("old_key_states") {
        let Tables::Sqlite(file) = tables else {
            return Err(MoveError::DumpOfPredecessor);
        };
        return predecessor::read(*file, now_ms);
    }
    if has("t_settings") || has("t_api_keys") {
        return snailyp::read(&tables);
    }
    if has("channels") && (has("tokens") || has("abilities")) {
        return one_api::read(&tables);
    }
    if has("groups") && (has("credentials") || has("upstream_keys") || has("access_keys")) {
        return gpt_load::read_second(&tables);
    }
    if has("groups") && has("api_keys") {
        return gpt_load::read_first(&tables);
    }
    Err(MoveError::unknown_tables(&names))
}
