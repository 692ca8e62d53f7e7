//! `/api/logs/sse`: the live log as server-sent events, the kept lines first.
//!
//! Always true: a stream ends soon after its session and at once when the shutdown begins; a
//! watcher who cannot keep up is told how many lines it missed; nobody waits for a watcher.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tracing::Level;
use utoipa::{OpenApi, ToSchema};

use crate::admin::access::Admin;
use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::Only;
use crate::admin::pieces::{self, Pieces};
use crate::admin::routes::{Routes, get};
use crate::admin::values::Text;
use crate::app::App;
use crate::live::{Line, Seen, Subscription};
use crate::store::error::StoreError;

/// How often a stream shows that it is alive while it has nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is asked whether the session is still alive.
const SESSION_CHECK: Duration = Duration::from_secs(2);
/// Lines that are sent at once.
const PIECE_LINES_MAX: usize = 64;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Keeps nginx from collecting the stream.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

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
    let after_id = last_seen(&headers).or(last_event_id);
    let watcher = Watcher {
        subscription: app.live.subscribe(after_id)?,
        session_id: admin.session.id,
        filter: Filter { level: level.map_or(Level::TRACE, Level::from), text: q.into_inner() },
        format,
        heartbeat_at: Instant::now() + HEARTBEAT,
        app,
    };
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (ACCEL_BUFFERING, "no"),
    ];
    Ok((headers, pieces::body(watcher)).into_response())
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

/// The id that a browser has seen last; one that cannot be read is none.
fn last_seen(headers: &HeaderMap) -> Option<u64> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()
}

/// Which lines are shown.
#[derive(Debug)]
struct Filter {
    /// The least grave.
    level: Level,
    /// What they contain.
    text: String,
}

/// One stream.
#[derive(Debug)]
struct Watcher {
    app: Arc<App>,
    session_id: String,
    subscription: Subscription,
    filter: Filter,
    format: Format,
    /// When a sign of life is due.
    heartbeat_at: Instant,
}

impl Pieces for Watcher {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let piece = self.piece().await?;
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        Some(Ok(Bytes::from(piece)))
    }
}

impl Watcher {
    /// The next events, or a sign of life; `None` at the end.
    async fn piece(&mut self) -> Option<String> {
        let app = Arc::clone(&self.app);
        loop {
            let now_ms = app.clock.wall_ms();
            if app.lifecycle.is_draining() || !app.sessions.is_alive(&self.session_id, now_ms) {
                return None;
            }
            let check_at = Instant::now() + SESSION_CHECK;
            tokio::select! {
                biased;
                () = app.lifecycle.draining().cancelled() => return None,
                () = sleep_until(check_at.min(self.heartbeat_at)) => {
                    if self.heartbeat_at <= Instant::now() {
                        return Some(": alive\n\n".to_owned());
                    }
                }
                seen = self.subscription.next() => {
                    let events = self.events(seen?).await;
                    if !events.is_empty() {
                        return Some(events);
                    }
                }
            }
        }
    }

    /// What was seen and what can be seen beside it without waiting, as events; empty if nothing
    /// of it passes the filter.
    async fn events(&mut self, first: Seen) -> String {
        let mut events = String::new();
        let mut seen = Some(first);
        let mut count = 0;
        while let Some(current) = seen {
            write_event(&mut events, &current, &self.filter, self.format);
            count += 1;
            if count == PIECE_LINES_MAX {
                break;
            }
            seen = tokio::select! {
                biased;
                seen = self.subscription.next() => seen,
                () = std::future::ready(()) => None,
            };
        }
        events
    }
}

impl Filter {
    fn passes(&self, line: &Line, rendered: &str) -> bool {
        line.level <= self.level && rendered.contains(&self.text)
    }
}

fn write_event(events: &mut String, seen: &Seen, filter: &Filter, format: Format) {
    // Writing into a text cannot fail, and a line is always JSON.
    let _ = match seen {
        Seen::Lagged(missed) => {
            write!(events, "event: lagged\ndata: {{\"missed\":{missed}}}\n\n")
        }
        Seen::Line(line) => {
            let rendered = line.rendered();
            if !filter.passes(line, &rendered) {
                return;
            }
            let data = match format {
                Format::Text => rendered,
                Format::Json => serde_json::to_string(line.as_ref()).unwrap_or_default(),
            };
            write!(events, "id: {}\ndata: {data}\n\n", line.id)
        }
    };
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

    #[test]
    fn missed_lines_are_an_event_of_their_own_without_an_id() {
        let mut events = String::new();
        let filter = Filter { level: Level::ERROR, text: "never".to_owned() };

        write_event(&mut events, &Seen::Lagged(24), &filter, Format::Text);

        assert_eq!(events, "event: lagged\ndata: {\"missed\":24}\n\n");
    }

    fn shown(line: &Line, level: Level, text: &str, format: Format) -> String {
        let mut events = String::new();
        let filter = Filter { level, text: text.to_owned() };
        write_event(&mut events, &Seen::Line(Arc::new(line.clone())), &filter, format);
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
