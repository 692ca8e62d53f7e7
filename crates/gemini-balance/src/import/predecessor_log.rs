//! The request log of the Python version, row by row.
//!
//! It has a row per attempt and does not say which one was the last of its request. So rows are
//! held back for a while: the next row of the same request tells that this one was not. Request ids
//! have eight digits there and come again; an hour later it is another request.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::import::cells;
use crate::import::error::MoveError;
use crate::import::old_file::OldFile;
use crate::log_row::{LogRow, Tokens};
use crate::random::RequestId;
use crate::store::import::{ImportError, ImportedRow};

/// Rows read at once.
const PAGE_ROWS: i64 = 2_048;
/// Rows that wait for another one of their request.
const HELD_MAX: usize = 16_384;
/// Between two attempts of one request.
const REQUEST_MS_MAX: i64 = 60 * 60 * 1_000;
/// What stands for a model that is not told.
const NO_MODEL: &str = "-";
/// The word for a protocol or a call that is not told.
const UNKNOWN: &str = "unknown";

/// How far the log is taken over; clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    done: AtomicU64,
    unreadable: AtomicU64,
}

impl Progress {
    /// Rows that have been read.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Rows among them that say no time, and have no place in a log.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.0.unreadable.load(Ordering::Relaxed)
    }
}

/// Whom rows belong to: positions among the keys that were found, and those that are only in rows.
#[derive(Debug, Default)]
pub(super) struct Whose {
    /// By identifier.
    pub(super) service_keys: HashMap<String, usize>,
    /// By alias.
    pub(super) user_keys: HashMap<String, usize>,
    /// Identifier and brief.
    pub(super) deleted_service_keys: Vec<(String, String)>,
    /// Alias.
    pub(super) deleted_user_keys: Vec<String>,
}

impl Whose {
    pub(super) fn lacks_service_key(&self, identifier: &str) -> bool {
        !self.service_keys.contains_key(identifier)
    }

    pub(super) fn lacks_user_key(&self, alias: &str) -> bool {
        !self.user_keys.contains_key(alias)
    }

    /// Notes the keys that only the log knows.
    pub(super) fn add_deleted(
        &mut self,
        service_keys: &BTreeMap<String, (u64, String)>,
        user_keys: &BTreeMap<String, u64>,
    ) {
        for (identifier, (_, brief)) in service_keys {
            if self.lacks_service_key(identifier) && !identifier.is_empty() {
                self.deleted_service_keys.push((identifier.clone(), brief.clone()));
            }
        }
        for alias in user_keys.keys() {
            if self.lacks_user_key(alias) && !alias.is_empty() {
                self.deleted_user_keys.push(alias.clone());
            }
        }
    }
}

/// A table with log rows.
#[derive(Debug)]
pub(super) struct LogTable {
    name: String,
    columns: Vec<String>,
    /// Whether a broken migration has left it: what the other one has too is not read again.
    is_left: bool,
}

impl LogTable {
    pub(super) fn new(name: String, columns: &[String], is_left: bool) -> Self {
        Self { name, columns: columns.to_vec(), is_left }
    }

    /// A column as it stands in a query; NULL if the table has none of this name.
    pub(super) fn column(&self, name: &str) -> String {
        match self.columns.iter().any(|column| column == name) {
            true => format!("\"{name}\""),
            false => "NULL".to_owned(),
        }
    }

    /// The table in a query, with a condition.
    pub(super) fn source(&self) -> String {
        let name = &self.name;
        match self.is_left {
            true => format!(
                "(SELECT rowid AS place, * FROM \"{name}\" WHERE rowid NOT IN (SELECT rowid FROM request_logs))"
            ),
            false => format!("(SELECT rowid AS place, * FROM \"{name}\")"),
        }
    }

    /// The rows behind a place, in the order of places.
    fn page(&self) -> String {
        let columns = [
            "request_id",
            "request_time",
            "key_identifier",
            "auth_key_alias",
            "model_name",
            "is_success",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "error_type",
        ];
        let columns: Vec<String> = columns.iter().map(|name| self.column(name)).collect();
        format!(
            "SELECT place, {} FROM {} WHERE ?1 < place ORDER BY place LIMIT ?2",
            columns.join(", "),
            self.source()
        )
    }
}

/// The log, ready to be read.
#[derive(Debug)]
pub(super) struct OldLog {
    file: OldFile,
    tables: Vec<LogTable>,
    rows: u64,
    pub(super) whose: Whose,
}

impl OldLog {
    pub(super) fn new(file: OldFile, tables: Vec<LogTable>, rows: u64, whose: Whose) -> Self {
        Self { file, tables, rows, whose }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads it. `service_keys` and `user_keys` say by identifier and alias at which position of the
    /// import a key stands.
    pub(super) fn read(
        self,
        service_keys: HashMap<String, usize>,
        user_keys: HashMap<String, usize>,
        progress: Progress,
    ) -> LogRows {
        LogRows {
            file: self.file,
            tables: self.tables.into(),
            after: i64::MIN,
            page: VecDeque::new(),
            held: VecDeque::new(),
            requests: HashMap::new(),
            number: 0,
            newest_ms: i64::MIN,
            is_over: false,
            service_keys,
            user_keys,
            progress,
        }
    }
}

/// The rows of the log as ours are.
#[derive(Debug)]
pub(super) struct LogRows {
    file: OldFile,
    tables: VecDeque<LogTable>,
    /// The place of the last row that was read from the first of `tables`.
    after: i64,
    page: VecDeque<ImportedRow>,
    /// Rows that another one of their request may follow, with their numbers.
    held: VecDeque<(u64, ImportedRow)>,
    requests: HashMap<RequestId, Latest>,
    number: u64,
    newest_ms: i64,
    is_over: bool,
    service_keys: HashMap<String, usize>,
    user_keys: HashMap<String, usize>,
    progress: Progress,
}

/// The latest row of a request.
#[derive(Debug)]
struct Latest {
    number: u64,
    attempt: u16,
    ended_at_ms: i64,
}

impl Iterator for LogRows {
    type Item = Result<ImportedRow, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_over || HELD_MAX <= self.held.len() || self.is_first_old() {
                return self.release().map(Ok);
            }
            match self.read_one() {
                Ok(Some(row)) => self.hold(row),
                Ok(None) => self.is_over = true,
                Err(error) => {
                    // What is held does not matter any more: all of it or nothing.
                    self.is_over = true;
                    self.held.clear();
                    return Some(Err(Box::new(error)));
                }
            }
        }
    }
}

impl LogRows {
    fn is_first_old(&self) -> bool {
        let first = self.held.front();
        first.is_some_and(|(_, row)| row.row.ended_at_ms + REQUEST_MS_MAX < self.newest_ms)
    }

    fn hold(&mut self, mut row: ImportedRow) {
        let ended_at_ms = row.row.ended_at_ms;
        self.number += 1;
        let latest = self.requests.get(&row.row.request_id).filter(|latest| {
            latest.ended_at_ms.abs_diff(ended_at_ms) <= REQUEST_MS_MAX.unsigned_abs()
        });
        let attempt = latest.map_or(1, |latest| latest.attempt.saturating_add(1));
        row.row.attempt = attempt;
        let latest = Latest { number: self.number, attempt, ended_at_ms };
        if attempt == 1
            && let Some(former) = self.requests.get(&row.row.request_id)
        {
            // The same eight digits, hours apart: the former request is over.
            let number = former.number;
            let held = self.held.iter_mut().find(|(held, _)| *held == number);
            if let Some((_, held)) = held {
                held.row.is_final = true;
            }
        }
        self.requests.insert(row.row.request_id, latest);
        self.newest_ms = self.newest_ms.max(ended_at_ms);
        self.held.push_back((self.number, row));
    }

    fn release(&mut self) -> Option<ImportedRow> {
        let (number, mut row) = self.held.pop_front()?;
        let id = row.row.request_id;
        if self.requests.get(&id).is_some_and(|latest| latest.number == number) {
            self.requests.remove(&id);
            row.row.is_final = true;
        }
        Some(row)
    }

    fn read_one(&mut self) -> Result<Option<ImportedRow>, MoveError> {
        loop {
            if let Some(row) = self.page.pop_front() {
                return Ok(Some(row));
            }
            let Some(table) = self.tables.front() else {
                self.file.check_unchanged()?;
                return Ok(None);
            };
            let sql = table.page();
            if !self.read_page(&sql)? {
                self.tables.pop_front();
                self.after = i64::MIN;
            }
        }
    }

    /// Reads some rows; false if there are none left.
    fn read_page(&mut self, sql: &str) -> Result<bool, MoveError> {
        let mut statement = self.file.connection.prepare_cached(sql)?;
        let mut rows = statement.query((self.after, PAGE_ROWS))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            self.after = row.get(0)?;
            count += 1;
            match read_row(row, &self.service_keys, &self.user_keys)? {
                Some(row) => self.page.push_back(row),
                None => {
                    self.progress.0.unreadable.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.progress.0.done.fetch_add(count, Ordering::Relaxed);
        Ok(0 < count)
    }
}

/// A row as ours is, except for its number among the attempts; `None` if it says no time.
fn read_row(
    row: &rusqlite::Row<'_>,
    service_keys: &HashMap<String, usize>,
    user_keys: &HashMap<String, usize>,
) -> Result<Option<ImportedRow>, rusqlite::Error> {
    let text = |index: usize| Ok::<_, rusqlite::Error>(cells::text(row.get_ref(index)?));
    let count = |index: usize| Ok::<_, rusqlite::Error>(cells::count(row.get_ref(index)?));
    let time = cells::number(row.get_ref(2)?).and_then(cells::moment_ms);
    let Some(ended_at_ms) = time else {
        return Ok(None);
    };
    let is_success = cells::number(row.get_ref(6)?).is_some_and(|flag| flag != 0.0);
    let (error_kind, status) = match is_success {
        true => (None, Some(200)),
        false => failure(text(10)?.as_deref().unwrap_or_default()),
    };
    let model = text(5)?.filter(|model| !model.is_empty());
    Ok(Some(ImportedRow {
        service_key: text(3)?.and_then(|name| service_keys.get(&name).copied()),
        user_key: text(4)?.and_then(|name| user_keys.get(&name).copied()),
        row: LogRow {
            request_id: request_id(&text(1)?.unwrap_or_default()),
            ended_at_ms,
            user_key_id: None,
            service_key_id: None,
            model: model.unwrap_or_else(|| NO_MODEL.to_owned()),
            dialect: Cow::Borrowed(UNKNOWN),
            operation: Cow::Borrowed(UNKNOWN),
            is_stream: false,
            status,
            error_kind: error_kind.map(Cow::Borrowed),
            attempt: 1,
            is_final: false,
            tokens: Tokens {
                prompt: count(7)?,
                completion: count(8)?,
                total: count(9)?,
                ..Tokens::default()
            },
            first_byte_ms: None,
            duration_ms: 0,
            bytes_in: 0,
            bytes_out: 0,
            client: String::new(),
            frames: None,
        },
    }))
}

/// Ours for the predecessor's word, and the status that it tells.
fn failure(word: &str) -> (Option<&'static str>, Option<u16>) {
    let status = word.strip_prefix("other_http_error:").and_then(|code| code.trim().parse().ok());
    let kind = match (word, status) {
        (_, Some(400..=499)) => "bad_request",
        (_, Some(_)) | ("health_check_error", _) => "upstream_error",
        ("auth_error", _) => "key_invalid",
        ("rate_limit_error", _) => return (Some("rate_limited"), Some(429)),
        ("request_error", _) => "connect_error",
        ("use_timeout_error", _) => "first_byte_timeout",
        ("streaming_completion_error", _) => "stream_incomplete",
        ("unexpected_error", _) => "internal",
        _ => "unknown",
    };
    (Some(kind), status)
}

/// The predecessor's eight digits as the end of one of ours; of anything else its hash.
fn request_id(text: &str) -> RequestId {
    RequestId::parse(text).filter(|_| !text.is_empty()).unwrap_or_else(|| {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let [first, second, third, fourth, ..] = digest;
        RequestId(u32::from_be_bytes([first, second, third, fourth]).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_words_of_ours() {
        for (word, expected) in [
            ("auth_error", ("key_invalid", None)),
            ("rate_limit_error", ("rate_limited", Some(429))),
            ("other_http_error: 404", ("bad_request", Some(404))),
            ("other_http_error: 503", ("upstream_error", Some(503))),
            ("use_timeout_error", ("first_byte_timeout", None)),
            ("", ("unknown", None)),
            ("something else", ("unknown", None)),
        ] {
            assert_eq!(failure(word), (Some(expected.0), expected.1), "{word}");
        }
    }

    #[test]
    fn request_ids_stay_findable() {
        assert_eq!(request_id("7f36cb96"), RequestId(0x7f36_cb96));
        assert_eq!(request_id("no hex"), request_id("no hex"));
        assert_ne!(request_id(""), request_id("0"));
    }
}
