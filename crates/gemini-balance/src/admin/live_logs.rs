//! `/api/logs/sse`: the live log as server-sent events, the kept lines first.
//!
//! Always true: what is filtered out is not sent; a line is data and never more than one event.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use tracing::Level;
use utoipa::{OpenApi, ToSchema};

use crate::admin::access::Admin;
use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::Only;
use crate::admin::routes::{Routes, get};
use crate::admin::sse::{self, Form};
use crate::admin::values::Text;
use crate::app::App;
use crate::live::Line;

#[derive(OpenApi)]
#[openapi(paths(watch))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    let route = get("/api/logs/sse");
    routes
        .add(route, watch)
        .add(route.also("/api/realtime_logs"), watch)
        .add(route.also("/api/status/logs/sse"), watch)
}

/// Answers the live log as server-sent events: the kept lines, then each further one.
///
/// The event `lagged` says how many lines the watcher was too slow for, as `{"missed": 24}`.
#[utoipa::path(
    get, path = "/api/logs/sse", tag = "live log",
    params(
        LiveQuestion,
        ("last-event-id" = Option<u64>, Header, description = "Go on after this event; counts before the parameter"),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
        (status = 503, description = "Too many are watching", body = ErrorBody),
    ),
)]
async fn watch(
    admin: Admin,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Only(question): Only<LiveQuestion>,
) -> Result<Response, ApiError> {
    let LiveQuestion { format, level, q, last_event_id } = question;
    // A browser that reconnects repeats the address, so its header is the later word.
    let after_id = sse::last_seen(&headers).or(last_event_id);
    let subscription = app.live.subscribe(after_id)?;
    let level = level.map_or(Level::TRACE, Level::from);
    let lines = Lines { filter: Filter { level, text: q.into_inner() }, format };
    Ok(sse::response(app, admin, subscription, lines, String::new()))
}

/// What is to be seen, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveQuestion {
    /// The form of each line.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Lines at least this grave; all if absent.
    #[param(inline)]
    level: Option<LevelName>,
    /// Lines that contain exactly this text.
    #[serde(default)]
    #[param(inline)]
    q: Text<0, 200>,
    /// Goes on after this event, for clients that cannot send the header.
    last_event_id: Option<u64>,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// For people: `2026-11-22 20:46:48,435Z - INFO - message name=value`.
    #[default]
    Text,
    /// For programs: an object with `id`, `time_ms`, `level`, `target`, `message` and `fields`.
    Json,
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LevelName {
    #[serde(alias = "ERROR")]
    Error,
    #[serde(alias = "WARNING", alias = "warn", alias = "WARN")]
    Warning,
    #[serde(alias = "INFO")]
    Info,
    #[serde(alias = "DEBUG")]
    Debug,
    #[serde(alias = "TRACE")]
    Trace,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Error => Self::ERROR,
            LevelName::Warning => Self::WARN,
            LevelName::Info => Self::INFO,
            LevelName::Debug => Self::DEBUG,
            LevelName::Trace => Self::TRACE,
        }
    }
}

/// Which lines are shown.
#[derive(Debug)]
struct Filter {
    /// The least grave.
    level: Level,
    /// What they contain.
    text: String,
}

/// Lines as events.
#[derive(Debug)]
struct Lines {
    filter: Filter,
    format: Format,
}

impl Form for Lines {
    type Item = Line;

    fn write(&self, events: &mut String, line: &Line) {
        let rendered = line.rendered();
        if !self.filter.passes(line, &rendered) {
            return;
        }
        let data = match self.format {
            Format::Text => rendered,
            Format::Json => serde_json::to_string(line).unwrap_or_default(),
        };
        // Writing into a text cannot fail, and a line is always JSON.
        let _ = write!(events, "id: {}\ndata: {data}\n\n", line.id);
    }
}

impl Filter {
    fn passes(&self, line: &Line, rendered: &str) -> bool {
        line.level <= self.level && rendered.contains(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_one_event_with_its_id() {
        assert_eq!(
            shown(&line(), Level::TRACE, "", Format::Text),
            "id: 7\ndata: 2026-11-22 20:46:48,435Z - WARNING - key cools model=gemini\n\n"
        );
        assert_eq!(
            shown(&line(), Level::TRACE, "", Format::Json),
            "id: 7\ndata: {\"id\":7,\"time_ms\":1795380408435,\"level\":\"WARNING\",\
             \"target\":\"test\",\"message\":\"key cools\",\"fields\":{\"model\":\"gemini\"}}\n\n"
        );
    }

    #[test]
    fn only_lines_that_are_grave_enough_and_contain_the_text_are_shown() {
        for (level, text, is_shown) in [
            (Level::WARN, "", true),
            (Level::ERROR, "", false),
            (Level::INFO, "key cools", true),
            (Level::INFO, "model=gemini", true),
            (Level::INFO, "key.*", false),
            (Level::INFO, "Key", false),
        ] {
            let event = shown(&line(), level, text, Format::Text);

            assert_eq!(!event.is_empty(), is_shown, "{level} {text}");
        }
    }

    fn shown(line: &Line, level: Level, text: &str, format: Format) -> String {
        let mut events = String::new();
        let filter = Filter { level, text: text.to_owned() };
        Lines { filter, format }.write(&mut events, line);
        events
    }

    fn line() -> Line {
        Line {
            id: 7,
            time_ms: 1_795_380_408_435,
            level: Level::WARN,
            target: "test",
            message: "key cools".to_owned(),
            fields: vec![("model", json!("gemini"))],
        }
    }
}
