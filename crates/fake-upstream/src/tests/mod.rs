//! The upstream over real sockets, seen by a client that hides nothing.

mod believable;
mod scripted;

use std::io::ErrorKind;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Upstream;

pub(crate) const GENERATE: &str = "/v1beta/models/m:generateContent";
pub(crate) const STREAM: &str = "/v1beta/models/m:streamGenerateContent?alt=sse";
pub(crate) const CHAT: &str = "/v1/chat/completions";

pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn hello(text: &str) -> String {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}).to_string()
}

pub(crate) fn chat(text: &str) -> String {
    let messages = json!([{"role": "user", "content": text}]);
    json!({"model": "m", "messages": messages, "stream": true}).to_string()
}

/// Asks with the key where the path's dialect wants it.
pub(crate) async fn ask(
    upstream: &Upstream,
    method: &str,
    path: &str,
    key: &str,
    body: &str,
) -> Received {
    exchange(upstream, &keyed(method, path, key, body)).await
}

pub(crate) fn keyed(method: &str, path: &str, key: &str, body: &str) -> String {
    let is_only_native = path.contains(':') || path.contains("/v1beta/models");
    let header = if path.contains("key=") {
        String::new()
    } else if is_only_native {
        format!("x-goog-api-key: {key}\r\n")
    } else {
        format!("authorization: Bearer {key}\r\n")
    };
    request(method, path, &header, body)
}

pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

pub(crate) async fn exchange(upstream: &Upstream, request: &str) -> Received {
    let mut client = connect(upstream).await;
    client.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut client).await
}

pub(crate) async fn connect(upstream: &Upstream) -> TcpStream {
    TcpStream::connect(upstream.address()).await.unwrap()
}

/// Everything until the connection ends, and the error it ended with.
pub(crate) async fn read_to_end(client: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut received = Vec::new();
    let error = client.read_to_end(&mut received).await.err().map(|error| error.kind());
    (String::from_utf8(received).unwrap(), error)
}

/// Reads one sound answer.
pub(crate) async fn read_answer(client: &mut TcpStream) -> Received {
    let head = read_until(client, b"\r\n\r\n").await;
    let status = head[9..12].parse().unwrap();
    let mut body = Vec::new();
    if let Some((_, length)) = head.split_once("content-length: ") {
        body.resize(length.lines().next().unwrap().parse().unwrap(), 0);
        client.read_exact(&mut body).await.unwrap();
    } else {
        loop {
            let size = read_until(client, b"\r\n").await;
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
            client.read_exact(&mut chunk).await.unwrap();
            if chunk.len() == 2 {
                break;
            }
            body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }
    Received { status, head, body }
}

pub(crate) async fn read_until(client: &mut TcpStream, end: &[u8]) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        read.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

/// The words of a line of a test's table.
pub(crate) fn words<const N: usize>(line: &str) -> [&str; N] {
    line.splitn(N, ' ').collect::<Vec<_>>().try_into().unwrap()
}
