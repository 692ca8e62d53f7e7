//! A connection on which requests stand beside each other.
//!
//! hyper has no deadlines here, so they are ours: a connection without a request is closed as one
//! of HTTP/1.1 is, and so is one whose caller takes nothing of an answer, with all that is on it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{Door, HEADER_BYTES_MAX, LAST_REQUEST, answer};
use crate::app::Worker;
use crate::intake::{Intake, RequestBody};
use crate::origin::Origin;
use crate::stall::StallGuard;

/// Requests at once on one connection.
const STREAMS_MAX: u32 = 100;
/// What a caller may send of one request before it is read.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What a caller may send of all its requests before they are read.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What is kept of one answer until the caller takes it.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// A caller that vanished is noticed after this and [`PONG_LIMIT`].
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long the answer to a ping may take.
const PONG_LIMIT: Duration = Duration::from_secs(20);
/// How often a connection is looked at, at most and at least.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Serves a connection to its end.
pub(super) async fn speak(
    worker: Arc<Worker>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    origin: Origin,
    door: Door,
) {
    let limits = &worker.app.config.limits;
    let stall_limit = Duration::from_millis(limits.write_stall_timeout_ms);
    let idle_limit = Duration::from_millis(limits.header_timeout_ms);
    let stream = StallGuard::new(stream, stall_limit);
    let draining = worker.app.lifecycle.draining().clone();
    let streams = Arc::<Streams>::default();
    let service = service_fn(|request: Request<Incoming>| {
        let open = Streams::open(&streams);
        let request =
            with_host(request.map(|body| RequestBody::new(body, Arc::<Intake>::default())));
        let answering = Box::pin(answer(Arc::clone(&worker), request, origin, door));
        async {
            let response = answering.await;
            open.handed();
            Ok::<_, Infallible>(response.map(|body| TakenBody { body, open }))
        }
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let leaving = async {
        draining.cancelled().await;
        tokio::time::sleep(LAST_REQUEST).await;
    };
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = streams.stalled(stall_limit) => return,
        () = async { tokio::select! { () = leaving => {}, () = streams.idle(idle_limit) => {} } } => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = serving => outcome,
                () = streams.stalled(stall_limit) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::trace!(%error, "connection ended");
    }
}

/// Names the host where HTTP/1.1 does; two that differ are left for the check of the head.
fn with_host(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let authority =
        request.uri().authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    if let Some(authority) = authority
        && request.headers().get(HOST) != Some(&authority)
    {
        request.headers_mut().append(HOST, authority);
    }
    request
}

/// The requests of one connection.
#[derive(Debug, Default)]
struct Streams(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many have begun, the number of the last.
    begun: u64,
    /// Those under way, with the instant since which something waits for the caller to take it.
    open: HashMap<u64, Option<Instant>>,
}

impl Streams {
    fn open(this: &Arc<Self>) -> OpenStream {
        let mut state = this.0.lock();
        state.begun += 1;
        let number = state.begun;
        state.open.insert(number, None);
        OpenStream { number, streams: Arc::clone(this) }
    }

    /// Waits until a caller has taken nothing for so long.
    async fn stalled(&self, limit: Duration) {
        let is_stalled =
            |since: &Option<Instant>| since.is_some_and(|since| limit <= since.elapsed());
        loop {
            tokio::time::sleep(between(limit / 4)).await;
            if self.0.lock().open.values().any(is_stalled) {
                return;
            }
        }
    }

    /// Waits until there was no request for so long.
    async fn idle(&self, limit: Duration) {
        let mut begun = 0;
        loop {
            tokio::time::sleep(limit).await;
            let state = self.0.lock();
            if state.open.is_empty() && state.begun == begun {
                return;
            }
            begun = state.begun;
        }
    }
}

fn between(pause: Duration) -> Duration {
    let (least, most) = LOOK_EVERY;
    pause.clamp(least, most)
}

/// A request under way.
#[derive(Debug)]
struct OpenStream {
    number: u64,
    streams: Arc<Streams>,
}

impl OpenStream {
    /// Something was handed to the engine: it asks for more when the caller has room.
    fn handed(&self) {
        self.streams.0.lock().open.insert(self.number, Some(Instant::now()));
    }

    /// The engine asks for more.
    fn asked(&self) {
        self.streams.0.lock().open.insert(self.number, None);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.0.lock().open.remove(&self.number);
    }
}

/// A body that notes when its reader asks for more.
#[derive(Debug)]
struct TakenBody<B> {
    body: B,
    open: OpenStream,
}

impl<B: Body + Unpin> Body for TakenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.open.asked();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.open.handed();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
