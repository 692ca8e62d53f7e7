//! A connection on which requests follow each other, and which one of them may turn into something
//! else.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Door, HEADER_BYTES_MAX, LAST_REQUEST, answer};
use crate::app::Worker;
use crate::intake::{Intake, RequestBody, WatchedStream};
use crate::origin::Origin;
use crate::stall::StallGuard;

/// Most header fields of a request.
const HEADERS_MAX: usize = 100;

/// Serves a connection to its end.
pub(super) async fn speak(
    worker: Arc<Worker>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    origin: Origin,
    door: Door,
) {
    let intake = Arc::<Intake>::default();
    requests(worker, stream, (origin, door), &intake).await;
    // In the same task, so that the connection stays counted and waited for.
    if let Some(successor) = intake.take_successor() {
        successor.await;
    }
}

/// Serves requests until the last of them.
async fn requests(
    worker: Arc<Worker>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (origin, door): (Origin, Door),
    intake: &Arc<Intake>,
) {
    let limits = &worker.app.config.limits;
    let stream = StallGuard::new(stream, Duration::from_millis(limits.write_stall_timeout_ms));
    let stream = WatchedStream::new(stream, Arc::clone(intake));
    let draining = worker.app.lifecycle.draining().clone();
    let header_timeout = Duration::from_millis(limits.header_timeout_ms);
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let request = request.map(|body| RequestBody::new(body, Arc::clone(intake)));
        // Boxed, since the engine keeps room for this future as long as the connection lives: idle
        // ones, and those whose answer has begun, need none.
        let answering = Box::pin(answer(Arc::clone(&worker), request, origin, door));
        async { Ok::<_, Infallible>(answering.await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(door == Door::Open)
        .header_read_timeout(header_timeout)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADER_BYTES_MAX as usize)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut serving = pin!(serving);
    let leaving = async {
        match door {
            // A request may be on its way to a connection that stands.
            Door::Open => {
                draining.cancelled().await;
                tokio::time::sleep(LAST_REQUEST).await;
            }
            Door::Closing => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = leaving => {
            // The engine would wait until its deadline for the rest of a first head.
            if !has_asked.load(Ordering::Relaxed) {
                return;
            }
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        tracing::trace!(%error, "connection ended");
    }
}
