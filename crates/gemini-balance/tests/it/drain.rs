//! The way down: what is under way ends, who comes late is told, nobody is cut off.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_upstream::{Answer, Upstream, When};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::process::{Process, log_in};
use crate::support::{Ask, Client, PASSWORD, Stream, Wire, eventually};

/// How soon the process ends when nothing holds it back any more; by design within a second.
const SOON: Duration = Duration::from_secs(1);

/// A gateway with a stream that goes on until it is dropped.
struct Busy {
    gateway: Process,
    client: Client,
    stream: Stream,
    _upstream: Upstream,
    _directory: tempfile::TempDir,
}

impl Busy {
    async fn start() -> Self {
        let upstream = Upstream::start().await.unwrap();
        upstream.on(When::any().model("gemini-endless"), Answer::stall_after(1));
        let directory = tempfile::tempdir().unwrap();
        let (gateway, client) = start(&upstream, directory.path(), &[]).await;
        let mut stream = Ask::gemini().streamed().model("gemini-endless").open(&client).await;
        stream.next().await.unwrap();
        Self { gateway, client, stream, _upstream: upstream, _directory: directory }
    }

    async fn is_draining(&self) {
        eventually("it says that it is leaving", async || {
            self.client.get("/ready").await.status == StatusCode::SERVICE_UNAVAILABLE
        })
        .await;
    }
}

/// Starts a gateway and makes a caller.
async fn start(
    upstream: &Upstream,
    directory: &Path,
    settings: &[(&str, &str)],
) -> (Process, Client) {
    let (gemini, openai) = (upstream.url(), format!("{}/v1beta/openai", upstream.url()));
    let base = [
        ("GEMINI_API_BASE_URL", gemini.as_str()),
        ("OPENAI_API_BASE_URL", openai.as_str()),
        ("PASSWORD", PASSWORD),
        ("WORKERS", "2"),
    ];
    let settings: Vec<_> = base.into_iter().chain(settings.iter().copied()).collect();
    let mut gateway = Process::start(directory, &settings);
    let address = gateway.address().await;
    let admin = log_in(address).await;
    admin.post("/api/keys", &json!({"api_keys": ["a-service-key", "b-service-key"]})).await;
    let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await;
    let user_key = made.json()["api_key"].as_str().unwrap().to_owned();
    (gateway, Client::new(address).bearer(&user_key))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_it_says_so_and_turns_newcomers_away() {
    let mut busy = Busy::start().await;
    let began = Instant::now();
    busy.gateway.signal("TERM");
    busy.is_draining().await;
    let known_after = began.elapsed();

    let ready = busy.client.get("/ready").await;
    let alive = busy.client.get("/health").await;
    let openai = Ask::openai().of(&busy.client).await;
    let gemini = Ask::gemini().streamed().of(&busy.client).await;
    let admin = busy.client.get("/api/keys").await;

    // By design within 100 ms; a busy machine gets some more.
    assert!(known_after < Duration::from_millis(500), "{known_after:?}");
    assert_eq!(ready.json()["status"], "draining");
    assert_eq!(alive.status, StatusCode::OK);
    assert_eq!(openai.json()["error"]["code"], "shutting_down");
    assert_eq!(gemini.json()["error"]["status"], "UNAVAILABLE");
    assert!(admin.json()["detail"].is_string());
    for reply in [&openai, &gemini] {
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((reply.header("retry-after"), reply.header("connection")), ("5", "close"));
        assert_eq!(reply.header("x-request-id").len(), 32);
    }
    drop(busy.stream);
    assert!(busy.gateway.exit().await.success(), "{}", busy.gateway.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_last_request_whoever_else_is_connected() {
    let mut busy = Busy::start().await;
    let address = busy.gateway.address().await;
    let _silent = TcpStream::connect(address).await.unwrap();
    // Half a head is no request, neither as the first nor as the second of a connection.
    let mut half = Wire::connect(address).await;
    half.send("POST /v1/chat/completions HTTP/1.1\r\nhost").await;
    let mut idle = Vec::new();
    for rest in ["", "GET /health HTTP/1.1\r\nho"] {
        let mut wire = Wire::connect(address).await;
        wire.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        wire.read_until("{\"status\":\"ok\"}").await;
        wire.send(rest).await;
        idle.push(wire);
    }
    let admin = log_in(address).await;
    let mut watchers = Vec::new();
    for _ in 0..50 {
        watchers.push(admin.open(Method::GET, "/api/logs/sse", "").await);
    }
    busy.gateway.signal("TERM");
    busy.is_draining().await;
    let _late = TcpStream::connect(address).await.unwrap();

    drop(busy.stream);
    let began = Instant::now();
    let status = busy.gateway.exit().await;

    assert!(status.success(), "{}", busy.gateway.output());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    for watcher in watchers {
        assert!(!watcher.collect().await.is_cut);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_does_not_read_cannot_hold_it_back() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any(), Answer::giant_line(32));
    let directory = tempfile::tempdir().unwrap();
    let (mut gateway, client) =
        start(&upstream, directory.path(), &[("DRAIN_SECONDS", "0.2")]).await;
    let stuck = Ask::gemini().streamed().open(&client).await;

    gateway.signal("TERM");
    let began = Instant::now();
    let status = gateway.exit().await;

    assert!(status.success(), "{}", gateway.output());
    // The drain, the farewell of a second, and what a busy machine needs.
    assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_whatever_is_under_way() {
    let mut busy = Busy::start().await;
    busy.gateway.signal("TERM");
    busy.is_draining().await;

    busy.gateway.signal("TERM");
    let began = Instant::now();
    let status = busy.gateway.exit().await;

    assert_eq!(status.code(), Some(1));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// How the requests of one caller ended.
#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    turned_away: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_under_load_fails_no_request_and_loses_no_row() {
    check_termination(100, 150).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: half a minute"]
async fn a_termination_among_streams_of_twenty_seconds_fails_no_request_either() {
    check_termination(200, 4_000).await;
}

/// Ends a gateway under so many streams, of five events with such pauses, and eight callers who ask
/// as fast as they can.
async fn check_termination(stream_count: usize, pause_ms: u64) {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any().model("gemini-slow"), Answer::paced(5, pause_ms));
    let directory = tempfile::tempdir().unwrap();
    let (mut gateway, client) = start(&upstream, directory.path(), &[]).await;
    let mut streams = JoinSet::new();
    for number in 0..stream_count {
        let client = client.clone();
        let slow = if number % 2 == 0 { Ask::gemini() } else { Ask::openai() };
        let slow = slow.streamed().model("gemini-slow").text(format!("stream {number}"));
        streams.spawn(async move { slow.is_answered(&client).await });
    }
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (client, tally) = (client.clone(), Arc::clone(&tally));
        callers.spawn(async move {
            // Each until it is told that the gateway is leaving.
            loop {
                let ask = Ask::openai();
                let reply = ask.of(&client).await;
                if ask.is_answered_by(&reply) {
                    tally.lock().answered += 1;
                    continue;
                }
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text());
                assert_eq!(reply.json()["error"]["code"], "shutting_down");
                tally.lock().turned_away += 1;
                return;
            }
        });
    }
    upstream.wait_until(|seen| seen.len() > 200).await.unwrap();

    gateway.signal("TERM");
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    while let Some(done) = streams.join_next().await {
        done.unwrap();
    }
    let began = Instant::now();
    let status = gateway.exit().await;

    assert!(status.success() && began.elapsed() < SOON, "{status} {:?}", began.elapsed());
    let Tally { answered, turned_away } = std::mem::take(&mut *tally.lock());
    assert_eq!(turned_away, 8);
    let mut again = Process::start(directory.path(), &[("PASSWORD", PASSWORD)]);
    let admin = log_in(again.address().await).await;
    let total = &admin.get("/api/request_logs").await.json()["total"];
    assert_eq!(*total, answered + stream_count as u64, "a row for every answer");
}
