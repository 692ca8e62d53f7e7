//! Files go up in pieces, through an address that lets in by itself.

use bytes::Bytes;
use dialect::Dialect;
use fake_upstream::{Answer, Upstream, When};
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use super::{begin, close, keeping, path_of, piece, small_file, upload};
use crate::support::process::{Process, log_in};
use crate::support::{Client, PASSWORD, Reply, Setup};

/// What an upload may cost at most, however large it is.
const UPLOAD_KIB_MAX: u64 = 4 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_several_pieces_comes_back_as_it_went() {
    let gateway = keeping(Setup::default(), 20).await;
    let client = gateway.gemini();
    let content: Vec<u8> = (0..9_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let content = Bytes::from(content);

    let file = upload(&gateway, &client, &content).await;

    assert_eq!(file["sizeBytes"], content.len().to_string());
    let uri = file["uri"].as_str().unwrap();
    assert!(uri.starts_with("https://generativelanguage.googleapis.com/v1beta/files/"), "{uri}");
    let download = client.get(&format!("{}:download?alt=media", path_of(&file))).await;
    assert_eq!((download.status.as_u16(), download.body == content), (200, true));
    let path = path_of(&file).replace("/v1beta/", "/download/v1beta/");
    assert!(client.get(&format!("{path}:download?alt=media")).await.body == content);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_asked_how_far_it_came_and_goes_on_after_a_restart() {
    let gateway = keeping(Setup::default(), 20).await;
    let begun = begin(&gateway.gemini(), "/gemini/upload/v1beta/files", 300_000).await;
    assert!(begun.starts_with("/gemini/upload/v1beta/files?upload_id="), "{begun}");
    let first = piece(&gateway, &begun, (0, "upload"), vec![1; 262_144].into()).await;
    assert_eq!(first.header("x-goog-upload-status"), "active");

    let gateway = gateway.restart().await;

    let asked = piece(&gateway, &begun, (0, "query"), Bytes::new()).await;
    assert_eq!(asked.header("x-goog-upload-size-received"), "262144");
    let wrong = piece(&gateway, &begun, (5, "upload, finalize"), vec![2; 37_856].into()).await;
    assert_eq!(wrong.status, 400);
    let last = piece(&gateway, &begun, (262_144, "upload, finalize"), vec![2; 37_856].into()).await;
    assert_eq!((last.status.as_u16(), last.header("x-goog-upload-status")), (200, "final"));
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_on_with_an_upload_that_was_not_handed_to_them() {
    let gateway = keeping(Setup::default(), 3).await;
    let begun = begin(&gateway.gemini(), "/upload/v1beta/files", 5).await;
    let bob = super::another(&gateway, "bob").await;
    gateway.forget();

    let (path, id) = begun.split_once("upload_id=").unwrap();
    let mut altered = id.to_owned();
    altered.replace_range(40..41, if &id[40..41] == "A" { "B" } else { "A" });
    for id in ["upload-1", &altered, &id[1..]] {
        let path = format!("{path}upload_id={id}");
        let reply = piece(&gateway, &path, (0, "upload, finalize"), "hello".into()).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
    }
    assert_eq!(
        bob.send(Method::POST, &begun, "hello").await.status,
        404,
        "another's key beside it"
    );
    let app = gateway.app();
    let users = app.store.user_keys().await.unwrap();
    let alice = users.iter().find(|user| user.name == "alice").unwrap().id;
    app.user_keys.delete(alice, app.clock.wall_ms()).await.unwrap();
    let reply = piece(&gateway, &begun, (0, "upload, finalize"), "hello".into()).await;
    assert_eq!(reply.status, 404, "its user key is gone");

    assert_eq!(gateway.upstream.seen().len(), 0);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_ways_to_bring_a_file_work_too() {
    let gateway = keeping(Setup::default(), 5).await;
    let client = gateway.gemini();

    let raw = client.with("x-goog-upload-protocol", "raw").with("content-type", "text/plain");
    let raw = raw.send(Method::POST, "/upload/v1beta/files", "hello").await;
    let parts = "--b\r\ncontent-type: application/json\r\n\r\n{\"file\":{}}\r\n--b\r\n\
                 content-type: text/plain\r\n\r\nhello\r\n--b--\r\n";
    let multipart = client
        .with("x-goog-upload-protocol", "multipart")
        .with("content-type", "multipart/related; boundary=b")
        .send(Method::POST, "/upload/v1beta/files", parts)
        .await;
    let described = client.post("/v1beta/files", &json!({"file": {"displayName": "x"}})).await;

    for reply in [raw, multipart, described] {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let path = path_of(&reply.json()["file"]);
        assert_eq!(client.get(&path).await.status, 200);
    }
    let store = client.post("/v1beta/fileSearchStores", &json!({})).await.json();
    let store = store["name"].as_str().unwrap();
    let path = format!("/upload/v1beta/{store}:uploadToFileSearchStore");
    let begun = begin(&client, &path, 5).await;
    let done = piece(&gateway, &begun, (0, "upload, finalize"), "hello".into()).await;
    assert_eq!(done.json()["done"], true);
    small_file(&gateway, &client).await;
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_beyond_the_limit_is_refused_before_anybody_is_asked() {
    let gateway = keeping(Setup::default().set("UPLOAD_LIMIT_MB", 1), 3).await;
    let begun = begin(&gateway.gemini(), "/upload/v1beta/files", 2 << 20).await;
    gateway.forget();

    let reply = piece(&gateway, &begun, (0, "upload, finalize"), vec![0; 2 << 20].into()).await;

    assert_eq!(reply.status, 413);
    assert_eq!(gateway.upstream.seen().len(), 0);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_300_mb_is_never_held() {
    let lone = Lone::start().await;
    let whole = async |content: Bytes| {
        let path = begin(&lone.client, "/upload/v1beta/files", content.len()).await;
        let sender = Client::new(lone.client.address())
            .with("x-goog-upload-command", "upload, finalize")
            .with("x-goog-upload-offset", "0");
        sender.send(Method::POST, &path, content).await
    };

    lone.holds_nothing(whole).await;

    lone.upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_300_mb_that_comes_whole_is_never_held() {
    let lone = Lone::start().await;
    for (protocol, content_type) in
        [("raw", "text/plain"), ("multipart", "multipart/related; boundary=b")]
    {
        let whole = async |content: Bytes| {
            let sender = lone.client.with("x-goog-upload-protocol", protocol);
            let sender = sender.with("content-type", content_type);
            sender.send(Method::POST, "/upload/v1beta/files", content).await
        };

        lone.holds_nothing(whole).await;
    }
    lone.upstream.stop().await;
}

/// A gateway in a process of its own, whose memory can be seen.
struct Lone {
    process: Process,
    client: Client,
    upstream: Upstream,
    _directory: TempDir,
}

impl Lone {
    async fn start() -> Self {
        let upstream = Upstream::start().await.unwrap();
        upstream.keep_resources();
        let directory = tempfile::tempdir().unwrap();
        let gemini = upstream.url();
        let mut process = Process::start(
            directory.path(),
            &[
                ("GEMINI_API_BASE_URL", gemini.as_str()),
                ("PASSWORD", PASSWORD),
                ("WORKERS", "1"),
                ("UPSTREAM_ALLOW_PRIVATE", "true"),
            ],
        );
        let address = process.address().await;
        let admin = log_in(address).await;
        admin.post("/api/keys", &json!({"api_keys": ["service-key-1"]})).await;
        let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await.json();
        let client = Client::new(address).with("x-goog-api-key", made["api_key"].as_str().unwrap());
        Self { process, client, upstream, _directory: directory }
    }

    /// Sends a file, and a far larger one, which costs no more.
    async fn holds_nothing(&self, send: impl AsyncFn(Bytes) -> Reply) {
        let first = send(Bytes::from(vec![7; 20_000_000])).await;
        assert_eq!(first.status, 200, "{}", first.text());
        self.process.forget_peak_memory();
        let (before, _) = self.process.memory_kib();

        let reply = send(Bytes::from(vec![7; 300_000_000])).await;

        assert_eq!(reply.json()["file"]["sizeBytes"], "300000000");
        let (_, peak) = self.process.memory_kib();
        let cost = peak.saturating_sub(before);
        assert!(cost <= UPLOAD_KIB_MAX, "it cost {cost} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_that_comes_whole_lies_where_others_lie_and_has_one_try() {
    let gateway = keeping(Setup::default(), 20).await;
    let client = gateway.gemini();
    let raw = client.with("x-goog-upload-protocol", "raw").with("content-type", "text/plain");
    let content = Bytes::from(vec![b'x'; 9 << 20]);
    let small = small_file(&gateway, &client).await;

    let large = raw.send(Method::POST, "/upload/v1beta/files", content.clone()).await.json();

    let asked = super::about(&[&small["uri"], &large["file"]["uri"]], None);
    assert_eq!(client.post(&super::generate(), &asked).await.status, 200, "made in one project");
    let download = client.get(&format!("{}:download?alt=media", path_of(&large["file"]))).await;
    assert!(download.body == content);

    // A key that is at fault is not the caller's business, and serves nobody from then on.
    gateway.forget();
    gateway.upstream.on(When::any().times(1), Answer::key_invalid());
    let failed = raw.send(Method::POST, "/upload/v1beta/files", content.clone()).await;
    gateway.assert_error(&failed, Dialect::Gemini, 502, "upstream_fault");
    assert_eq!(gateway.upstream.seen().len(), 1);
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!((row.error_kind.as_deref(), row.status), (Some("key_invalid"), Some(400)));
    let again = raw.send(Method::POST, "/upload/v1beta/files", content).await;
    assert_eq!(again.status, 200, "{}", again.text());

    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_unknown_length_goes_through_in_chunks() {
    let gateway = keeping(Setup::default(), 3).await;
    let begun = begin(&gateway.gemini(), "/upload/v1beta/files", 11).await;

    let mut wire = gateway.wire().await;
    wire.send(format!(
        "POST {begun} HTTP/1.1\r\nhost: x\r\nx-goog-upload-command: upload, finalize\r\n\
         x-goog-upload-offset: 0\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello \r\n"
    ))
    .await;
    wire.send("5\r\nworld\r\n0\r\n\r\n").await;
    let reply = wire.read_reply().await;

    assert_eq!(reply.status, 200, "{}", reply.text());
    let file = &reply.json()["file"];
    let download = gateway.gemini().get(&format!("{}:download?alt=media", path_of(file))).await;
    assert_eq!(download.text(), "hello world");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_leaves_half_way_leaves_nothing_behind_and_may_come_back() {
    let gateway = keeping(Setup::default(), 3).await;
    let begun = begin(&gateway.gemini(), "/upload/v1beta/files", 1_000).await;
    let head = format!(
        "POST {begun} HTTP/1.1\r\nhost: x\r\nx-goog-upload-command: upload, finalize\r\n\
         x-goog-upload-offset: 0\r\ncontent-length: 1000\r\n\r\nonly a few bytes"
    );

    let mut wire = gateway.wire().await;
    wire.send(&head).await;
    gateway.upstream.wait_for_connections(|open| open > 1).await.unwrap();
    drop(wire);
    gateway.idle().await;
    let again = piece(&gateway, &begun, (0, "upload, finalize"), vec![b'x'; 1_000].into()).await;

    assert_eq!(again.status, 200, "{}", again.text());
    let kinds: Vec<_> = gateway.rows().await.into_iter().filter_map(|row| row.error_kind).collect();
    let is_told = |kind: &String| ["client_closed", "body_incomplete"].contains(&kind.as_str());
    assert!(kinds.len() == 1 && kinds.iter().all(is_told), "{kinds:?}");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_falls_silent_is_given_up() {
    let gateway = keeping(Setup::default().set("BODY_IDLE_TIMEOUT_SECONDS", 0.2), 3).await;
    let begun = begin(&gateway.gemini(), "/upload/v1beta/files", 1_000).await;

    let mut wire = gateway.wire().await;
    wire.send(format!(
        "POST {begun} HTTP/1.1\r\nhost: x\r\nx-goog-upload-command: upload, finalize\r\n\
         x-goog-upload-offset: 0\r\ncontent-length: 1000\r\n\r\nonly a few bytes"
    ))
    .await;
    let reply = wire.read_reply().await;

    assert_eq!(reply.status, 408, "{}", reply.text());
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(row.error_kind.as_deref(), Some("body_timeout"));
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_an_upload_is_as_a_trusted_proxy_reports_it() {
    let gateway = keeping(Setup::default().set("TRUSTED_PROXIES", "127.0.0.1"), 3).await;
    let client = gateway
        .gemini()
        .with("x-forwarded-proto", "https")
        .with("x-forwarded-host", "gw.example")
        .with("x-forwarded-prefix", "/llm")
        .with("x-goog-upload-protocol", "resumable")
        .with("x-goog-upload-command", "start");

    let begun = client.post("/upload/v1beta/files", &json!({"file": {}})).await;

    let url = begun.header("x-goog-upload-url");
    assert!(url.starts_with("https://gw.example/llm/upload/v1beta/files?upload_id="), "{url}");
    close(gateway).await;
}
