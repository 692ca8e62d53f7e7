//! The way out: one HTTP/1.1 client per worker.
//!
//! Every worker thread has its own [`Upstream`] with its own idle connections, so a request never
//! crosses a thread and never waits for a lock that another core holds. Whoever asks owns a
//! connection until the answer has been read to its end; then it rests among the idle ones
//! (`idle.rs`). A connection that turns out to be dead is replaced once, without the caller
//! noticing – unless it was alive enough to begin an answer.

mod answer;
mod connect;
mod connection;
mod credential;
mod endpoint;
mod framing;
mod head;
mod idle;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod line;
mod resolve;
mod source;
mod tunnel;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use answer::AnswerBody;
use bytes::Bytes;
use connect::Dialer;
pub use connect::{ConnectError, Stream, tls_config};
use connection::{Connection, Outbound, ReadBuffer, Switch};
use credential::Credentials;
pub use credential::Pass;
use dialect::Dialect;
pub use endpoint::{Endpoint, Endpoints};
use framing::BadFraming;
use head::{BadHead, BodyLength};
use http::{HeaderMap, Method, Response};
use idle::Idle;
pub use line::{Line, LineError};
use source::Source;
pub use source::{SourceBody, SourceBroke};
use tokio_util::task::TaskTracker;
pub use tunnel::Tunnel;

use crate::clock::Clock;
use crate::config::network::Reach;
use crate::secret::Secret;

/// Largest response head accepted from an upstream.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most response header fields accepted from an upstream.
const HEADERS_MAX: usize = 128;

/// The HTTP client of one worker.
#[derive(Debug)]
pub struct Upstream {
    endpoints: Arc<Endpoints>,
    dialer: Dialer,
    cloudflare: Option<Secret>,
    openai: Arc<Idle>,
    gemini: Arc<Idle>,
    buffer: ReadBuffer,
    clock: Clock,
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
    /// The header fields but for `host`, `content-length` and the credential.
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

    /// A bare `DELETE`.
    pub fn delete(path_and_query: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path_and_query) }
    }
}

/// What came of asking for another protocol.
#[derive(Debug)]
pub enum Opened {
    /// It is spoken now.
    Tunnel {
        /// The header fields of the answer that agreed.
        headers: HeaderMap,
        /// The connection.
        tunnel: Tunnel,
    },
    /// An ordinary answer, which agrees to nothing.
    Answer(Response<AnswerBody>),
}

/// Why no response head arrived.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended or was reset before a response head.
    #[error("connection lost before an answer")]
    Lost {
        /// What the system says.
        source: io::Error,
        /// Whether a part of a head had come.
        has_begun: bool,
    },
    /// What came back is not HTTP/1.1, or its head is too large.
    #[error("answer is not valid HTTP")]
    Protocol(#[from] BadHead),
    /// The body behind the head is not framed as it should be.
    #[error(transparent)]
    Framing(#[from] BadFraming),
    /// The request's body ended before its end, and with it the request.
    #[error(transparent)]
    Source(#[from] SourceBroke),
    /// The target holds what no request line can carry: a defect of ours, never the caller's or
    /// the upstream's.
    #[error("the request target cannot be written")]
    Target,
    /// The key holds a character that no header can carry.
    #[error("the service key cannot be sent in a header")]
    Credential,
}

impl Upstream {
    /// Makes a client that looks after its idle connections in `tasks`.
    pub fn new(way: &WayOut, clock: Clock, tasks: TaskTracker) -> Self {
        Self {
            dialer: Dialer::new(Arc::clone(&way.tls), way.reach, way.connect_timeout),
            endpoints: Arc::clone(&way.endpoints),
            cloudflare: way.cloudflare.clone(),
            openai: Idle::new(clock.clone(), tasks.clone()),
            gemini: Idle::new(clock.clone(), tasks),
            buffer: ReadBuffer::default(),
            clock,
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
        let credentials = self.credentials(Pass::Key(key));
        let length = head::length_of(outgoing);
        let head = head::encode(endpoint, dialect, outgoing, credentials, length)?;
        let outbound = || Outbound { head: head.clone(), body: outgoing.body.clone(), more: None };
        let idle = match dialect {
            Dialect::OpenAi => &self.openai,
            Dialect::Gemini => &self.gemini,
        };
        let mut rested = idle.pop();
        loop {
            let is_rested = rested.is_some();
            let connection = match rested.take() {
                Some(connection) => connection,
                None => self.connect(endpoint).await?,
            };
            match exchange(connection, outbound(), &outgoing.method, idle).await {
                Err(SendError::Lost { has_begun: false, .. }) if is_rested => {}
                done => return done,
            }
        }
    }

    /// Sends a request whose body comes as it goes, in place of the one in `outgoing`; `length` is
    /// what its sender has declared. On a connection of its own, since it cannot be sent again.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    ///
    /// # Cancellation
    ///
    /// As of [`Upstream::send`].
    pub async fn send_through(
        &self,
        outgoing: &Outgoing,
        key: &Secret,
        body: SourceBody,
        length: Option<u64>,
    ) -> Result<Response<AnswerBody>, SendError> {
        let dialect = Dialect::Gemini;
        let endpoint = self.endpoints.of(dialect);
        let credentials = self.credentials(Pass::Key(key));
        let framing = length.map_or(BodyLength::Chunked, BodyLength::Known);
        let head = head::encode(endpoint, dialect, outgoing, credentials, framing)?;
        let more = Some(Source::new(body, length));
        let outbound = Outbound { head, body: Bytes::new(), more };
        let connection = self.connect(endpoint).await?;
        exchange(connection, outbound, &outgoing.method, &self.gemini).await
    }

    /// Asks for another protocol, as `outgoing` says it, on a connection of its own.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection.
    pub async fn open(&self, outgoing: &Outgoing, pass: Pass<'_>) -> Result<Opened, SendError> {
        let dialect = Dialect::Gemini;
        let endpoint = self.endpoints.of(dialect);
        let credentials = self.credentials(pass);
        let head = head::encode(endpoint, dialect, outgoing, credentials, BodyLength::Absent)?;
        let outbound = Outbound { head, body: Bytes::new(), more: None };
        let mut connection = self.connect(endpoint).await?;
        Ok(match connection.ask_to_switch(outbound, &outgoing.method).await? {
            Switch::Made(head, early) => {
                Opened::Tunnel { headers: head.headers, tunnel: Tunnel::new(connection, early) }
            }
            Switch::Refused(begun) => {
                let (head, body) = AnswerBody::begin(connection, *begun, &self.gemini);
                Opened::Answer(Response::from_parts(head, body))
            }
        })
    }

    fn credentials<'a>(&'a self, pass: Pass<'a>) -> Credentials<'a> {
        Credentials { pass, cloudflare: self.cloudflare.as_ref() }
    }

    /// Makes a connection. Boxed, since most requests find one and should not carry the room that
    /// making one needs.
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
    ) -> Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send + 'a>> {
        Box::pin(async {
            let stream = self.dialer.dial(endpoint).await?;
            Ok(Connection::new(stream, self.buffer.clone(), self.clock.monotonic_ms()))
        })
    }
}

/// Sends a request on a connection, which goes to `idle` when the answer has been read.
async fn exchange(
    mut connection: Connection,
    outbound: Outbound,
    method: &Method,
    idle: &Arc<Idle>,
) -> Result<Response<AnswerBody>, SendError> {
    let begun = connection.ask(outbound, method).await?;
    let (head, body) = AnswerBody::begin(connection, begun, idle);
    Ok(Response::from_parts(head, body))
}
