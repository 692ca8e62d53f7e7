//! Every path of the server on one screen: what stays on the worker, what goes to the control
//! plane.

use std::sync::Arc;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use tower_service::Service;

use crate::app::{App, Worker};
use crate::health;
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::proxy::{self, ProxyBody};
use crate::request_head::{self, BadHead};
use crate::web::{self, Web};

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Answers one request.
pub(crate) async fn route(
    worker: Arc<Worker>,
    origin: Origin,
    request: Request<RequestBody>,
) -> Response<ProxyBody> {
    let app = Arc::clone(&worker.app);
    let mut response = match request_head::check(&request) {
        Err(bad) => refuse_head(&app, request, bad),
        Ok(()) => match request.uri().path() {
            "/health" | "/healthz" => health::alive().map(ProxyBody::whole),
            "/ready" | "/readyz" => health::ready(&app).map(ProxyBody::whole),
            path if is_control(path) => control(&worker, origin, request).await,
            path if web::is_ours(path) => page(&app, request, Web::answer),
            path if web::is_lost(request.headers(), request.method(), path) => {
                page(&app, request, Web::lost)
            }
            _ => proxy::forward(worker, origin, request).await,
        },
    };
    // One that has agreed to another protocol does not close with its head.
    if app.lifecycle.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, CLOSE);
    }
    with_constant_headers(response)
}

/// What every answer carries.
fn with_constant_headers(mut response: Response<ProxyBody>) -> Response<ProxyBody> {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Answers a request that came after the shutdown had begun.
pub(crate) fn turn_away(app: &App, request: Request<RequestBody>) -> Response<ProxyBody> {
    let (head, _) = request.into_parts();
    with_constant_headers(match head.uri.path() {
        "/health" | "/healthz" => health::alive().map(ProxyBody::whole),
        "/ready" | "/readyz" => health::ready(app).map(ProxyBody::whole),
        path if is_control(path) || web::is_ours(path) => control_error(
            app,
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway is restarting. Try again shortly.",
        ),
        _ => proxy::turn_away(app, &head),
    })
}

/// Refuses a head that is not to be trusted, and whatever comes behind it.
fn refuse_head(app: &App, request: Request<RequestBody>, bad: BadHead) -> Response<ProxyBody> {
    let (head, _) = request.into_parts();
    app.metrics.request_refused(bad.code());
    let mut response = if is_control(head.uri.path()) || web::is_ours(head.uri.path()) {
        control_error(app, bad.status(), bad.hint())
    } else {
        proxy::refuse_head(app, &head, bad)
    };
    response.headers_mut().insert(CONNECTION, CLOSE);
    response
}

/// A page or a file of the web UI, out of memory.
fn page(
    app: &App,
    request: Request<RequestBody>,
    answer: fn(&Web, &Parts) -> Response<Bytes>,
) -> Response<ProxyBody> {
    let (head, _) = request.into_parts();
    let mut response = answer(&app.web, &head).map(ProxyBody::whole);
    let request_id = proxy::request_id_value(app.request_ids.next());
    response.headers_mut().insert(proxy::REQUEST_ID, request_id);
    response
}

/// An error in the form of the admin API, for calls that do not reach it.
fn control_error(app: &App, status: StatusCode, detail: &str) -> Response<ProxyBody> {
    let body = serde_json::json!({ "detail": detail }).to_string();
    let mut response = Response::new(ProxyBody::whole(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(proxy::REQUEST_ID, proxy::request_id_value(app.request_ids.next()));
    response
}

/// Whether a path belongs to the admin.
fn is_control(path: &str) -> bool {
    matches!(path, "/api" | "/metrics") || path.starts_with("/api/")
}

/// Hands a request to the control plane's own runtime, so that no query, hash or page delays a
/// token of a stream on this worker.
async fn control(
    worker: &Worker,
    origin: Origin,
    request: Request<RequestBody>,
) -> Response<ProxyBody> {
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(ConnectInfo(origin));
    let mut service = worker.control.clone();
    let answering = worker.control_runtime.spawn(async move { service.call(request).await });
    match answering.await {
        Ok(Ok(response)) => response.map(ProxyBody::Control),
        Ok(Err(infallible)) => match infallible {},
        Err(failure) => {
            if failure.is_panic() {
                worker.app.metrics.panic_caught();
            }
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            control_error(&worker.app, status, "The gateway failed on this request.")
        }
    }
}
