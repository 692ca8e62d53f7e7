//! `/api/alerts`: who is told when somebody must act, and a test of whether it arrives.
//!
//! Where to is in the settings alone; no call can name a destination, and none is ever shown whole.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::peer::Peer;
use crate::admin::routes::{Routes, get, post};
use crate::alerts::{Kind, Message, Told};
use crate::app::App;

/// How long one test keeps the next away: what it tells goes to others.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(OpenApi)]
#[openapi(paths(alerts, test))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/alerts"), alerts).add(post("/api/alerts/test"), test)
}

/// Who is told, and what they were told.
#[derive(Debug, Serialize, ToSchema)]
struct AlertState {
    /// Who is told.
    receivers: Vec<AlertReceiver>,
    /// What they were told and still holds.
    holding: Vec<Kind>,
}

/// Somebody who is told.
#[derive(Debug, Serialize, ToSchema)]
struct AlertReceiver {
    /// `webhook`, `telegram` or `mail`.
    receiver: &'static str,
    /// Where it is, without anything secret.
    place: String,
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
struct AlertTest {
    /// One entry for everybody who is told.
    results: Vec<AlertTestResult>,
}

/// How a test of one receiver went.
#[derive(Debug, Serialize, ToSchema)]
struct AlertTestResult {
    /// `webhook`, `telegram` or `mail`.
    receiver: &'static str,
    /// Where it is, without anything secret.
    place: String,
    /// Whether it took the message.
    is_ok: bool,
    /// Why not; empty if it did.
    problem: String,
}

/// Shows who is told when somebody must act, and what holds now of what they were told.
#[utoipa::path(
    get, path = "/api/alerts", operation_id = "show_alerts", tag = "system",
    responses((status = 200, description = "Receivers and what holds", body = AlertState)),
)]
async fn alerts(State(app): State<Arc<App>>) -> Json<AlertState> {
    let receivers = app.alerts.receivers().into_iter();
    let receivers =
        receivers.map(|Told { receiver, place, .. }| AlertReceiver { receiver, place }).collect();
    Json(AlertState { receivers, holding: app.alerts.holding() })
}

/// Sends a test to everybody who is told, and says how it went.
#[utoipa::path(
    post, path = "/api/alerts/test", operation_id = "test_alerts", tag = "system",
    responses(
        (status = 200, description = "How it went, for each receiver", body = AlertTest),
        (status = 409, description = "Nobody is told, since no receiver is set", body = ErrorBody),
        (status = 429, description = "A test was just made: wait as `Retry-After` says", body = ErrorBody),
    ),
)]
async fn test(State(app): State<Arc<App>>, peer: Peer) -> Result<Json<AlertTest>, ApiError> {
    if app.alerts.is_empty() {
        return Err(ApiError::Conflict(
            "Nobody is told: set ALERT_WEBHOOK_URL, ALERT_TELEGRAM_TOKEN or ALERT_SMTP_URL.",
        ));
    }
    if app.alerts.begin_test(app.clock.monotonic_ms(), PAUSE).is_err() {
        return Err(ApiError::Throttled { retry_after: PAUSE });
    }
    let told = app.alerts.test(&Message::test(app.clock.wall_ms())).await;
    tracing::info!(address = %peer.address, "an admin has tested the alerts");
    let results = told.into_iter().map(|Told { receiver, place, problem }| AlertTestResult {
        receiver,
        place,
        is_ok: problem.is_none(),
        problem: problem.unwrap_or_default(),
    });
    Ok(Json(AlertTest { results: results.collect() }))
}
