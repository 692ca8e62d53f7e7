//! Every path of the server on one screen: what stays on the worker, what goes to the control
//! plane.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tower_service::Service;

use crate::app::{App, Worker};
use crate::health;
use crate::proxy::{self, ProxyBody};

/// Answers one request.
pub(crate) async fn route(
    worker: Arc<Worker>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<ProxyBody> {
    let answered = guarded(async {
        match request.uri().path() {
            "/health" | "/healthz" => health::alive().map(ProxyBody::whole),
            "/ready" | "/readyz" => health::ready(&worker.app).map(ProxyBody::whole),
            path if is_control(path) => control(&worker, peer, request).await,
            _ => proxy::forward(Arc::clone(&worker), request).await,
        }
    });
    let mut response = answered.await.unwrap_or_else(|Panicked| {
        worker.app.metrics.panic_caught();
        plain_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"error":{"code":500,"message":"The gateway failed on this request.","status":"INTERNAL"}}"#,
        )
    });
    if worker.app.lifecycle.is_draining() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    with_constant_headers(response)
}

/// What every answer carries.
fn with_constant_headers(mut response: Response<ProxyBody>) -> Response<ProxyBody> {
    let headers = response.headers_mut();
    for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Answers a request that came after the shutdown had begun.
pub(crate) fn turn_away(app: &App, request: Request<Incoming>) -> Response<ProxyBody> {
    let (head, _) = request.into_parts();
    with_constant_headers(match head.uri.path() {
        "/health" | "/healthz" => health::alive().map(ProxyBody::whole),
        "/ready" | "/readyz" => health::ready(app).map(ProxyBody::whole),
        path if is_control(path) => plain_error(
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"detail":"The gateway is restarting. Try again shortly."}"#,
        ),
        _ => proxy::turn_away(app, &head),
    })
}

/// An error in words of our own, for where no dialect is spoken.
fn plain_error(status: StatusCode, body: &'static str) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::whole(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Whether a path belongs to the admin: everything else is meant for an LLM API.
fn is_control(path: &str) -> bool {
    matches!(path, "/" | "/api" | "/metrics" | "/favicon.ico" | "/robots.txt")
        || path.starts_with("/api/")
}

/// Hands a request to the control plane's own runtime, so that no query, hash or page delays a
/// token of a stream on this worker.
async fn control(
    worker: &Worker,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<ProxyBody> {
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut service = worker.control.clone();
    let answering = worker.control_runtime.spawn(async move { service.call(request).await });
    match answering.await {
        Ok(Ok(response)) => response.map(ProxyBody::Control),
        Ok(Err(infallible)) => match infallible {},
        Err(_) => plain_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"detail":"The gateway failed on this request."}"#,
        ),
    }
}

/// A handler that panicked; its guards have run.
struct Panicked;

/// Polls a handler so that a panic ends one request and not the connection.
async fn guarded<T>(handler: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut handler = pin!(handler);
    std::future::poll_fn(move |cx| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
