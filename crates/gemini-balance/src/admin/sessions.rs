//! `/api/auth/sessions`: where the admin is logged in, and ending that.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::admin::access::Admin;
use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Name;
use crate::admin::routes::{Routes, delete, get};
use crate::app::App;
use crate::moment::Moment;

#[derive(OpenApi)]
#[openapi(paths(list, end, end_others))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/auth/sessions"), list)
        .add(delete("/api/auth/sessions"), end_others)
        .add(delete("/api/auth/sessions/{id}"), end)
}

/// The sessions that are alive.
#[derive(Debug, Serialize, ToSchema)]
struct SessionList {
    /// The latest first.
    sessions: Vec<AliveSession>,
}

/// A session that is alive.
#[derive(Debug, Serialize, ToSchema)]
struct AliveSession {
    /// Names it; not what its bearer shows.
    id: String,
    /// When it began.
    logged_in_at: Moment,
    /// When it ends by itself.
    expires_at: Moment,
    /// Whether it is the one that asks.
    is_current: bool,
}

/// How many sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
struct EndedSessions {
    /// How many.
    ended: usize,
}

/// Lists the sessions that are alive.
#[utoipa::path(
    get, path = "/api/auth/sessions", operation_id = "list_sessions", tag = "session",
    responses((status = 200, description = "The sessions", body = SessionList)),
)]
async fn list(
    State(app): State<Arc<App>>,
    Admin { session: current }: Admin,
) -> Result<Json<SessionList>, ApiError> {
    let now_ms = app.clock.wall_ms();
    let stored = app.store.sessions(now_ms).await?.into_iter().rev();
    let alive = stored.filter(|session| app.sessions.is_alive(&session.id, now_ms));
    let sessions = alive.map(|session| AliveSession {
        is_current: session.id == current.id,
        logged_in_at: Moment::from_ms(session.created_at_ms),
        expires_at: Moment::from_ms(session.expires_at_ms),
        id: session.id,
    });
    Ok(Json(SessionList { sessions: sessions.collect() }))
}

/// Ends a session at once; its streams end shortly after.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{id}", operation_id = "end_session", tag = "session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "There is no such session", body = ErrorBody),
    ),
)]
async fn end(State(app): State<Arc<App>>, Name(id): Name) -> Result<StatusCode, ApiError> {
    let ending = Arc::clone(&app);
    let ended =
        app.commands.run(async move { ending.sessions.end(id, ending.clock.wall_ms()).await });
    match ended.await.ok_or_else(ApiError::panicked)?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound("There is no such session.")),
    }
}

/// Ends all sessions but the one that asks.
#[utoipa::path(
    delete, path = "/api/auth/sessions", operation_id = "end_other_sessions", tag = "session",
    responses((status = 200, description = "How many have ended", body = EndedSessions)),
)]
async fn end_others(
    State(app): State<Arc<App>>,
    Admin { session }: Admin,
) -> Result<Json<EndedSessions>, ApiError> {
    let ending = Arc::clone(&app);
    let ended = app.commands.run(async move { ending.sessions.end_others(session.id).await });
    let ended = ended.await.ok_or_else(ApiError::panicked)??;
    tracing::warn!(ended, "the admin has ended all other sessions");
    Ok(Json(EndedSessions { ended }))
}
