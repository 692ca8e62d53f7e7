//! `/api/request_logs`: the request log, filtered and paged, and one request with its attempts.
//!
//! Under filters of time alone the list has the predecessor's shape: a page by its number and an
//! exact total. Under others, or from a cursor on, a page costs the same however far back it lies,
//! and the total is not counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Name;
use crate::admin::moment::{QueryMoment, written};
use crate::admin::parameters::Both;
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, get};
use crate::admin::time_range::{Range, Top};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::random::RequestId;
use crate::store::Store;
use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::log_pages::{Cursor, KnownValues, LogEntry, LogFilter, LogPage};
use crate::store::value_counts::LogValueCounts;

#[derive(OpenApi)]
#[openapi(paths(list, one, values, counts))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/request_logs"), list)
        .add(get("/api/request_logs/values"), values)
        .add(get("/api/request_logs/counts"), counts)
        .add(get("/api/request_logs/{request_id}"), one)
}

/// Lists attempts, newest first.
#[utoipa::path(
    get, path = "/api/request_logs", tag = "request logs",
    params(LogQuestion, PageQuestion),
    responses(
        (status = 200, description = "Some attempts", body = RequestLogs),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn list(
    State(app): State<Arc<App>>,
    Both(question, page): Both<LogQuestion, PageQuestion>,
) -> Result<Json<RequestLogs>, ApiError> {
    let limit = page.limit.get();
    let logs = match page.place(&question)? {
        Place::Offset(offset) => {
            let slice = app.store.log_slice(question.range(), offset, limit).await?;
            let seen = offset.saturating_add(slice.rows.len() as u64);
            let last = slice.rows.last().filter(|_| seen < slice.total);
            RequestLogs {
                next_cursor: last.map(|last| Cursor::below(last).to_string()),
                logs: slice.rows.into_iter().map(RequestLog::from).collect(),
                request_time_range: slice.log_time_ms.map(written_range),
                total: Some(slice.total),
            }
        }
        Place::Newest => {
            let whole = app.store.log_slice(TimeRange::ALL, 0, 0).await?;
            let page = question.page(&app.store, None, limit).await?;
            RequestLogs {
                request_time_range: whole.log_time_ms.map(written_range),
                ..RequestLogs::from(page)
            }
        }
        Place::Cursor(cursor) => question.page(&app.store, Some(cursor), limit).await?.into(),
    };
    Ok(Json(logs))
}

/// Answers one request with all its attempts, in their order.
#[utoipa::path(
    get, path = "/api/request_logs/{request_id}", tag = "request logs",
    params(("request_id" = String, Path, description = "Up to 32 hexadecimal digits")),
    responses(
        (status = 200, description = "The request", body = OneRequest),
        (status = 404, description = "The log does not have it", body = ErrorBody),
    ),
)]
async fn one(State(app): State<Arc<App>>, Name(name): Name) -> Result<Json<OneRequest>, ApiError> {
    let unknown = || ApiError::NotFound("This request is not in the log.");
    let request_id = RequestId::parse(&name).ok_or_else(unknown)?;
    let rows = app.store.request(request_id).await?;
    if rows.is_empty() {
        return Err(unknown());
    }
    let attempts = rows.into_iter().map(RequestLog::from).collect();
    Ok(Json(OneRequest { request_id: request_id.to_string(), attempts }))
}

/// Lists what the log knows, to choose filters from.
#[utoipa::path(
    get, path = "/api/request_logs/values", tag = "request logs",
    responses((status = 200, description = "The known values", body = KnownValues)),
)]
async fn values(State(app): State<Arc<App>>) -> Result<Json<KnownValues>, ApiError> {
    Ok(Json(app.store.known_values().await?))
}

/// Counts the values that filters can be made of, in a range of time. Only sums are read, so that
/// it does not matter how many rows there are.
#[utoipa::path(
    get, path = "/api/request_logs/counts", operation_id = "count_log_values", tag = "request logs", params(Range, Top),
    responses(
        (status = 200, description = "The values, most frequent first", body = LogValueCounts),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn counts(
    State(app): State<Arc<App>>,
    Both(range, top): Both<Range, Top>,
) -> Result<Json<LogValueCounts>, ApiError> {
    Ok(Json(app.store.log_value_counts(range.since(&app)?, top.limit()).await?))
}

/// Which attempts; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuestion {
    /// Ended at this time or later: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970.
    #[param(value_type = Option<String>)]
    request_time_start: Option<QueryMoment>,
    /// Ended at this time or earlier, in the same forms.
    #[param(value_type = Option<String>)]
    request_time_end: Option<QueryMoment>,
    /// By this user key.
    user_key_id: Option<i64>,
    /// With this service key.
    service_key_id: Option<i64>,
    /// With the service key of this identifier.
    key_identifier: Option<String>,
    /// For exactly this model.
    model_name: Option<String>,
    /// Successes only, or failures only.
    is_success: Option<bool>,
    /// With this HTTP status.
    #[param(inline)]
    status: Option<Bounded<100, 599>>,
    /// With exactly this kind of error.
    error_type: Option<String>,
    /// Streams only, or whole answers only.
    is_stream: Option<bool>,
    /// The last attempts of requests only, or the others only.
    is_final: Option<bool>,
    /// Of this request, in up to 32 hexadecimal digits.
    #[serde(default, deserialize_with = "request_id")]
    #[param(value_type = Option<String>)]
    request_id: Option<RequestId>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuestion {
    /// Rows at most.
    #[serde(default = "default_limit")]
    #[param(value_type = u32, minimum = 1, maximum = 1000, default = 100)]
    limit: Bounded<1, 1000>,
    /// Rows to skip. Only beside filters of time; follow `next_cursor` otherwise.
    #[serde(default)]
    offset: u64,
    /// Goes on where the page that answered this `next_cursor` ended.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Some attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestLogs {
    /// The attempts, newest first.
    logs: Vec<RequestLog>,
    /// When the oldest and the newest attempt of the whole log ended; null from a cursor on.
    #[schema(value_type = Option<Vec<String>>, min_items = 2, max_items = 2)]
    request_time_range: Option<[String; 2]>,
    /// Attempts in the range of time; null beside other filters and from a cursor on.
    total: Option<u64>,
    /// Where to go on; null at the end. Rare combinations of filters are searched for in steps:
    /// then a page may hold fewer rows than asked for, or none, and still not be the last.
    next_cursor: Option<String>,
}

impl From<LogPage> for RequestLogs {
    fn from(page: LogPage) -> Self {
        Self {
            logs: page.rows.into_iter().map(RequestLog::from).collect(),
            request_time_range: None,
            total: None,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

/// One request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OneRequest {
    /// Names it, in 32 hexadecimal digits.
    request_id: String,
    /// Its attempts, in their order.
    attempts: Vec<RequestLog>,
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestLog {
    /// Names the row.
    pub(super) id: i64,
    /// Shared by all attempts of one request.
    pub(super) request_id: String,
    /// When the attempt ended: what the list is ordered and filtered by. It began `duration_ms` before.
    pub(super) request_time: String,
    /// The identifier of the service key, also when it is deleted.
    pub(super) key_identifier: Option<String>,
    /// The name of the user key, also when it is deleted.
    pub(super) auth_key_alias: Option<String>,
    /// The model that was asked for.
    pub(super) model_name: String,
    /// Whether the attempt succeeded.
    pub(super) is_success: bool,
    /// Tokens of the question.
    pub(super) prompt_tokens: Option<u32>,
    /// Tokens of the answer.
    pub(super) completion_tokens: Option<u32>,
    /// All tokens.
    pub(super) total_tokens: Option<u32>,
    /// What went wrong.
    pub(super) error_type: Option<String>,
    /// What people see of the service key, also when it is deleted.
    pub(super) key_brief: Option<String>,
    /// The HTTP status, if there was one.
    pub(super) status: Option<u16>,
    /// The number of the attempt in its request, from 1 on.
    pub(super) attempt: u16,
    /// Whether this was the last attempt of its request.
    pub(super) is_final: bool,
    /// Whether the answer was asked for as a stream.
    pub(super) is_stream: bool,
    /// The caller's protocol.
    pub(super) dialect: String,
    /// What was asked of the model.
    pub(super) operation: String,
    /// Tokens of the question that the upstream knew already.
    pub(super) cached_tokens: Option<u32>,
    /// Tokens of thinking.
    pub(super) thinking_tokens: Option<u32>,
    /// Time to the first byte of the answer.
    pub(super) first_byte_ms: Option<u32>,
    /// Time to the end.
    pub(super) duration_ms: u32,
    /// Size of the question's body.
    pub(super) bytes_in: u64,
    /// Size of the answer's body.
    pub(super) bytes_out: u64,
    /// Frames of a Live session, in both directions; nothing for all else.
    pub(super) frames: Option<u64>,
    /// Who asked.
    pub(super) user_key_id: Option<i64>,
    /// The key that was tried.
    pub(super) service_key_id: Option<i64>,
    /// What the caller's program says it is (`User-Agent`).
    pub(super) client: Option<String>,
}

impl From<LogEntry> for RequestLog {
    fn from(entry: LogEntry) -> Self {
        Self {
            id: entry.id,
            request_id: entry.request_id.to_string(),
            request_time: written(entry.ended_at_ms),
            key_identifier: entry.key_identifier,
            auth_key_alias: entry.user_key_name,
            model_name: entry.model,
            is_success: entry.is_success,
            prompt_tokens: entry.tokens.prompt,
            completion_tokens: entry.tokens.completion,
            total_tokens: entry.tokens.total,
            error_type: entry.error_kind,
            key_brief: entry.key_brief,
            status: entry.status,
            attempt: entry.attempt,
            is_final: entry.is_final,
            is_stream: entry.is_stream,
            dialect: entry.dialect,
            operation: entry.operation,
            cached_tokens: entry.tokens.cached,
            thinking_tokens: entry.tokens.thinking,
            first_byte_ms: entry.first_byte_ms,
            duration_ms: entry.duration_ms,
            bytes_in: entry.bytes_in,
            bytes_out: entry.bytes_out,
            frames: entry.frames,
            user_key_id: entry.user_key_id,
            service_key_id: entry.service_key_id,
            client: entry.client,
        }
    }
}

impl LogQuestion {
    /// Up to `limit` rows from `cursor` on, or fewer when they are hard to find.
    ///
    /// # Errors
    ///
    /// As any read of the store.
    pub(super) async fn page(
        &self,
        store: &Store,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        match self.filter(store).await? {
            Some(filter) => store.log_page(filter, cursor, limit).await,
            None => Ok(LogPage { rows: Vec::new(), next: None }),
        }
    }

    /// What the store is asked; `None` if nothing can pass.
    async fn filter(&self, store: &Store) -> Result<Option<LogFilter>, StoreError> {
        let mut service_key_id = self.service_key_id;
        if let Some(key_identifier) = &self.key_identifier {
            let Some(id) = store.service_key_id(key_identifier.clone()).await? else {
                return Ok(None);
            };
            if service_key_id.is_some_and(|asked| asked != id) {
                return Ok(None);
            }
            service_key_id = Some(id);
        }
        Ok(Some(LogFilter {
            range: self.range(),
            user_key_id: self.user_key_id,
            service_key_id,
            model: self.model_name.clone(),
            is_success: self.is_success,
            status: self.status.and_then(|status| u16::try_from(status.get()).ok()),
            error_kind: self.error_type.clone(),
            is_stream: self.is_stream,
            is_final: self.is_final,
            request_id: self.request_id,
        }))
    }

    /// The range of time, with its last ms in it.
    fn range(&self) -> TimeRange {
        let TimeRange { start_ms, end_ms } = TimeRange::ALL;
        TimeRange {
            start_ms: self.request_time_start.map_or(start_ms, |start| start.ms),
            end_ms: self.request_time_end.map_or(end_ms, |end| end.ms + 1),
        }
    }

    fn is_only_of_time(&self) -> bool {
        let Self { request_time_start, request_time_end, .. } = *self;
        *self == Self { request_time_start, request_time_end, ..Self::default() }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After so many rows of a range of time.
    Offset(u64),
    /// With the newest row that passes.
    Newest,
    /// Where another page ended.
    Cursor(Cursor),
}

impl PageQuestion {
    fn place(&self, question: &LogQuestion) -> Result<Place, ApiError> {
        match (self.cursor, self.offset) {
            (None, offset) if question.is_only_of_time() => Ok(Place::Offset(offset)),
            (None, 0) => Ok(Place::Newest),
            (Some(cursor), 0) => Ok(Place::Cursor(cursor)),
            _ => {
                let words = "only beside filters of time; follow next_cursor instead";
                Err(ApiError::Invalid(vec![Problem::value(Part::Query, "offset", words)]))
            }
        }
    }
}

fn default_limit() -> Bounded<1, 1000> {
    Bounded::nearest(100)
}

fn request_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RequestId>, D::Error> {
    let read = RequestId::parse(&String::deserialize(deserializer)?);
    let words = "Input should be up to 32 hexadecimal digits";
    read.map(Some).ok_or_else(|| serde::de::Error::custom(words))
}

/// Reads a `next_cursor`.
pub(super) fn cursor<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cursor>, D::Error> {
    let read = Cursor::parse(&String::deserialize(deserializer)?);
    read.map(Some).ok_or_else(|| serde::de::Error::custom("Input should be a next_cursor"))
}

fn written_range((oldest_ms, newest_ms): (i64, i64)) -> [String; 2] {
    [written(oldest_ms), written(newest_ms)]
}
