//! `/api/live_sessions`: the Live sessions that are open.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::Only;
use crate::admin::routes::{Routes, get};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::live_sessions::LiveSession;
use crate::moment::Moment;
use crate::pool::ServiceKey;

#[derive(OpenApi)]
#[openapi(paths(list))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/live_sessions"), list)
}

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Part {
    /// Sessions at most.
    #[serde(default = "limit")]
    #[param(inline)]
    limit: Bounded<1, 1_000>,
}

const fn limit() -> Bounded<1, 1_000> {
    Bounded::nearest(100)
}

/// A Live session that is open.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveSession)]
struct Shown {
    /// Names it in the logs.
    request_id: String,
    /// The user key that has opened it.
    user_key_id: i64,
    /// That key's name; `null` if it was deleted.
    user_key: Option<String>,
    /// First and last characters of the service key that serves it; `null` while one is looked for, or
    /// if it was deleted.
    key_brief: Option<String>,
    /// Names that key in paths; `null` as well.
    key_identifier: Option<String>,
    /// The model that its first message asks for; empty before that has come.
    model: String,
    /// When it was opened.
    since: Moment,
    /// Frames of both sides.
    frames: u64,
    /// Bytes that the caller has sent.
    bytes_in: u64,
    /// Bytes that the upstream has sent.
    bytes_out: u64,
}

/// The Live sessions.
#[derive(Debug, Serialize, ToSchema)]
struct LiveSessionList {
    /// How many are open.
    open: usize,
    /// How many may be.
    max: usize,
    /// Those that were opened last, the newest first.
    sessions: Vec<Shown>,
}

/// Lists the Live sessions that are open.
#[utoipa::path(
    get, path = "/api/live_sessions", operation_id = "list_live_sessions", tag = "system", params(Part),
    responses(
        (status = 200, description = "How many there are, and the newest", body = LiveSessionList),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn list(
    State(app): State<Arc<App>>,
    Only(part): Only<Part>,
) -> Result<Json<LiveSessionList>, ApiError> {
    let newest = app.live_sessions.newest(part.limit.get() as usize);
    let users = app.store.user_keys().await?;
    let users: HashMap<i64, String> = users.into_iter().map(|user| (user.id, user.name)).collect();
    let sessions = newest.into_iter().map(|session| {
        let key = session.key.and_then(|key| app.pool.key(key));
        let user_key = users.get(&session.user);
        shown(session, user_key, key.as_deref())
    });
    Ok(Json(LiveSessionList {
        open: app.live_sessions.count(),
        max: app.live_sessions.limit(),
        sessions: sessions.collect(),
    }))
}

fn shown(session: LiveSession, user_key: Option<&String>, key: Option<&ServiceKey>) -> Shown {
    Shown {
        request_id: session.request_id.to_string(),
        user_key_id: session.user,
        user_key: user_key.cloned(),
        key_brief: key.map(|key| key.brief.clone()),
        key_identifier: key.map(|key| key.identifier.clone()),
        model: session.model,
        since: Moment::from_ms(session.since_ms),
        frames: session.frames,
        bytes_in: session.bytes_in,
        bytes_out: session.bytes_out,
    }
}
