//! The way out: one HTTP/1.1 client per worker, on hyper's own connections.
//!
//! Every worker thread has its own [`Upstream`] with its own idle connections, so a request never
//! crosses a thread and never waits for a lock that another core holds. A connection goes back
//! to the idle stack when its answer has been read to the end, is not used again after
//! [`IDLE_MS_MAX`] of rest or [`AGE_MS_MAX`] of life (so a changed DNS record is noticed), and a
//! connection that turns out to be dead is replaced once, without the caller noticing – unless it
//! was alive enough to begin an answer.

mod connect;
mod credential;
mod endpoint;
mod idle;
mod resolve;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use connect::Dialer;
pub use connect::{ConnectError, tls_config};
use dialect::Dialect;
pub use endpoint::{Endpoint, Endpoints};
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use idle::{Connection, Idle};
use tokio_util::io::InspectReader;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::network::Reach;
use crate::secret::Secret;

/// A connection that has rested longer than this is not used again: most servers close theirs
/// after one to four minutes, and a request sent into that moment would be lost.
const IDLE_MS_MAX: u64 = 50_000;
/// A connection older than this is not used again, so that DNS changes take effect.
const AGE_MS_MAX: u64 = 600_000;
/// Idle connections kept per worker and endpoint.
const IDLE_MAX: usize = 512;
/// Largest response head accepted from an upstream.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most response header fields accepted from an upstream.
const HEADERS_MAX: usize = 128;

type Sender = SendRequest<Full<Bytes>>;

/// The HTTP client of one worker.
#[derive(Debug)]
pub struct Upstream {
    endpoints: Arc<Endpoints>,
    dialer: Dialer,
    cloudflare: Option<Secret>,
    openai: Arc<Idle>,
    gemini: Arc<Idle>,
    clock: Clock,
    tasks: TaskTracker,
}

/// Where the clients of all workers go, and how.
#[derive(Debug, Clone)]
pub struct WayOut {
    /// The upstream of each dialect.
    pub endpoints: Arc<Endpoints>,
    /// Which authorities are trusted.
    pub tls: Arc<rustls::ClientConfig>,
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// The token of a Cloudflare AI gateway, where requests go through one.
    pub cloudflare: Option<Secret>,
    /// Limit for name, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
}

/// A request as it goes to an upstream, but for its credential.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method of the caller's request.
    pub method: Method,
    /// Path below the endpoint's base URL with the query, encoded; starts with `/`.
    pub path_and_query: String,
    /// The complete header set but for `host` and the credential.
    pub headers: HeaderMap,
    /// The complete body.
    pub body: Bytes,
}

impl Outgoing {
    /// A bare `GET`.
    pub fn get(path_and_query: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path_and_query: path_and_query.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

/// Why no response head arrived.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended or was reset before a response head.
    #[error("connection lost before an answer")]
    Lost(#[source] hyper::Error),
    /// What came back is not HTTP/1.1, or its head is too large.
    #[error("answer is not valid HTTP")]
    Protocol(#[source] hyper::Error),
    /// The request could not be built: a defect of ours, never the caller's or the upstream's.
    #[error("request could not be built")]
    Request(#[from] http::Error),
    /// The key holds a character that no header can carry.
    #[error("the service key cannot be sent in a header")]
    Credential,
}

impl Upstream {
    /// Makes a client that keeps its connections' tasks in `tasks`.
    pub fn new(way: &WayOut, clock: Clock, tasks: TaskTracker) -> Self {
        Self {
            dialer: Dialer::new(Arc::clone(&way.tls), way.reach, way.connect_timeout),
            endpoints: Arc::clone(&way.endpoints),
            cloudflare: way.cloudflare.clone(),
            openai: Arc::new(Idle::default()),
            gemini: Arc::new(Idle::default()),
            clock,
            tasks,
        }
    }

    /// Sends a request with `key` and waits for the head of the answer.
    ///
    /// A request that gets not one byte on a connection that had served before is sent once more
    /// on a fresh one: the upstream or a proxy between closed it while it rested.
    ///
    /// # Errors
    ///
    /// [`SendError`], after at most one such replay.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection in use.
    pub async fn send(
        &self,
        dialect: Dialect,
        outgoing: &Outgoing,
        key: &Secret,
    ) -> Result<Response<AnswerBody>, SendError> {
        let endpoint = self.endpoints.of(dialect);
        let mut request = endpoint.request(outgoing)?;
        credential::authorize(request.headers_mut(), dialect, key, self.cloudflare.as_ref())
            .ok_or(SendError::Credential)?;
        if let Some(connection) = self.rested(dialect).await {
            let has_spoken = Arc::clone(&connection.has_spoken);
            has_spoken.store(false, Ordering::Relaxed);
            match self.exchange(dialect, request.clone(), connection).await {
                Err(SendError::Lost(_)) if !has_spoken.load(Ordering::Relaxed) => {}
                done => return done,
            }
        }
        let connection = self.connect(endpoint).await?;
        self.exchange(dialect, request, connection).await
    }

    /// Takes the most recently used idle connection that is still alive.
    async fn rested(&self, dialect: Dialect) -> Option<Connection> {
        while let Some(mut connection) = self.idle(dialect).pop(self.clock.monotonic_ms()) {
            if connection.sender.ready().await.is_ok() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connection, SendError> {
        let stream = self.dialer.dial(endpoint).await?;
        let has_spoken = Arc::new(AtomicBool::new(false));
        let speaks = Arc::clone(&has_spoken);
        let stream = InspectReader::new(stream, move |bytes: &[u8]| {
            if !bytes.is_empty() {
                speaks.store(true, Ordering::Relaxed);
            }
        });
        let (sender, driver) = hyper::client::conn::http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(SendError::Lost)?;
        // The driver ends with its connection: when the answer is dropped unread, when the
        // sender is dropped, or when the upstream closes.
        self.tasks.spawn(async move {
            if let Err(error) = driver.await {
                tracing::trace!(%error, "upstream connection ended");
            }
        });
        let born_ms = self.clock.monotonic_ms();
        Ok(Connection { sender, has_spoken, born_ms, rested_since_ms: 0 })
    }

    async fn exchange(
        &self,
        dialect: Dialect,
        request: Request<Full<Bytes>>,
        mut connection: Connection,
    ) -> Result<Response<AnswerBody>, SendError> {
        let response = connection.sender.send_request(request).await.map_err(classify)?;
        let (head, incoming) = response.into_parts();
        let body = AnswerBody {
            incoming,
            connection: Some(connection),
            idle: Arc::clone(self.idle(dialect)),
            clock: self.clock.clone(),
        };
        let mut response = Response::from_parts(head, body);
        response.body_mut().release_if_ended();
        Ok(response)
    }

    fn idle(&self, dialect: Dialect) -> &Arc<Idle> {
        match dialect {
            Dialect::OpenAi => &self.openai,
            Dialect::Gemini => &self.gemini,
        }
    }
}

impl Endpoint {
    fn request(&self, outgoing: &Outgoing) -> Result<Request<Full<Bytes>>, http::Error> {
        let target: Uri = self.target(&outgoing.path_and_query).try_into()?;
        let mut request = Request::builder()
            .method(&outgoing.method)
            .uri(target)
            .body(Full::new(outgoing.body.clone()))?;
        let headers = request.headers_mut();
        headers.clone_from(&outgoing.headers);
        headers.insert(HOST, self.host_header().clone());
        if let Some(value) = self.proxy_authorization() {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
        }
        Ok(request)
    }
}

fn classify(error: hyper::Error) -> SendError {
    if error.is_parse() || error.is_parse_too_large() {
        SendError::Protocol(error)
    } else {
        SendError::Lost(error)
    }
}

/// The body of an upstream's answer; gives its connection back when it has been read to the end.
#[derive(Debug)]
pub struct AnswerBody {
    incoming: Incoming,
    connection: Option<Connection>,
    idle: Arc<Idle>,
    clock: Clock,
}

impl AnswerBody {
    fn release_if_ended(&mut self) {
        if self.incoming.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.push(connection, self.clock.monotonic_ms());
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        match &frame {
            None => self.release(),
            Some(Ok(_)) => self.release_if_ended(),
            // The connection is of no further use: dropping its sender closes it.
            Some(Err(_)) => drop(self.connection.take()),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
