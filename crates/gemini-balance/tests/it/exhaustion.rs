//! What nobody plans for: too few descriptors, too little memory, a directory that is gone, a
//! defect of our own.

use std::path::Path;
use std::time::{Duration, Instant};

use fake_upstream::{Answer, Upstream, When};
use http::StatusCode;
use serde_json::json;

use crate::support::process::{Process, log_in};
use crate::support::{
    Ask, Client, DEFECT, FORMS, PASSWORD, Setup, Spoken, Wire, eventually, statuses,
};

/// A furnished gateway as a process, and the key of its caller.
async fn start(
    program: impl FnOnce(&[(&str, &str)]) -> Process,
    upstream: &Upstream,
    settings: &[(&str, &str)],
) -> (Process, std::net::SocketAddr, String) {
    let (gemini, openai) = (upstream.url(), format!("{}/v1beta/openai", upstream.url()));
    let base = [
        ("GEMINI_API_BASE_URL", gemini.as_str()),
        ("OPENAI_API_BASE_URL", openai.as_str()),
        ("PASSWORD", PASSWORD),
        ("WORKERS", "1"),
    ];
    let mut gateway =
        program(&base.into_iter().chain(settings.iter().copied()).collect::<Vec<_>>());
    let address = gateway.address().await;
    let admin = log_in(address).await;
    admin.post("/api/keys", &json!({"api_keys": ["a-service-key"]})).await;
    let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await;
    let user_key = made.json()["api_key"].as_str().unwrap().to_owned();
    (gateway, address, user_key)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_it_pauses_serves_who_is_there_and_recovers() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let program = |settings: &[(&str, &str)]| {
        Process::start_from("ulimit -n 256 && exec \"$0\"", directory.path(), settings)
    };
    let (gateway, address, user_key) = start(program, &upstream, &[("WORKERS", "2")]).await;
    let list =
        format!("GET /v1beta/models HTTP/1.1\r\nhost: x\r\nx-goog-api-key: {user_key}\r\n\r\n");
    let mut caller = Wire::connect(address).await;
    caller.send(&list).await;
    assert_eq!(caller.read_reply().await.status, StatusCode::OK);

    let mut crowd = Vec::new();
    for _ in 0..400 {
        crowd.push(Wire::connect(address).await);
    }
    eventually("it pauses", async || gateway.output().contains("cannot accept connections")).await;
    let (cpu, began) = (gateway.cpu(), Instant::now());
    while began.elapsed() < Duration::from_secs(1) {
        caller.send(&list).await;
        assert_eq!(caller.read_reply().await.status, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let cpu = gateway.cpu() - cpu;
    drop(crowd);

    assert!(cpu < Duration::from_millis(300), "{cpu:?} of a second");
    let pauses = gateway.output().matches("cannot accept connections").count();
    // One by each worker in ten seconds, however often they try.
    assert!(pauses <= 4, "{pauses}");
    let client = Client::new(address).bearer(&user_key);
    assert_eq!(Ask::openai().of(&client).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_take_no_more_memory_than_their_budget() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let program = |settings: &[(&str, &str)]| Process::start(directory.path(), settings);
    let limits = [("BODY_LIMIT_MB", "16"), ("BODY_BUDGET_MB", "32")];
    let (gateway, address, user_key) = start(program, &upstream, &limits).await;
    let before = gateway.memory_kib().1;
    let body = "x".repeat(12 << 20);
    let send = async |caller: &str, framing: &str| {
        let mut wire = Wire::connect(address).await;
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x";
        wire.send(format!("{head}\r\n{caller}{framing}\r\n\r\n")).await;
        wire.send(&body).await;
        wire
    };
    let known = format!("x-api-key: {user_key}\r\n");
    // Never whole, so that each keeps what it has.
    let declared = "content-length: 16777216".to_owned();
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{:x}", 1 << 24);

    let mut all = Vec::new();
    for framing in [&declared, &chunked] {
        for caller in [known.as_str(), ""] {
            for _ in 0..4 {
                all.push(send(caller, framing).await);
            }
        }
    }
    let refused = &mut all[2];
    let answer = refused.read_to_end().await;

    assert_eq!(statuses(&answer), [503], "{answer}");
    assert!(answer.contains("body_budget") && answer.contains("retry-after: 1"), "{answer}");
    let grown = gateway.memory_kib().1 - before;
    assert!(grown < 96 << 10, "{grown} KiB");
    let held = all.len();
    drop(all);
    let client = Client::new(address).bearer(&user_key);
    assert_eq!(Ask::openai().of(&client).await.status, StatusCode::OK, "after {held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_log_directory_it_serves_and_makes_another() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let program = |settings: &[(&str, &str)]| Process::start(directory.path(), settings);
    let settings = [("LOG_FILE_DIR", logs.to_str().unwrap())];
    let (_gateway, address, user_key) = start(program, &upstream, &settings).await;
    let client = Client::new(address).bearer(&user_key);
    let is_written = |logs: &Path| logs.join("gemini-balance.log").exists();
    eventually("it is written", async || is_written(&logs)).await;

    std::fs::remove_dir_all(&logs).unwrap();

    assert_eq!(Ask::openai().of(&client).await.status, StatusCode::OK);
    eventually("it is written again", async || is_written(&logs)).await;
}

/// The key and the place are held while the line about the failed attempt is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_its_request_alone_and_gives_back_what_that_held() {
    Spoken::listen();
    let gateway = Setup::default().set("METRICS_PUBLIC", true).start().await;
    gateway.upstream.on(When::any().model(DEFECT), Answer::quota_per_minute(60));

    for (dialect, mode) in FORMS {
        let reply = Ask::new(dialect, mode).model(DEFECT).of(&gateway.openai()).await;
        gateway.assert_error(&reply, dialect, 500, "internal");
        gateway.idle().await;
    }

    let rows = gateway.final_rows().await;
    let kinds = rows.iter().map(|row| (row.status, row.error_kind.as_deref()));
    assert_eq!(Vec::from_iter(kinds), [(Some(500), Some("internal")); FORMS.len()]);
    assert_eq!(Ask::openai().of(&gateway.openai()).await.status, StatusCode::OK);
    let metrics = gateway.stranger().get("/metrics").await.text();
    assert!(metrics.contains("gemini_balance_panics_total 4"), "{metrics}");
    gateway.close().await;
}
