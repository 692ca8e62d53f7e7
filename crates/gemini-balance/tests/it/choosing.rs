//! Which key serves, and who waits for one.

use std::time::Instant;

use fake_upstream::{Answer, When};
use gemini_balance::clock::Clock;
use http::StatusCode;

use tokio::task::JoinSet;

use crate::support::{Ask, FORMS, Gateway, MODEL, Setup, Stream, eventually};

/// A stream that has begun and goes on until it is dropped.
async fn endless(gateway: &Gateway) -> Stream {
    let ask = Ask::gemini().streamed().text("endless");
    let mut stream = ask.open(&gateway.gemini()).await;
    assert_eq!(stream.status(), 200);
    stream.next().await.unwrap();
    stream
}

/// Streams stay open after their first event; everything else is answered.
fn let_streams_hang(gateway: &Gateway) {
    let streams = When::any().path_contains("streamGenerateContent");
    gateway.upstream.on(streams, Answer::stall_after(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_serve_in_turn_and_the_least_recently_used_goes_first() {
    let gateway = Gateway::start().await;

    for _ in 0..2 {
        for (dialect, mode) in FORMS {
            Ask::new(dialect, mode).is_answered(&gateway.openai()).await;
        }
    }

    let turn = ["service-key-1", "service-key-2", "service-key-3"];
    let expected: Vec<_> = turn.iter().cycle().take(8).collect();
    assert_eq!(gateway.keys_seen().iter().collect::<Vec<_>>(), expected);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_tier_serves_only_while_every_lower_one_rests() {
    let clock = Clock::manual(1_800_043_200_000);
    let gateway = Setup::default().keys(["free-key-1", "free-key-2"]).clock(&clock).start().await;
    gateway.add_keys(&["paid-key-1"], "", 1).await;
    let ask = async || Ask::gemini().is_answered(&gateway.gemini()).await;

    for _ in 0..4 {
        ask().await;
    }
    gateway.upstream.on(When::any().key("free-key-1"), Answer::quota_per_minute(10));
    gateway.upstream.on(When::any().key("free-key-2"), Answer::quota_per_minute(20));
    ask().await;
    ask().await;
    Ask::gemini().model("gemini-2.5-pro").of(&gateway.gemini()).await;
    gateway.upstream.clear();
    clock.advance(10_000);
    ask().await;

    let seen = gateway.keys_seen();
    let (one, two, paid) = ("free-key-1", "free-key-2", "paid-key-1");
    assert_eq!(seen[..4], [one, two, one, two], "free keys first");
    assert_eq!(seen[4..8], [one, two, paid, paid], "paid only when no free one is left");
    assert_eq!(seen.last().unwrap(), one, "the first free key that returns");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_fewer_requests_under_way_goes_first() {
    let gateway = Setup::default().keys(["busy-key-1", "idle-key-2"]).start().await;
    let_streams_hang(&gateway);
    let stream = endless(&gateway).await;

    for _ in 0..3 {
        Ask::gemini().is_answered(&gateway.gemini()).await;
    }

    assert_eq!(gateway.keys_seen()[1..], ["idle-key-2", "idle-key-2", "idle-key-2"]);
    drop(stream);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_never_has_more_requests_under_way_than_its_cap() {
    let gateway = Setup::default()
        .keys(["first-key", "second-key"])
        .set("KEY_MAX_CONCURRENCY", 2)
        .set("NO_KEY_WAIT_SECONDS", 0)
        .start()
        .await;
    let_streams_hang(&gateway);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(endless(&gateway).await);
    }

    let refused = Ask::gemini().of(&gateway.gemini()).await;

    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "1");
    for key in ["first-key", "second-key"] {
        assert_eq!(gateway.view_of(key).leases, 2);
    }
    streams.pop();
    eventually("a place is free", async || gateway.app().pool.counts().leases == 3).await;
    Ask::gemini().is_answered(&gateway.gemini()).await;
    drop(streams);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_are_served_in_the_order_they_came() {
    let gateway =
        Setup::default().keys(["the-only-key"]).set("KEY_MAX_CONCURRENCY", 1).start().await;
    let_streams_hang(&gateway);
    let stream = endless(&gateway).await;
    let mut waiting = JoinSet::new();
    for number in 0..8 {
        let client = gateway.gemini();
        let ask = Ask::gemini().text(format!("number {number}"));
        waiting.spawn(async move { ask.is_answered(&client).await });
        eventually("it stands in line", async || gateway.app().pool.waiting() == number + 1).await;
    }

    drop(stream);
    while let Some(answered) = waiting.join_next().await {
        answered.unwrap();
    }

    let seen = gateway.upstream.seen();
    for (number, seen) in seen[1..].iter().enumerate() {
        let body = String::from_utf8_lossy(&seen.body);
        assert!(body.contains(&format!("number {number}")), "{number}: {body}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_line_costs_nobody_a_key() {
    let gateway =
        Setup::default().keys(["the-only-key"]).set("KEY_MAX_CONCURRENCY", 1).start().await;
    let_streams_hang(&gateway);
    let stream = endless(&gateway).await;
    let mut leaving = JoinSet::new();
    for number in 0..5 {
        let client = gateway.gemini();
        leaving.spawn(async move { Ask::gemini().of(&client).await });
        eventually("it stands in line", async || gateway.app().pool.waiting() == number + 1).await;
    }
    let client = gateway.gemini();
    let mut staying = JoinSet::new();
    staying.spawn(async move { Ask::gemini().text("I stay").is_answered(&client).await });
    eventually("it stands in line", async || gateway.app().pool.waiting() == 6).await;

    leaving.shutdown().await;
    eventually("five have left", async || gateway.app().pool.waiting() == 1).await;
    drop(stream);
    staying.join_next().await.unwrap().unwrap();

    assert_eq!(gateway.upstream.seen().len(), 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_a_key_whose_rest_ends_soon() {
    let gateway = Setup::default()
        .keys(["the-only-key"])
        .set("API_KEY_FAILURE_THRESHOLD", 1)
        .set("API_KEY_COOL_DOWN_SECONDS", 0.3)
        .set("MAX_RETRIES", 0)
        .start()
        .await;
    gateway.upstream.on(When::any().times(1), Answer::server_error(503));
    let failed = Ask::gemini().of(&gateway.gemini()).await;
    let began = Instant::now();

    let (one, two) = (gateway.gemini(), gateway.openai());
    let (ask, other) = (Ask::gemini(), Ask::openai().streamed());
    tokio::join!(ask.is_answered(&one), other.is_answered(&two));

    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(began.elapsed().as_millis() >= 150, "the key rested first");
    assert_eq!(gateway.upstream.seen().len(), 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_in_line_ends_with_the_patience() {
    let gateway = Setup::default()
        .keys(["the-only-key"])
        .set("KEY_MAX_CONCURRENCY", 1)
        .set("NO_KEY_WAIT_SECONDS", 0.2)
        .start()
        .await;
    let_streams_hang(&gateway);
    let stream = endless(&gateway).await;
    let began = Instant::now();

    let refused = Ask::gemini().of(&gateway.gemini()).await;

    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(200 <= began.elapsed().as_millis());
    assert_eq!(gateway.app().pool.waiting(), 0);
    drop(stream);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstreams_faults_are_retried_as_often_as_the_settings_say() {
    for (retries, tries) in [(-1, 3), (0, 1), (1, 2), (5, 6)] {
        let gateway = Setup::default().set("MAX_RETRIES", retries).start().await;
        gateway.upstream.on(When::any(), Answer::overloaded());

        let reply = Ask::openai().of(&gateway.openai()).await;

        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "the last status is passed on");
        assert!(reply.text().contains("overloaded"), "{}", reply.text());
        assert_eq!(gateway.upstream.seen().len(), tries, "MAX_RETRIES={retries}");
        let rows = gateway.rows().await;
        assert_eq!(rows.len(), tries);
        assert_eq!(rows.iter().filter(|row| row.is_final).count(), 1);
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_own_failures_do_not_count_as_retries() {
    let bad: Vec<_> = (1..=12).map(|number| format!("bad-key-{number}-invalid")).collect();
    let gateway =
        Setup::default().keys(bad.iter().map(String::as_str)).set("MAX_RETRIES", 0).start().await;
    gateway.add_keys(&["good-key-1"], "", 1).await;

    Ask::openai().streamed().is_answered(&gateway.openai()).await;

    assert_eq!(gateway.upstream.seen().len(), 13);
    assert_eq!(gateway.app().pool.counts().invalid, 12);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_try_of_a_request_sends_the_same_bytes_under_another_key() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any().times(2), Answer::server_error(500));

    Ask::openai().text("once more").is_answered(&gateway.openai()).await;

    let seen = gateway.upstream.seen();
    let asked = Ask::openai().text("once more").body();
    assert!(seen.iter().all(|seen| seen.body == asked));
    let keys: std::collections::HashSet<_> = seen.iter().map(|seen| seen.key.clone()).collect();
    assert_eq!(keys.len(), 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_mistakes_of_callers_never_touch_a_key() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any().model("no-such-model"), Answer::model_not_found());
    gateway
        .upstream
        .on(When::any().model("too-long"), Answer::bad_request("The input token count exceeds"));
    gateway.upstream.on(When::any().model("slow-model"), Answer::stall_after(1));
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let client = gateway.openai();
        callers.spawn(async move {
            for _ in 0..25 {
                let unknown = Ask::gemini().model("no-such-model").of(&client).await;
                assert_eq!(unknown.status, StatusCode::NOT_FOUND);
                let long = Ask::openai().streamed().model("too-long").of(&client).await;
                assert_eq!(long.status, StatusCode::BAD_REQUEST);
                let broken =
                    client.send(http::Method::POST, "/v1/chat/completions", "{\"model\":").await;
                assert_eq!(broken.status, StatusCode::BAD_REQUEST);
                let mut left = Ask::gemini().streamed().model("slow-model").open(&client).await;
                left.next().await.unwrap();
                drop(left);
                Ask::gemini().is_answered(&client).await;
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }

    gateway.idle().await;
    for key in ["service-key-1", "service-key-2", "service-key-3"] {
        assert_eq!(gateway.state_of(key), "active");
        assert_eq!(gateway.buckets_of(key), []);
        assert!(gateway.lease_of(key, MODEL).is_ok());
    }
    let rows = gateway.rows().await;
    assert_eq!((rows.len(), rows.iter().filter(|row| row.is_final).count()), (1_250, 1_250));
    gateway.close().await;
}
