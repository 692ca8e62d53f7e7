//! A connection to a place that is no upstream: whoever is told when somebody must act.
//!
//! Such places come from the configuration alone, as upstreams do, and are connected to in the same
//! way: within a time limit, never to a link-local or metadata address, TLS always checked.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::config::base_url::BaseUrl;
use crate::config::network::Reach;
use crate::config::outbound_proxy::OutboundProxy;
use crate::upstream::connect::{ConnectError, Dialer, Stream};
use crate::upstream::endpoint::Endpoint;

/// A place and the way to it.
#[derive(Debug)]
pub struct Line {
    dialer: Dialer,
    endpoint: Endpoint,
    timeout: Duration,
}

/// Why nobody was told. No address and no secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No connection could be made.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The whole took too long.
    #[error("it took too long")]
    Timeout,
    /// The message cannot be written, or what came back is no HTTP.
    #[error("the other end does not speak HTTP as it should")]
    Http,
}

impl Line {
    /// Prepares the way to a place.
    ///
    /// # Errors
    ///
    /// A host that no header can carry.
    pub fn new(
        base: &BaseUrl,
        proxies: &OutboundProxy,
        tls: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, http::Error> {
        let endpoint = Endpoint::new(base, proxies)?;
        Ok(Self { dialer: Dialer::new(tls, Reach::Private, timeout), endpoint, timeout })
    }

    /// Sends one message by `POST` and answers the status that came back.
    ///
    /// # Errors
    ///
    /// [`LineError`], at the latest when the time limit has passed.
    pub async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<StatusCode, LineError> {
        let posting = self.post_unlimited(path, headers, body);
        tokio::time::timeout(self.timeout, posting).await.map_err(|_| LineError::Timeout)?
    }

    async fn post_unlimited(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<StatusCode, LineError> {
        let request = self.request(path, headers, body).ok_or(LineError::Http)?;
        let stream = self.open().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| LineError::Http)?;
        let (mut sending, mut connection) = (pin!(sender.send_request(request)), pin!(connection));
        // Driven here, so that nothing of it outlives the call. It may end with the answer handed over.
        let answer = tokio::select! {
            biased;
            answer = &mut sending => answer,
            _ = &mut connection => sending.await,
        };
        answer.map(|answer| answer.status()).map_err(|_| LineError::Http)
    }

    fn request(&self, path: &str, headers: HeaderMap, body: Bytes) -> Option<Request<Full<Bytes>>> {
        let uri: Uri = self.endpoint.target(path).parse().ok()?;
        let length = HeaderValue::from(body.len());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.host_header().clone());
        headers.insert(CONTENT_LENGTH, length);
        if let Some(authorization) = self.endpoint.proxy_authorization() {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        Some(request)
    }

    /// Opens a connection for another protocol than HTTP.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], at the latest when the time limit has passed.
    pub async fn open(&self) -> Result<Stream, ConnectError> {
        self.dialer.dial(&self.endpoint).await
    }

    /// Goes on in TLS on a connection that began in clear.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when the handshake fails or takes too long.
    pub async fn secure(&self, stream: TcpStream) -> Result<Stream, ConnectError> {
        let name = ServerName::try_from(self.endpoint.base().host.clone())
            .map_err(|error| ConnectError::Tls(std::io::Error::other(error)))?;
        let securing = self.dialer.secure(name, stream);
        let stream = tokio::time::timeout(self.timeout, securing).await;
        Ok(Either::Right(Box::new(stream.map_err(|_| ConnectError::Timeout)??)))
    }
}
