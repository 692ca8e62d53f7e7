//! `/api/events`: what happens to keys, jobs and requests, as server-sent events.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::access::Admin;
use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::Only;
use crate::admin::routes::{Routes, get};
use crate::admin::sse::{self, Form, write_lagged};
use crate::app::App;
use crate::events::{Event, Topic};
use crate::journal::RequestsNews;
use crate::pool::{PoolNews, TroubleNews};

/// Keys that are named in one event; of more only the number is told.
const NAMED_MAX: usize = 100;

#[derive(OpenApi)]
#[openapi(
    paths(watch),
    components(schemas(ReadyNews, LaggedNews, PoolNews, TroubleNews, KeysNews, RequestsNews))
)]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/events"), watch)
}

/// Answers what happens as server-sent events, for pages that are open.
///
/// Each event has a name and one line of JSON: `ready` (`ReadyNews`) comes first; `pool`
/// (`PoolNews`): keys or buckets stand otherwise; `trouble` (`TroubleNews`): many keys fail alike, or
/// no longer do; `keys` (`KeysNews`): an admin has added, changed or removed keys; `job` (`Job`): how
/// far a job is; `requests` (`RequestsNews`): requests have ended; `lagged` (`LaggedNews`): events
/// were missed, so whatever is shown is to be read anew.
#[utoipa::path(
    get, path = "/api/events", operation_id = "watch_events", tag = "events",
    params(
        EventQuestion,
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
    Only(question): Only<EventQuestion>,
) -> Result<Response, ApiError> {
    // A browser that reconnects repeats the address, so its header is the later word.
    let after_id = sse::last_seen(&headers).or(question.last_event_id);
    let subscription = app.events.subscribe(after_id)?;
    let is_gapless = subscription.is_gapless();
    let ready = ReadyNews { is_resumed: after_id.is_some() && is_gapless };
    let data = serde_json::to_string(&ready).map_err(ApiError::internal)?;
    let mut opening = format!("id: {}\nevent: ready\ndata: {data}\n\n", subscription.last_id());
    if !is_gapless {
        write_lagged(&mut opening, None);
    }
    Ok(sse::response(app, admin, subscription, News, opening))
}

/// Where to go on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct EventQuestion {
    /// Goes on after this event, for clients that cannot send the header.
    last_event_id: Option<u64>,
}

/// The stream has begun; the data of the event `ready`.
#[derive(Debug, Serialize, ToSchema)]
struct ReadyNews {
    /// Whether it goes on, without a gap, where it was asked to.
    is_resumed: bool,
}

/// Events were missed; the data of the event `lagged`.
#[derive(Debug, Serialize, ToSchema)]
struct LaggedNews {
    /// How many; `null` if that is not known.
    missed: Option<u64>,
}

/// What an admin has done to service keys; the data of the event `keys`.
#[derive(Debug, Serialize, ToSchema)]
struct KeysNews {
    /// What was done.
    change: KeysChange,
    /// To how many keys.
    count: usize,
    /// Which ones; empty if they are more than a hundred.
    key_identifiers: Vec<String>,
}

/// What an admin does to service keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeysChange {
    /// They are there from now on.
    Added,
    /// What an admin says of them is different.
    Changed,
    /// They are gone.
    Removed,
}

/// Tells that an admin has done something to service keys.
pub(super) fn tell_keys(app: &App, change: KeysChange, key_identifiers: Vec<String>) {
    let count = key_identifiers.len();
    if count == 0 {
        return;
    }
    let key_identifiers = if count <= NAMED_MAX { key_identifiers } else { Vec::new() };
    app.events.tell(Topic::Keys, &KeysNews { change, count, key_identifiers });
}

/// Events as they are.
struct News;

impl Form for News {
    type Item = Event;

    fn write(&self, events: &mut String, event: &Event) {
        let Event { id, topic, data } = event;
        // Writing into a text cannot fail.
        let _ = write!(events, "id: {id}\nevent: {}\ndata: {data}\n\n", topic.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_id_its_name_and_one_line_of_data() {
        let mut events = String::new();
        let data = serde_json::to_string("two\nlines").unwrap();

        News.write(&mut events, &Event { id: 7, topic: Topic::Trouble, data: data.into() });

        assert_eq!(events, "id: 7\nevent: trouble\ndata: \"two\\nlines\"\n\n");
    }
}
