//! Pages of the request log, newest first, under any filter; and one request with its attempts.
//!
//! Always true: a page costs the same however many rows there are; what comes from outside reaches SQL only as a bound
//! value and is compared literally.

use std::fmt;
use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::log_row::Tokens;
use crate::random::RequestId;
use crate::store::Store;
use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::log_sources::{Condition, End, Part, search};
use crate::store::meta::unsigned;
use crate::store::request_logs::{first_id, time_ms};
use crate::store::words::Kind;

/// Rows of one page.
pub const PAGE_ROWS_MAX: u32 = 1_000;

/// Which rows are asked for: those that satisfy all that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// When the attempt ended.
    pub range: TimeRange,
    /// Who asked.
    pub user_key_id: Option<i64>,
    /// The key that was tried.
    pub service_key_id: Option<i64>,
    /// The model, in full.
    pub model: Option<String>,
    /// Whether it succeeded.
    pub is_success: Option<bool>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// What went wrong, in full.
    pub error_kind: Option<String>,
    /// Whether the answer was asked for as a stream.
    pub is_stream: Option<bool>,
    /// Whether it was the last attempt of its request.
    pub is_final: Option<bool>,
    /// The request.
    pub request_id: Option<RequestId>,
}

impl LogFilter {
    /// Every row.
    pub const ALL: Self = Self {
        range: TimeRange::ALL,
        user_key_id: None,
        service_key_id: None,
        model: None,
        is_success: None,
        status: None,
        error_kind: None,
        is_stream: None,
        is_final: None,
        request_id: None,
    };
}

/// Where a page ended; the next one goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The id below which to go on, counted from the lowest there can be.
    above_lowest: i64,
}

impl Cursor {
    /// Reads what [`Cursor`]'s `Display` wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let above_lowest = i64::from_str_radix(text, 16).ok()?;
        let cursor = Self { above_lowest };
        (0 <= above_lowest && cursor.to_string() == text).then_some(cursor)
    }

    /// Where a page that ends with `entry` goes on.
    #[must_use]
    pub fn below(entry: &LogEntry) -> Self {
        Self::before(entry.id)
    }

    fn before(id: i64) -> Self {
        Self { above_lowest: id - first_id(0) }
    }

    fn id(self) -> i64 {
        self.above_lowest.saturating_add(first_id(0))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.above_lowest)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Some rows in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogPage {
    /// The rows, newest first.
    pub rows: Vec<LogEntry>,
    /// Where to go on, if there may be more. A rare combination of filters is searched in steps: then a page may hold
    /// fewer rows than asked for, or none, and still not be the last.
    pub next: Option<Cursor>,
}

/// One attempt, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Names the row; exact in JavaScript.
    pub id: i64,
    /// Shared by all attempts of one request.
    pub request_id: RequestId,
    /// When the attempt ended, in ms since the epoch: rows are in this order.
    pub ended_at_ms: i64,
    /// When the attempt began, in ms since the epoch.
    pub started_at_ms: i64,
    /// Who asked.
    pub user_key_id: Option<i64>,
    /// The name of the user key, also when it is deleted.
    pub user_key_name: Option<String>,
    /// The key that was tried.
    pub service_key_id: Option<i64>,
    /// The identifier of the service key, also when it is deleted.
    pub key_identifier: Option<String>,
    /// What people see of the service key, also when it is deleted.
    pub key_brief: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// The caller's protocol.
    pub dialect: String,
    /// What was asked of the model.
    pub operation: String,
    /// Whether the answer was asked for as a stream.
    pub is_stream: bool,
    /// Whether the attempt succeeded.
    pub is_success: bool,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error_kind: Option<String>,
    /// The number of the attempt in its request, from 1 on.
    pub attempt: u16,
    /// Whether this was the last attempt of its request.
    pub is_final: bool,
    /// What it cost.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Time to the first byte of the answer.
    pub first_byte_ms: Option<u32>,
    /// Time to the end.
    pub duration_ms: u32,
    /// Size of the question's body.
    pub bytes_in: u64,
    /// Size of the answer's body.
    pub bytes_out: u64,
    /// What the caller's program says it is.
    pub client: Option<String>,
    /// Frames of a Live session, in both directions; `None` for all else.
    pub frames: Option<u64>,
}

/// What the log knows, to choose a filter from. Each list in the order of the alphabet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct KnownValues {
    /// Models that were asked for.
    pub models: Vec<String>,
    /// Kinds of errors that occurred.
    pub error_kinds: Vec<String>,
    /// What was asked of models.
    pub operations: Vec<String>,
    /// Protocols of callers.
    pub dialects: Vec<String>,
    /// HTTP statuses that occurred.
    pub statuses: Vec<u16>,
}

impl Store {
    /// Up to `limit` rows (at most [`PAGE_ROWS_MAX`]) that pass `filter`, newest first, from `cursor` on.
    ///
    /// # Errors
    /// As any read.
    pub async fn log_page(
        &self,
        filter: LogFilter,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        self.read(move |connection| page(connection, &filter, cursor, limit)).await
    }

    /// The attempts of one request, in their order; empty if the log does not have it.
    ///
    /// # Errors
    /// As any read.
    pub async fn request(&self, request_id: RequestId) -> Result<Vec<LogEntry>, StoreError> {
        let filter = LogFilter { request_id: Some(request_id), ..LogFilter::ALL };
        let mut rows = self.log_page(filter, None, PAGE_ROWS_MAX).await?.rows;
        rows.sort_by_key(|row| (row.attempt, row.id));
        Ok(rows)
    }

    /// What the log knows, to choose a filter from.
    ///
    /// # Errors
    /// As any read.
    pub async fn known_values(&self) -> Result<KnownValues, StoreError> {
        self.read(|connection| {
            let words = |kind: Kind| -> Result<Vec<String>, StoreError> {
                let mut statement = connection
                    .prepare_cached("SELECT text FROM words WHERE kind = ?1 ORDER BY text")?;
                let words = statement.query_map([kind as i64], |row| row.get(0))?;
                Ok(words.collect::<Result<_, _>>()?)
            };
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT status FROM outcomes WHERE status IS NOT NULL ORDER BY status",
            )?;
            let statuses = statement.query_map([], |row| row.get(0))?;
            Ok(KnownValues {
                models: words(Kind::Model)?,
                error_kinds: words(Kind::Error)?,
                operations: words(Kind::Operation)?,
                dialects: words(Kind::Dialect)?,
                statuses: statuses.collect::<Result<_, _>>()?,
            })
        })
        .await
    }
}

/// The row of each id that still exists, in the order of `ids`.
pub(super) fn entries(connection: &Connection, ids: &[i64]) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT l.id, l.request_id, l.user_key_id, u.name, l.service_key_id, s.key_identifier,
                s.brief, m.text, d.text, op.text, o.is_stream, o.status, e.text, l.attempt,
                l.is_final, l.prompt_tokens, l.completion_tokens, l.cached_tokens,
                l.thinking_tokens, l.total_tokens, l.first_byte_ms, l.duration_ms, l.bytes_in,
                l.bytes_out, c.text, l.frames
         FROM request_logs l
         JOIN outcomes o ON o.id = l.outcome_id
         JOIN words m ON m.id = o.model
         JOIN words d ON d.id = o.dialect
         JOIN words op ON op.id = o.operation
         LEFT JOIN words e ON e.id = o.error_kind
         LEFT JOIN words c ON c.id = l.client
         LEFT JOIN user_keys u ON u.id = l.user_key_id
         LEFT JOIN service_keys s ON s.id = l.service_key_id
         WHERE l.id = ?1",
    )?;
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        entries.extend(statement.query_row([id], entry).optional()?);
    }
    Ok(entries)
}

fn page(
    connection: &Connection,
    filter: &LogFilter,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<LogPage, StoreError> {
    let range = filter.range.clamped();
    let end = cursor.map_or(i64::MAX, Cursor::id).min(first_id(range.end_ms));
    let limit = usize::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or_default();
    let start = first_id(range.start_ms);
    let mut conditions = conditions(connection, filter, start)?;
    // One more than asked for tells whether this page is the last.
    let (mut ids, end) = search(&mut conditions, (start, end), limit + 1)?;
    let next = match end {
        _ if limit < ids.len() => ids.get(limit).map(|id| Cursor::before(id + 1)),
        End::Before(id) => Some(Cursor::before(id)),
        End::Exhausted => None,
    };
    ids.truncate(limit);
    Ok(LogPage { rows: entries(connection, &ids)?, next })
}

/// The conditions of a filter, for a search that does not go below the id `start`.
fn conditions<'c>(
    connection: &'c Connection,
    filter: &LogFilter,
    start: i64,
) -> Result<Vec<Condition<'c>>, StoreError> {
    let mut conditions = Vec::new();
    let is_in_parts = filter.request_id.is_some() || filter.service_key_id.is_some();
    let parts = if is_in_parts { Part::all(connection, start)? } else { Rc::default() };
    if let Some(request_id) = filter.request_id {
        let sql = "SELECT id FROM request_logs
                   WHERE part = ?4 AND substr(request_id, -4) = substr(?1, -4)
                       AND request_id = ?1 AND id <= ?2
                   ORDER BY id DESC LIMIT ?3";
        let value = Value::Blob(request_id.0.to_be_bytes().to_vec());
        conditions.push(Condition::in_parts(connection, sql, value, &parts)?);
    }
    if let Some(id) = filter.user_key_id {
        let sql = "SELECT id FROM request_logs WHERE user_key_id = ?1 AND id <= ?2
                   ORDER BY id DESC LIMIT ?3";
        conditions.push(Condition::new(connection, sql, [Value::Integer(id)])?);
    }
    if let Some(id) = filter.service_key_id {
        let sql = "SELECT id FROM request_logs
                   WHERE part = ?4 AND service_key_id = ?1 AND id <= ?2
                   ORDER BY id DESC LIMIT ?3";
        conditions.push(Condition::in_parts(connection, sql, Value::Integer(id), &parts)?);
    }
    if let Some(outcomes) = outcomes(connection, filter)? {
        let sql = "SELECT id FROM request_logs WHERE outcome_id = ?1 AND id <= ?2
                   ORDER BY id DESC LIMIT ?3";
        conditions.push(Condition::new(connection, sql, outcomes.into_iter().map(Value::Integer))?);
    }
    if filter.is_final == Some(false) {
        let sql = "SELECT id FROM request_logs WHERE ?1 AND is_final = 0 AND id <= ?2
                   ORDER BY id DESC LIMIT ?3";
        conditions.push(Condition::new(connection, sql, [Value::Integer(1)])?);
    }
    if filter.is_final == Some(true) {
        // No index: of the few attempts of each request one is the last.
        let sql = "SELECT id FROM request_logs WHERE ?1 AND is_final = 1 AND id <= ?2
                   ORDER BY id DESC LIMIT ?3";
        conditions.push(Condition::new(connection, sql, [Value::Integer(1)])?);
    }
    if conditions.is_empty() {
        let sql = "SELECT id FROM request_logs WHERE ?1 AND id <= ?2 ORDER BY id DESC LIMIT ?3";
        conditions.push(Condition::new(connection, sql, [Value::Integer(1)])?);
    }
    Ok(conditions)
}

/// The outcomes that pass the filter; `None` if it asks for nothing of them.
fn outcomes(connection: &Connection, filter: &LogFilter) -> Result<Option<Vec<i64>>, StoreError> {
    let LogFilter { model, is_success, status, error_kind, is_stream, .. } = filter;
    if model.is_none()
        && error_kind.is_none()
        && (is_success, status, is_stream) == (&None, &None, &None)
    {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT o.id
         FROM outcomes o JOIN words m ON m.id = o.model LEFT JOIN words e ON e.id = o.error_kind
         WHERE (?1 IS NULL OR (o.error_kind IS NULL) = ?1)
           AND (?2 IS NULL OR o.status = ?2)
           AND (?3 IS NULL OR e.text = ?3)
           AND (?4 IS NULL OR o.is_stream = ?4)
           AND (?5 IS NULL OR m.text = ?5)",
    )?;
    let parameters = (is_success, status, error_kind, is_stream, model);
    let ids = statement.query_map(parameters, |row| row.get(0))?;
    Ok(Some(ids.collect::<Result<_, _>>()?))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    let id = row.get(0)?;
    let duration_ms = row.get(21)?;
    let error_kind: Option<String> = row.get(12)?;
    Ok(LogEntry {
        id,
        request_id: RequestId(u128::from_be_bytes(row.get(1)?)),
        ended_at_ms: time_ms(id),
        started_at_ms: time_ms(id) - i64::from(duration_ms),
        user_key_id: row.get(2)?,
        user_key_name: row.get(3)?,
        service_key_id: row.get(4)?,
        key_identifier: row.get(5)?,
        key_brief: row.get(6)?,
        model: row.get(7)?,
        dialect: row.get(8)?,
        operation: row.get(9)?,
        is_stream: row.get(10)?,
        is_success: error_kind.is_none(),
        status: row.get(11)?,
        error_kind,
        attempt: row.get(13)?,
        is_final: row.get(14)?,
        tokens: Tokens {
            prompt: row.get(15)?,
            completion: row.get(16)?,
            cached: row.get(17)?,
            thinking: row.get(18)?,
            total: row.get(19)?,
        },
        first_byte_ms: row.get(20)?,
        duration_ms,
        bytes_in: unsigned(row, 22)?,
        bytes_out: unsigned(row, 23)?,
        client: row.get(24)?,
        frames: row.get::<_, Option<i64>>(25)?.map(i64::cast_unsigned),
    })
}
