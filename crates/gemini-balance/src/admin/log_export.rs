//! `/api/request_logs/export`: the request log as a file.
//!
//! The file is made page by page as fast as it is taken, so its size costs no memory. Rows that are
//! written meanwhile are not in it. When the database fails in the middle, the answer breaks off.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::Both;
use crate::admin::pieces::{self, Pieces};
use crate::admin::request_logs::{LogQuestion, RequestLog, cursor};
use crate::admin::routes::{Routes, get};
use crate::app::App;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::log_pages::Cursor;

/// Rows of one piece.
const PIECE_ROWS: u32 = 500;
/// What makes a spreadsheet take a cell for a formula, or for a part of one.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// The columns of a CSV file, in the order of [`csv_row`].
const CSV_HEADER: &str = "id,request_id,request_time,key_identifier,auth_key_alias,model_name,\
    is_success,prompt_tokens,completion_tokens,total_tokens,error_type,key_brief,status,attempt,\
    is_final,is_stream,dialect,operation,cached_tokens,thinking_tokens,first_byte_ms,duration_ms,\
    bytes_in,bytes_out,user_key_id,service_key_id,client,frames\r\n";

#[derive(OpenApi)]
#[openapi(paths(export))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/request_logs/export"), export)
}

/// Answers attempts as a file, newest first.
#[utoipa::path(
    get, path = "/api/request_logs/export", tag = "request logs",
    params(LogQuestion, FileQuestion),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/csv"),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn export(
    State(app): State<Arc<App>>,
    Both(question, file): Both<LogQuestion, FileQuestion>,
) -> Result<Response, ApiError> {
    let FileQuestion { format, limit, cursor } = file;
    let mut export = Export {
        store: app.store.clone(),
        question,
        format,
        missing: limit.unwrap_or(u64::MAX),
        place: Place::At(cursor),
        ready: format.header().to_owned(),
    };
    // Before anything is answered, so that a database that fails from the start has its status.
    let first = export.rows().await?;
    export.ready.push_str(&first);
    let headers = [
        (CONTENT_TYPE, format.content_type()),
        (CONTENT_DISPOSITION, format.content_disposition()),
    ];
    Ok((headers, pieces::body(export)).into_response())
}

/// How the file is to be.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct FileQuestion {
    /// The kind of file.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Rows at most; all of them if absent.
    limit: Option<u64>,
    /// Goes on where the page that answered this `next_cursor` ended.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A table for spreadsheets, with a header.
    #[default]
    Csv,
    /// One JSON object per line.
    Jsonl,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/x-ndjson",
        }
    }

    fn content_disposition(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"request_logs.csv\"",
            Self::Jsonl => "attachment; filename=\"request_logs.jsonl\"",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Self::Csv => CSV_HEADER,
            Self::Jsonl => "",
        }
    }

    fn write(self, row: RequestLog, file: &mut String) {
        match self {
            Self::Csv => csv_row(row, file),
            Self::Jsonl => {
                // Fails only for maps with keys that are no texts.
                file.push_str(&serde_json::to_string(&row).unwrap_or_default());
                file.push('\n');
            }
        }
    }
}

/// A file in the making.
#[derive(Debug)]
struct Export {
    store: Store,
    question: LogQuestion,
    format: Format,
    /// Rows that may still be written.
    missing: u64,
    place: Place,
    /// The beginning of the file, until it is taken.
    ready: String,
}

/// Where the next rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// From here on; from the newest on if absent.
    At(Option<Cursor>),
    /// Nowhere.
    End,
}

impl Export {
    /// The next rows as text; empty at the end, and where a search has found nothing yet.
    async fn rows(&mut self) -> Result<String, StoreError> {
        let Place::At(cursor) = self.place else {
            return Ok(String::new());
        };
        let limit = u32::try_from(self.missing).map_or(PIECE_ROWS, |rows| rows.min(PIECE_ROWS));
        let page = self.question.page(&self.store, cursor, limit).await?;
        self.missing = self.missing.saturating_sub(page.rows.len() as u64);
        self.place = match page.next {
            Some(cursor) if 0 < self.missing => Place::At(Some(cursor)),
            Some(_) | None => Place::End,
        };
        let mut text = String::new();
        for row in page.rows {
            self.format.write(row.into(), &mut text);
        }
        Ok(text)
    }
}

impl Pieces for Export {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let mut text = std::mem::take(&mut self.ready);
        while text.is_empty() && self.place != Place::End {
            text = match self.rows().await {
                Ok(text) => text,
                Err(error) => {
                    tracing::warn!(%error, "an export of the request log breaks off");
                    return Some(Err(error));
                }
            };
        }
        (!text.is_empty()).then(|| Ok(Bytes::from(text)))
    }
}

/// Writes a row of a CSV file, as RFC 4180 has it.
fn csv_row(row: RequestLog, file: &mut String) {
    let RequestLog { id, request_id, request_time, is_success, attempt, is_final, .. } = row;
    let RequestLog { is_stream, duration_ms, bytes_in, bytes_out, .. } = row;
    let cells = [
        id.to_string(),
        request_id,
        request_time,
        shown(row.key_identifier),
        text(row.auth_key_alias),
        text(Some(row.model_name)),
        is_success.to_string(),
        shown(row.prompt_tokens),
        shown(row.completion_tokens),
        shown(row.total_tokens),
        text(row.error_type),
        text(row.key_brief),
        shown(row.status),
        attempt.to_string(),
        is_final.to_string(),
        is_stream.to_string(),
        text(Some(row.dialect)),
        text(Some(row.operation)),
        shown(row.cached_tokens),
        shown(row.thinking_tokens),
        shown(row.first_byte_ms),
        duration_ms.to_string(),
        bytes_in.to_string(),
        bytes_out.to_string(),
        shown(row.user_key_id),
        shown(row.service_key_id),
        text(row.client),
        shown(row.frames),
    ];
    file.push_str(&cells.join(","));
    file.push_str("\r\n");
}

/// A value that can hold nothing but letters, digits and underscores.
fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A text from outside: no formula to a spreadsheet, and one cell whatever is in it.
fn text(value: Option<String>) -> String {
    let mut value = value.unwrap_or_default();
    if value.starts_with(FORMULA_STARTS) {
        value.insert(0, '\'');
    }
    match value.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_from_outside_is_never_a_formula_and_never_two_cells() {
        for (value, cell) in [
            ("gemini-2.5-flash", "gemini-2.5-flash"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("one\ntwo", "\"one\ntwo\""),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(text(Some(value.to_owned())), cell, "{value:?}");
        }
    }
}
