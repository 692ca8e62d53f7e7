//! Keys or upstream? When many keys fail alike, no key is blamed and the upstream is not buried
//! under retries.

use fake_upstream::{Answer, When};
use gemini_balance::clock::Clock;
use http::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{Ask, FORMS, Gateway, MODEL, Setup, eventually};

const KEYS: [&str; 10] = [
    "pool-key-0",
    "pool-key-1",
    "pool-key-2",
    "pool-key-3",
    "pool-key-4",
    "pool-key-5",
    "pool-key-6",
    "pool-key-7",
    "pool-key-8",
    "pool-key-9",
];

/// A gateway with ten keys, of which each would rest after its first fault.
async fn strict_gateway() -> Gateway {
    Setup::default()
        .keys(KEYS)
        .set("API_KEY_FAILURE_THRESHOLD", 1)
        .set("CHECK_HEALTH_TIME_INTERVAL_SECONDS", 0.05)
        .start()
        .await
}

async fn ready(gateway: &Gateway) -> (StatusCode, Value) {
    let reply = gateway.stranger().get("/ready").await;
    (reply.status, reply.json())
}

fn assert_nobody_rests(gateway: &Gateway) {
    for key in KEYS {
        assert_eq!(gateway.state_of(key), "active", "{key}");
        assert_eq!(gateway.rest_ms_of(key, MODEL), 0, "{key}");
        assert_eq!(gateway.bucket_of(key, MODEL).map_or(0, |bucket| bucket.level), 0, "{key}");
    }
}

/// Every key fails alike, is asked a few times, and then serves again.
async fn check(answer: Answer, status: StatusCode) {
    let gateway = strict_gateway().await;
    gateway.upstream.on(When::any(), answer);

    for (dialect, mode) in FORMS {
        let reply = Ask::new(dialect, mode).of(&gateway.openai()).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }

    assert_nobody_rests(&gateway);
    let (code, body) = ready(&gateway).await;
    assert_eq!((code, &body["status"]), (StatusCode::OK, &Value::from("degraded")));
    assert_eq!(body["reasons"][0], "the upstream or the way to it is in trouble");

    gateway.upstream.clear();
    eventually("a probe finds the end", async || gateway.app().pool.trouble().is_none()).await;
    assert_eq!(ready(&gateway).await.1["status"], "ready");
    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_fails_for_every_key_cools_none() {
    check(Answer::server_error(500), StatusCode::INTERNAL_SERVER_ERROR).await;
    check(Answer::overloaded(), StatusCode::SERVICE_UNAVAILABLE).await;
    check(Answer::reset(), StatusCode::BAD_GATEWAY).await;
    check(Answer::html_200(), StatusCode::BAD_GATEWAY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_out_that_is_throttled_cools_no_key() {
    check(Answer::rate_limited_bare(), StatusCode::TOO_MANY_REQUESTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_gone_blames_no_key() {
    let gateway = Setup::default()
        .keys(KEYS)
        .set("API_KEY_FAILURE_THRESHOLD", 1)
        .set("GEMINI_API_BASE_URL", "http://127.0.0.1:1")
        .start()
        .await;

    for _ in 0..4 {
        let reply = Ask::gemini().of(&gateway.gemini()).await;
        assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "{}", reply.text());
        assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    }

    assert_nobody_rests(&gateway);
    Ask::openai().is_answered(&gateway.openai()).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sick_key_among_healthy_ones_is_cooled_alone() {
    let gateway = strict_gateway().await;
    gateway.upstream.on(When::any().key(KEYS[0]), Answer::server_error(500));

    for _ in 0..20 {
        Ask::gemini().is_answered(&gateway.gemini()).await;
    }

    assert!(gateway.app().pool.trouble().is_none());
    let resting: Vec<_> =
        KEYS.into_iter().filter(|key| gateway.rest_ms_of(key, MODEL) > 0).collect();
    assert_eq!(resting, [KEYS[0]]);
    gateway.close().await;
}

/// What an upstream that fails for everybody gets of 200 requests at once.
async fn storm(answer: Answer) -> Gateway {
    let clock = Clock::manual(1_800_043_200_000);
    let gateway = Setup::default().keys(KEYS).clock(&clock).start().await;
    gateway.upstream.on(When::any(), answer);
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let client = gateway.openai();
        let (dialect, mode) = FORMS[number % FORMS.len()];
        callers.spawn(async move { Ask::new(dialect, mode).of(&client).await });
    }
    while let Some(reply) = callers.join_next().await {
        let reply = reply.unwrap();
        assert!(reply.status.as_u16() >= 429, "{} {}", reply.status, reply.text());
    }
    gateway
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_stay_within_their_budget_when_everything_fails() {
    let limited_keys = u16::try_from(KEYS.len()).unwrap();
    for (answer, tries_max) in [
        (Answer::overloaded(), 3),
        (Answer::reset(), 3),
        (Answer::rate_limited_bare(), 3 + limited_keys),
    ] {
        let gateway = storm(answer).await;

        // The clock stands still: a fifth of the requests, and one second's ten. The first
        // answers, before the trouble is known to be common, cost a key each.
        let seen = gateway.upstream.seen().len();
        assert!(200 <= seen && seen <= 200 + 40 + 10 + KEYS.len(), "{seen} requests");
        let rows = gateway.rows().await;
        assert_eq!(rows.len(), seen, "one row for each try");
        assert!(rows.iter().all(|row| row.attempt <= tries_max), "{rows:?}");
        assert_eq!(rows.iter().filter(|row| row.is_final).count(), 200);
        assert_nobody_rests(&gateway);
        gateway.close().await;
    }
}
