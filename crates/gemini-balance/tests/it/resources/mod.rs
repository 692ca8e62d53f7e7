//! What the upstream keeps for one project is reached with that project's key, by whoever made it, and
//! by nobody else: files, caches, batches, operations, interactions, in paths and in bodies.

mod administered;
mod affinity;
mod lists;
mod operations;
mod uploads;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Gateway, MODEL, Reply, Setup};

/// So many keys, each in a project of its own.
fn keys(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("a-service-key-of-project-{number:03}")).collect()
}

/// A gateway that spreads what is made over all its keys.
fn spread() -> Setup {
    Setup::default().set("KEEP_TOGETHER_SECONDS", 0)
}

/// A gateway in front of an upstream that keeps resources.
async fn keeping(setup: Setup, count: usize) -> Gateway {
    let keys = keys(count);
    let gateway = setup.keys(keys.iter().map(String::as_str)).start().await;
    gateway.upstream.keep_resources();
    gateway
}

/// A client of another user.
async fn another(gateway: &Gateway, name: &str) -> Client {
    let app = gateway.app();
    let made = app.user_keys.create(name.to_owned(), String::new(), None, app.clock.wall_ms());
    gateway.stranger().with("x-goog-api-key", made.await.unwrap().1.expose())
}

/// Begins an upload; the path to go on with it.
async fn begin(client: &Client, path: &str, bytes: usize) -> String {
    let begun = client
        .with("x-goog-upload-protocol", "resumable")
        .with("x-goog-upload-command", "start")
        .with("x-goog-upload-header-content-length", &bytes.to_string())
        .with("x-goog-upload-header-content-type", "text/plain")
        .post(path, &json!({"file": {"mimeType": "text/plain", "sizeBytes": bytes.to_string()}}))
        .await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    assert_eq!(begun.header("x-goog-upload-status"), "active");
    let url = begun.header("x-goog-upload-url").to_owned();
    let host = format!("http://{}", client.address());
    url.strip_prefix(&host).unwrap_or_else(|| panic!("{url}")).to_owned()
}

/// Sends a piece, without any key.
async fn piece(
    gateway: &Gateway,
    path: &str,
    (offset, command): (usize, &str),
    piece: Bytes,
) -> Reply {
    let client = gateway
        .stranger()
        .with("x-goog-upload-command", command)
        .with("x-goog-upload-offset", &offset.to_string());
    client.send(Method::POST, path, piece).await
}

/// Uploads a file in pieces of 8 MiB, as Google's SDKs do; what is told of it.
async fn upload(gateway: &Gateway, client: &Client, content: &Bytes) -> Value {
    const PIECE: usize = 8 << 20;
    let path = begin(client, "/upload/v1beta/files", content.len()).await;
    let mut offset = 0;
    loop {
        let end = content.len().min(offset + PIECE);
        let is_last = end == content.len();
        let command = if is_last { "upload, finalize" } else { "upload" };
        let reply = piece(gateway, &path, (offset, command), content.slice(offset..end)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let status = if is_last { "final" } else { "active" };
        assert_eq!(reply.header("x-goog-upload-status"), status);
        if is_last {
            return reply.json()["file"].clone();
        }
        offset = end;
    }
}

async fn small_file(gateway: &Gateway, client: &Client) -> Value {
    upload(gateway, client, &Bytes::from_static(b"hello")).await
}

fn path_of(file: &Value) -> String {
    format!("/v1beta/{}", file["name"].as_str().unwrap())
}

/// Asks a model about files and a cache.
fn about(uris: &[&Value], cache: Option<&Value>) -> Value {
    let mut parts = vec![json!({"text": "what is this?"})];
    parts.extend(uris.iter().map(|uri| json!({"fileData": {"fileUri": uri}})));
    let mut body = json!({"contents": [{"role": "user", "parts": parts}]});
    if let Some(cache) = cache {
        body["cachedContent"] = cache.clone();
    }
    body
}

fn generate() -> String {
    format!("/v1beta/models/{MODEL}:generateContent")
}

/// Nobody was led astray; then as ever.
async fn close(gateway: Gateway) {
    assert_eq!(gateway.upstream.strays(), [""; 0]);
    gateway.close().await;
}
