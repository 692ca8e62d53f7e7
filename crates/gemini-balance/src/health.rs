//! `/health` (alive) and `/ready` (can serve), for people and load balancers.
//!
//! Both answer from memory, without a login and without a secret.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::app::App;

#[derive(Debug, Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Ready {
    /// `ready`, `degraded` (serves, but something is wrong) or `draining`.
    status: &'static str,
    /// What is wrong, in words.
    reasons: Vec<&'static str>,
}

/// The process answers.
pub(crate) fn alive() -> Response<Bytes> {
    json(StatusCode::OK, &Alive { status: "ok" })
}

/// Whether requests can be served, and what is in the way.
pub(crate) fn ready(app: &App) -> Response<Bytes> {
    if app.lifecycle.is_draining() {
        let reasons = vec!["the gateway is shutting down"];
        return json(StatusCode::SERVICE_UNAVAILABLE, &Ready { status: "draining", reasons });
    }
    let mut reasons = Vec::new();
    let counts = app.pool.counts();
    if counts.total == 0 {
        reasons.push("no service key has been added yet");
    } else if counts.active == 0 {
        reasons.push("no service key is usable");
    }
    if app.pool.trouble().is_some() {
        reasons.push("the upstream or the way to it is in trouble");
    }
    if app.journal.counts().failures > 0 {
        reasons.push("request log rows cannot be written at the moment");
    }
    let status = if reasons.is_empty() { "ready" } else { "degraded" };
    json(StatusCode::OK, &Ready { status, reasons })
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    let mut response = Response::new(serde_json::to_vec(value).unwrap_or_default().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
