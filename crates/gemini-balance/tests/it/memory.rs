//! What answers cost while they pass, as the system counts it.

use fake_upstream::{Answer, Step, Upstream, When};
use serde_json::json;

use crate::support::process::{Process, log_in};
use crate::support::{Client, Form, PASSWORD};

/// What a stream may cost at most, whatever passes through it.
const STREAM_KIB_MAX: u64 = 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_64_mib_passes_without_being_held() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (gemini, openai) = (upstream.url(), format!("{}/v1beta/openai", upstream.url()));
    let mut process = Process::start(
        directory.path(),
        &[
            ("GEMINI_API_BASE_URL", gemini.as_str()),
            ("OPENAI_API_BASE_URL", openai.as_str()),
            ("PASSWORD", PASSWORD),
            ("WORKERS", "1"),
        ],
    );
    let address = process.address().await;
    let admin = log_in(address).await;
    admin.post("/api/keys", &json!({"api_keys": ["service-key-1"]})).await;
    let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await.json();
    let client = Client::new(address).bearer(made["api_key"].as_str().unwrap());

    // With the filter of usage and without.
    for form in [Form::ChatStream, Form::GenerateStream] {
        upstream.on(When::any(), line_of(1));
        read_through(&client, form).await;
        upstream.on(When::any(), line_of(64));
        process.forget_peak_memory();
        let (before, _) = process.memory_kib();
        let bytes = read_through(&client, form).await;

        assert!(64 << 20 < bytes, "{form:?}: {bytes} bytes came");
        let (_, peak) = process.memory_kib();
        let cost = peak.saturating_sub(before);
        assert!(cost <= STREAM_KIB_MAX, "{form:?} cost {cost} KiB");
    }
    upstream.stop().await;
}

/// A stream whose first event is one line of so many MiB, in either dialect.
fn line_of(mib: usize) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    let text = |text: &'static str| Step::Chunk(text.into());
    let mut steps = vec![Step::Head { status: 200, headers }];
    steps.push(text("data: {\"candidates\":[{}],\"choices\":[{\"delta\":{\"content\":\""));
    let filler = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..mib {
        steps.extend([Step::Flush, Step::Chunk(filler.clone())]);
    }
    steps.push(text("\"}}]}\n\n"));
    steps.push(text("data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"choices\":[]}\n\n"));
    steps.push(text("data: [DONE]\n\n"));
    Answer::steps(steps)
}

/// Asks and reads to the end, holding nothing; returns how much came.
async fn read_through(client: &Client, form: Form) -> usize {
    let client = client.with("content-type", "application/json");
    let body = form.body("hello").to_string();
    let mut stream = client.open(http::Method::POST, form.path(), body).await;
    let mut bytes = 0;
    while let Some(piece) = stream.next().await {
        bytes += piece.len();
    }
    bytes
}
