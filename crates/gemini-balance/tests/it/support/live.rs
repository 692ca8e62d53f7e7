//! A WebSocket client that does what a test says and nothing by itself.

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use dialect::frames::{Close, Frames, Kind, Side, write, write_close};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Gateway, PATIENCE};

/// Where Google's SDKs open a session, with the slash that is too many.
pub(crate) const LIVE: &str =
    "//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
/// The first message of a session.
pub(crate) const SETUP: &str = r#"{"setup":{"model":"models/gemini-live","generationConfig":{}}}"#;
/// A nonce, and what it is answered with (RFC 6455, 1.3).
const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: Option<[u8; 4]> = Some([0x1A, 0x2B, 0x3C, 0x4D]);

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A client of a Live session; dropping it leaves without a word.
pub(crate) struct LiveClient {
    stream: Box<dyn Socket>,
    /// The head of the answer to the handshake.
    pub(crate) head: String,
    received: BytesMut,
    frames: Frames,
    /// A message that is not whole, with the kind of its first frame.
    message: (Kind, Vec<u8>),
    /// The payload of a control frame that is not whole.
    control: Vec<u8>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A whole message, with the kind of its first frame.
    Message(Kind, String),
    Ping(String),
    Pong(String),
    Closed(Close),
    /// The connection has ended.
    Gone,
}

impl Said {
    /// The text of a message of bytes, which those of a server are.
    pub(crate) fn text(self) -> String {
        let Self::Message(Kind::Binary, text) = self else { panic!("{self:?}") };
        text
    }

    /// Code and reason of a last word.
    pub(crate) fn close(self) -> (u16, String) {
        let Self::Closed(close) = self else { panic!("{self:?}") };
        (close.code.unwrap(), close.reason)
    }
}

/// A request for a session, with further fields.
pub(crate) fn handshake(target: &str, fields: &[(&str, &str)]) -> String {
    let mut head = format!(
        "GET {target} HTTP/1.1\r\nHost: gateway.test\r\nUpgrade: websocket\r\n\
         Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {NONCE}\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    );
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head + "\r\n"
}

impl LiveClient {
    /// Opens a session as Google's Python SDK does.
    pub(crate) async fn open(gateway: &Gateway) -> Self {
        Self::open_at(gateway.address(), LIVE, &[("x-goog-api-key", &gateway.user_key)]).await
    }

    /// Opens a session that is agreed to.
    pub(crate) async fn open_at(
        address: SocketAddr,
        target: &str,
        fields: &[(&str, &str)],
    ) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let client = Self::ask(stream, &handshake(target, fields)).await;
        assert!(client.is_agreed(), "{}", client.head);
        client
    }

    /// Asks for a session over a connection that stands, and reads the head of the answer.
    pub(crate) async fn ask(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: &str,
    ) -> Self {
        let mut client = Self {
            stream: Box::new(stream),
            head: String::new(),
            received: BytesMut::new(),
            frames: Frames::new(Side::Server),
            message: (Kind::Text, Vec::new()),
            control: Vec::new(),
        };
        client.stream.write_all(request.as_bytes()).await.unwrap();
        client.stream.flush().await.unwrap();
        while !client.head.ends_with("\r\n\r\n") {
            if client.received.is_empty() && !client.read().await {
                break;
            }
            client.head.push(char::from(client.received.get_u8()));
        }
        client
    }

    /// Whether the session has been agreed to, by an upstream that has seen the nonce.
    pub(crate) fn is_agreed(&self) -> bool {
        self.head.starts_with("HTTP/1.1 101 ")
            && self.head.contains(&format!("sec-websocket-accept: {ACCEPT}\r\n"))
            && !self.head.contains("sec-websocket-extensions")
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.send_frame(Kind::Text, text.as_bytes()).await;
    }

    pub(crate) async fn send_frame(&mut self, kind: Kind, payload: &[u8]) {
        self.send_bytes(&write(kind, payload, MASK)).await;
    }

    /// Sends bytes; a peer that is gone is no failure, what it said is read next.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Says the last word.
    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        self.send_bytes(&write_close(code, reason, MASK)).await;
    }

    /// Sends the first message and hears that all is ready.
    pub(crate) async fn set_up(&mut self) {
        self.send(SETUP).await;
        assert_eq!(self.next().await.text(), r#"{"setupComplete":{}}"#);
    }

    /// Says something and hears the echo to its end; returns what was heard.
    pub(crate) async fn turn(&mut self, text: &str) -> Vec<String> {
        let turns = json!([{"role": "user", "parts": [{"text": text}]}]);
        let message = json!({"clientContent": {"turns": turns, "turnComplete": true}});
        self.send(&message.to_string()).await;
        let mut heard = Vec::new();
        loop {
            let said = self.next().await;
            if !matches!(said, Said::Ping(_)) {
                heard.push(said.text());
            }
            if heard.last().is_some_and(|last| last.contains("turnComplete")) {
                return heard;
            }
        }
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Said {
        loop {
            while !self.received.is_empty() {
                let messages = self.frames.messages();
                let step = self.frames.step(&self.received);
                let part = step.unmasked(&self.received);
                self.received.advance(step.bytes);
                assert!(!self.frames.is_lost(), "no frame");
                let this = self.frames.kind().unwrap();
                if this.is_control() {
                    self.control.extend(part);
                    if step.is_end {
                        let words = std::mem::take(&mut self.control);
                        let words = String::from_utf8_lossy(&words).into_owned();
                        return match this {
                            Kind::Close => Said::Closed(self.frames.close().unwrap().clone()),
                            Kind::Ping => Said::Ping(words),
                            Kind::Continuation | Kind::Text | Kind::Binary | Kind::Pong => {
                                Said::Pong(words)
                            }
                        };
                    }
                    continue;
                }
                if this != Kind::Continuation {
                    self.message.0 = this;
                }
                self.message.1.extend(part);
                if messages < self.frames.messages() {
                    let (kind, payload) = &mut self.message;
                    let text = String::from_utf8_lossy(&std::mem::take(payload)).into_owned();
                    return Said::Message(*kind, text);
                }
            }
            if !self.read().await {
                return Said::Gone;
            }
        }
    }

    /// Everything up to the end of the connection that is not a ping.
    pub(crate) async fn rest(&mut self) -> Vec<Said> {
        let mut rest = Vec::new();
        loop {
            let said = self.next().await;
            if said == Said::Gone {
                return rest;
            }
            if !matches!(said, Said::Ping(_)) {
                rest.push(said);
            }
        }
    }

    async fn read(&mut self) -> bool {
        let reading = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.received));
        // A reset is an end as well.
        reading.await.expect("nothing came in time").is_ok_and(|count| 0 < count)
    }
}
