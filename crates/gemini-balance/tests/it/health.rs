//! `/health` and `/ready`: for everybody, without a secret, in every state and however busy.

use std::time::{Duration, Instant};

use fake_upstream::{Answer, When};
use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Ask, Setup, eventually};

/// How long an answer may take under overload; 10 ms by design, and more in a debug build on a
/// busy machine.
const AT_ONCE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn how_it_is_is_answered_at_once_while_hundreds_wait() {
    let keys = ["canary-key-1", "canary-key-2"];
    let gateway = Setup::default().keys(keys).set("MAX_CONCURRENT_REQUESTS", 10).start().await;
    gateway.upstream.on(When::any(), Answer::stall());
    let mut callers = JoinSet::new();
    for _ in 0..300 {
        let client = gateway.openai();
        callers.spawn(async move { drop(Ask::openai().of(&client).await) });
    }
    eventually("the others wait", async || {
        gateway.app().admission.queued() + gateway.app().admission.in_use() == 300
    })
    .await;

    let mut times = Vec::new();
    for path in ["/health", "/ready"].repeat(25) {
        let began = Instant::now();
        let reply = gateway.stranger().get(path).await;
        times.push(began.elapsed());
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.header("content-type"), "application/json");
        gateway.assert_discreet(&reply.text());
    }

    times.sort_unstable();
    assert!(times[25] < AT_ONCE, "{times:?}");
    callers.shutdown().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_usable_key_is_alive_and_says_what_it_lacks() {
    let gateway = Setup::default().keys(["the-only-key"]).start().await;
    gateway.upstream.on(When::any(), Answer::key_expired());
    let ready = async || {
        let reply = gateway.stranger().get("/ready").await;
        (reply.status, reply.json())
    };
    let well = json!({"status": "ready", "reasons": []});
    let ill = json!({"status": "degraded", "reasons": ["no service key is usable"]});

    let before = ready().await;
    Ask::gemini().of(&gateway.gemini()).await;
    let after = ready().await;
    let alive = gateway.stranger().get("/health").await;

    assert_eq!((before, after), ((StatusCode::OK, well), (StatusCode::OK, ill)));
    assert_eq!((alive.status, alive.json()), (StatusCode::OK, json!({"status": "ok"})));
    gateway.close().await;
}
