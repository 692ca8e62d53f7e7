//! A plain HTTP/1.1 client: one connection per request unless a test keeps one.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Canaries, PATIENCE};

/// Sends requests to one address with one set of header fields.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    /// What no answer may show.
    canaries: Arc<Canaries>,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body broke off before its end.
    pub(crate) is_cut: bool,
}

/// An answer that is read piece by piece; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Stream {
    /// What was asked, and what the answer to it may not show.
    asked: (Method, String),
    canaries: Arc<Canaries>,
    response: Response<Incoming>,
    /// The connection, closed when this is dropped.
    _connection: JoinSet<()>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::watched(address, Canaries::of_processes())
    }

    /// A client whose answers may not show these.
    pub(crate) fn watched(address: SocketAddr, canaries: &Arc<Canaries>) -> Self {
        Self { address, headers: Vec::new(), canaries: Arc::clone(canaries) }
    }

    /// Where it sends.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same client with one more header field.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same client at another's address, watched like that one.
    pub(crate) fn moved_to(&self, other: &Self) -> Self {
        Self { headers: self.headers.clone(), ..other.clone() }
    }

    /// Whether it sends the same header fields.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.headers == other.headers
    }

    /// The same client with a bearer token.
    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send_json(Method::POST, path, body).await
    }

    pub(crate) async fn send_json(&self, method: Method, path: &str, body: &Value) -> Reply {
        let client = self.with("content-type", "application/json");
        client.send(method, path, Bytes::from(body.to_string())).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        self.open(method, path, body).await.collect().await
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn open(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Stream {
        self.try_open(method, path, body).await.expect("no answer")
    }

    /// As [`Client::open`], where perhaps nobody listens or answers.
    pub(crate) async fn try_open(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Stream, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let (body, asked) = (body.into(), (method.clone(), path.to_owned()));
        self.canaries.learn_call(&method, path, &body);
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", self.address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let sending = tokio::time::timeout(PATIENCE, sender.send_request(request));
        let response = sending.await.expect("no answer in time")?;
        let canaries = Arc::clone(&self.canaries);
        for (name, value) in response.headers() {
            canaries.check_answer(&asked, format!("{name}: {value:?}").as_bytes());
        }
        Ok(Stream { asked, canaries, response, _connection: tasks })
    }
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field as text; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The data of each event of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        let events =
            text.split("\n\n").filter_map(|event| event.trim_start().strip_prefix("data: "));
        events.map(str::to_owned).collect()
    }
}

impl Stream {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.try_next().await.map(|piece| piece.expect("the body broke off"))
    }

    /// The next piece, or that there will be none; `None` at the end.
    pub(crate) async fn try_next(&mut self) -> Option<hyper::Result<Bytes>> {
        let frame = tokio::time::timeout(PATIENCE, self.response.frame()).await;
        let frame = frame.expect("nothing came in time")?;
        let piece = frame.map(|frame| frame.into_data().unwrap_or_default());
        self.canaries.check_answer(&self.asked, piece.as_deref().unwrap_or_default());
        Some(piece)
    }

    /// Reads to the end.
    pub(crate) async fn collect(mut self) -> Reply {
        let mut body = Vec::new();
        let mut is_cut = false;
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.response.frame()).await;
            match frame.expect("the body does not end") {
                None => break,
                Some(Ok(frame)) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) => {
                    is_cut = true;
                    break;
                }
            }
        }
        self.canaries.check_answer(&self.asked, &body);
        let (head, _) = self.response.into_parts();
        Reply { status: head.status, headers: head.headers, body: body.into(), is_cut }
    }
}
