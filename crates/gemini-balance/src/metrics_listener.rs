//! A door of its own for Prometheus, so that the metrics need not stand on the public port.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::admin;
use crate::app::App;

/// Connections at once; a scraper needs one.
const CONNECTIONS_MAX: usize = 16;
/// How long a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// The format's own name, as Prometheus asks for it.
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves `/metrics` until the shutdown begins.
pub async fn serve(app: Arc<App>, listener: TcpListener) {
    let draining = app.lifecycle.draining().clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = draining.cancelled() => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(connections.spawn(connection(Arc::clone(&app), stream))),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics; pausing");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(app: Arc<App>, stream: TcpStream) {
    let service = service_fn(|request| {
        let answer = page(&app, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        tracing::trace!(%error, "metrics connection ended");
    }
}

fn page(app: &App, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() != Method::GET {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    } else {
        *response.body_mut() = Full::from(admin::metrics_page(app));
        response.headers_mut().insert(CONTENT_TYPE, FORMAT);
    }
    response
}
