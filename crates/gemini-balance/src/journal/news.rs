//! Requests that have ended, told as events to whoever has a page open.
//!
//! A row is told when it is in the database, so that it can be looked up at once. One event for a
//! batch, with a few of its requests and the sums of all: ten a second at most, however many end.

use serde::Serialize;
use utoipa::ToSchema;

use crate::events::{Events, Topic};
use crate::log_row::LogRow;
use crate::moment::Moment;

/// Requests of a batch that are told one by one.
const REQUESTS_MAX: usize = 8;

/// Requests that have ended; the data of the event `requests`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequestsNews {
    /// How many.
    ended: u64,
    /// How many of them failed.
    failed: u64,
    /// The tokens that they and their attempts have cost.
    total_tokens: u64,
    /// The last eight of them, oldest first.
    requests: Vec<RequestNews>,
}

/// A request that has ended.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequestNews {
    /// Names it in the log.
    request_id: String,
    /// When it ended.
    ended_at: Moment,
    /// Who asked.
    user_key_id: Option<i64>,
    /// The key that was tried last.
    service_key_id: Option<i64>,
    /// The model that was asked for.
    model: String,
    /// The caller's protocol.
    dialect: String,
    /// Whether the answer was asked for as a stream.
    is_stream: bool,
    /// Whether it succeeded.
    is_success: bool,
    /// The HTTP status.
    status: Option<u16>,
    /// What went wrong.
    error_kind: Option<String>,
    /// Its attempts.
    attempts: u16,
    /// Time to the first byte of the last attempt.
    first_byte_ms: Option<u32>,
    /// Time to the end of the last attempt.
    duration_ms: u32,
    /// What it cost.
    total_tokens: Option<u32>,
}

/// Tells a batch of rows.
pub(super) fn tell(events: &Events, rows: &[LogRow]) {
    let news = RequestsNews::of(rows);
    if 0 < news.ended {
        events.tell(Topic::Requests, &news);
    }
}

impl RequestsNews {
    fn of(rows: &[LogRow]) -> Self {
        let ended = || rows.iter().filter(|row| row.is_final);
        let tokens = rows.iter().filter_map(|row| row.tokens.total);
        let count = ended().count();
        let told = ended().skip(count.saturating_sub(REQUESTS_MAX));
        Self {
            ended: count as u64,
            failed: ended().filter(|row| !row.is_success()).count() as u64,
            total_tokens: tokens.map(u64::from).sum(),
            requests: told.map(RequestNews::from).collect(),
        }
    }
}

impl From<&LogRow> for RequestNews {
    fn from(row: &LogRow) -> Self {
        Self {
            request_id: row.request_id.to_string(),
            ended_at: Moment::from_ms(row.ended_at_ms),
            user_key_id: row.user_key_id,
            service_key_id: row.service_key_id,
            model: row.model.clone(),
            dialect: row.dialect.to_string(),
            is_stream: row.is_stream,
            is_success: row.is_success(),
            status: row.status,
            error_kind: row.error_kind.as_ref().map(ToString::to_string),
            attempts: row.attempt,
            first_byte_ms: row.first_byte_ms,
            duration_ms: row.duration_ms,
            total_tokens: row.tokens.total,
        }
    }
}
