//! What surrounds every call: its name, the form of its refusals, the headers that keep a browser
//! from doing more with an answer than showing it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use tracing::Instrument;

use crate::admin::error::ApiError;
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// For answers that are data: nothing in them may be run, loaded or framed.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Names a call, runs it, and finishes its answer.
pub(super) async fn frame(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let request_id = app.request_ids.next().to_string();
    // At the level of errors: a warning without its request is of little use.
    let span = tracing::error_span!("request", %request_id);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        span.in_scope(|| log(&error));
        write(&mut response, &error, &request_id);
    }
    let headers = response.headers_mut();
    for (name, value) in [(CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, DATA_POLICY)] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    response
}

fn log(error: &ApiError) {
    if error.status().is_server_error() {
        tracing::error!(code = error.code(), cause = %chain(error), "an admin's call failed");
    } else {
        tracing::debug!(code = error.code(), %error, "an admin's call was refused");
    }
}

/// An error and what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

fn write(response: &mut Response, error: &ApiError, request_id: &str) {
    let body = serde_json::to_vec(&error.body(request_id.to_owned())).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}
