//! How long something rests, who rests with it, and how it comes back.
//!
//! Time is a clock of the test's own: it stands still until the test moves it.

use fake_upstream::{Answer, When};
use gemini_balance::clock::Clock;
use http::StatusCode;

use crate::support::{Ask, Gateway, MODEL, Setup, eventually, together};

/// 12:00 in California on a winter's day.
const NOON_MS: i64 = 1_800_043_200_000;
const HOUR_MS: u32 = 3_600_000;
const ONLY: &str = "the-only-key";

/// A gateway with one key, one try per request, and a clock to move.
async fn gateway_with_one_key(clock: &Clock) -> Gateway {
    Setup::default().keys([ONLY]).clock(clock).set("MAX_RETRIES", 0).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_serves_again_when_the_stated_wait_is_over_and_not_before() {
    let clock = Clock::manual(NOON_MS);
    let gateway = gateway_with_one_key(&clock).await;
    gateway.upstream.on(When::any().times(1), Answer::quota_per_minute(7));

    let first = Ask::gemini().of(&gateway.gemini()).await;
    clock.advance(6_999);
    let early = Ask::openai().of(&gateway.openai()).await;
    Ask::gemini().model("gemini-2.5-pro").is_answered(&gateway.gemini()).await;
    clock.advance(1);
    Ask::gemini().is_answered(&gateway.gemini()).await;

    assert_eq!((first.status, first.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "7"));
    assert_eq!(first.json()["error"]["details"][0]["retryDelay"], "7s");
    assert_eq!(early.json()["error"]["code"], "all_keys_resting");
    assert_eq!(gateway.upstream.seen().len(), 3, "nobody asks with a key that rests");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_key_that_returns_too_late_or_was_tried_already() {
    let clock = Clock::manual(NOON_MS);
    let gateway = gateway_with_one_key(&clock).await;
    for (seconds, should_retry) in [(2, ""), (119, ""), (600, "false")] {
        gateway.forget();
        gateway.upstream.on(When::any(), Answer::quota_per_minute(seconds));
        let began = std::time::Instant::now();

        let reply = Ask::openai().of(&gateway.openai()).await;

        assert!(began.elapsed().as_secs() < 2, "answered at once");
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(reply.header("retry-after"), seconds.to_string());
        assert_eq!(reply.header("x-should-retry"), should_retry);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_the_soonest_return_of_any_key() {
    let clock = Clock::manual(NOON_MS);
    let gateway = Setup::default().clock(&clock).start().await;
    for (key, seconds) in [("service-key-1", 50), ("service-key-2", 20), ("service-key-3", 80)] {
        gateway.upstream.on(When::any().key(key), Answer::quota_per_minute(seconds));
    }

    let reply = Ask::gemini().of(&gateway.gemini()).await;
    clock.advance(500);
    let later = Ask::gemini().of(&gateway.gemini()).await;

    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "20"));
    assert_eq!(later.json()["error"]["details"][0]["retryDelay"], "19.500s");
    assert_eq!(gateway.upstream.seen().len(), 3, "each key once, then none");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_key_the_answer_is_503_at_once() {
    let gateway = Setup::default().keys([ONLY]).start().await;
    gateway.upstream.on(When::any().model(MODEL), Answer::limit_zero());
    gateway.upstream.on(When::any().model("gemini-2.5-pro"), Answer::key_invalid());

    let not_entitled = Ask::openai().of(&gateway.openai()).await;
    let again = Ask::openai().of(&gateway.openai()).await;
    let invalid = Ask::openai().model("gemini-2.5-pro").of(&gateway.openai()).await;

    for (reply, code) in [
        (not_entitled, "no_key_for_model"),
        (again, "no_key_for_model"),
        (invalid, "no_usable_key"),
    ] {
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.json()["error"]["code"], code);
        assert_eq!(reply.header("retry-after"), "");
    }
    assert_eq!(gateway.upstream.seen().len(), 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_one_project_share_a_budget() {
    let gateway = Setup::default().keys(["beta-key-1"]).start().await;
    gateway.add_keys(&["alpha-key-1", "alpha-key-2"], "alpha", 0).await;
    for (answer, state, bucket) in [
        (Answer::quota_per_minute(30), "active", Some("cooling")),
        (Answer::quota_per_day(30), "active", Some("exhausted_today")),
        (Answer::limit_zero(), "active", Some("not_entitled")),
        (Answer::rate_limited_bare(), "active", Some("cooling")),
        (Answer::spending_cap(), "no_credit", None),
    ] {
        gateway.forget();
        gateway.upstream.on(When::any().key("alpha-key-1"), answer.clone());
        gateway.upstream.on(When::any().key("alpha-key-2"), answer);

        for _ in 0..4 {
            Ask::gemini().is_answered(&gateway.gemini()).await;
        }

        let asked = gateway.keys_seen().iter().filter(|key| key.starts_with("alpha")).count();
        assert_eq!(asked, 1, "one refusal speaks for the project");
        for key in ["alpha-key-1", "alpha-key-2"] {
            assert_eq!(gateway.state_of(key), state);
            let word = gateway.bucket_of(key, MODEL).map(|bucket| bucket.state.word());
            assert_eq!(word, bucket, "{key}");
        }
        assert_eq!(
            (gateway.state_of("beta-key-1"), gateway.buckets_of("beta-key-1")),
            ("active".to_owned(), vec![])
        );
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_key_is_denied_its_project_keeps() {
    let gateway = Setup::default().keys(["beta-key-1"]).start().await;
    gateway.add_keys(&["alpha-key-1", "alpha-key-2"], "alpha", 0).await;
    for answer in [Answer::model_denied(), Answer::key_invalid(), Answer::leaked()] {
        gateway.forget();
        gateway.upstream.on(When::any().key("alpha-key-1"), answer);

        for _ in 0..6 {
            Ask::gemini().is_answered(&gateway.gemini()).await;
        }

        let seen = gateway.keys_seen();
        assert_eq!(seen.iter().filter(|key| *key == "alpha-key-1").count(), 1);
        assert!(2 <= seen.iter().filter(|key| *key == "alpha-key-2").count());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_cool_at_the_threshold_and_double_up_to_the_cap() {
    let clock = Clock::manual(NOON_MS);
    let gateway = gateway_with_one_key(&clock).await;
    gateway.upstream.on(When::any(), Answer::server_error(500));
    for failures in 1..=2 {
        let reply = Ask::gemini().of(&gateway.gemini()).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "passed on as it came");
        assert_eq!(gateway.rest_ms_of(ONLY, MODEL), 0, "{failures} faults");
    }

    for (level, seconds) in
        (1..).zip([300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 43_200, 43_200])
    {
        Ask::gemini().of(&gateway.gemini()).await;

        let (rest_ms, expected_ms) = (gateway.rest_ms_of(ONLY, MODEL), seconds * 1_000);
        assert!(expected_ms * 9 / 10 <= rest_ms && rest_ms <= expected_ms * 11 / 10, "{rest_ms}");
        assert!(rest_ms <= 43_200_000);
        assert_eq!(gateway.bucket_of(ONLY, MODEL).map(|bucket| bucket.level), Some(level));
        clock.advance(u32::try_from(rest_ms).unwrap());
    }
    gateway.upstream.clear();
    Ask::gemini().is_answered(&gateway.gemini()).await;
    assert_eq!(gateway.bucket_of(ONLY, MODEL), None, "content brings the level back to 0");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_without_details_doubles_with_repeats_until_content_comes() {
    let clock = Clock::manual(NOON_MS);
    let gateway = gateway_with_one_key(&clock).await;
    gateway.upstream.on(When::any(), Answer::rate_limited_bare());

    for seconds in [90, 180, 360] {
        Ask::gemini().of(&gateway.gemini()).await;
        let rest_ms = gateway.rest_ms_of(ONLY, MODEL);
        assert!(seconds * 900 <= rest_ms && rest_ms <= seconds * 1_100, "{rest_ms}");
        clock.advance(u32::try_from(rest_ms).unwrap());
    }
    gateway.upstream.clear();
    Ask::gemini().is_answered(&gateway.gemini()).await;
    assert_eq!(gateway.bucket_of(ONLY, MODEL), None);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_rests_an_hour_and_doubles_up_to_twelve() {
    let clock = Clock::manual(NOON_MS);
    let gateway = gateway_with_one_key(&clock).await;
    gateway.upstream.on(When::any(), Answer::no_credit());

    for hours in [1, 2, 4, 8, 12, 12] {
        let reply = Ask::gemini().of(&gateway.gemini()).await;
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
        let credit = gateway.view_of(ONLY).no_credit.unwrap();
        let rest_ms = credit.until.millis_since(gateway.app().pool.now());
        let expected_ms = hours * u64::from(HOUR_MS);
        assert!(expected_ms * 9 / 10 <= rest_ms && rest_ms <= expected_ms * 11 / 10, "{rest_ms}");
        clock.advance(u32::try_from(rest_ms).unwrap());
    }
    gateway.upstream.clear();
    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_an_hour_ends_at_its_own_midnight() {
    // Midnight in California, on the day when its clocks go forward.
    let clock = Clock::manual(1_772_956_800_000);
    let gateway = gateway_with_one_key(&clock).await;
    gateway.upstream.on(When::any().times(1), Answer::quota_per_day(22));

    Ask::gemini().of(&gateway.gemini()).await;

    assert_eq!(gateway.rest_ms_of(ONLY, MODEL), 23 * u64::from(HOUR_MS));
    clock.advance(23 * HOUR_MS);
    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_brings_back_what_only_an_admin_can() {
    let gateway = Setup::default().keys([ONLY]).start().await;
    for answer in [Answer::limit_zero(), Answer::model_denied(), Answer::suspended()] {
        gateway.upstream.on(When::any().times(1), answer);
        let refused = Ask::gemini().of(&gateway.gemini()).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);

        gateway.app().pool.reset(gateway.id_of(ONLY));

        Ask::gemini().is_answered(&gateway.gemini()).await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_turned_away_is_probed_after_an_hour_and_comes_back() {
    let clock = Clock::manual(NOON_MS);
    let gateway = Setup::default().keys([ONLY]).clock(&clock).start().await;
    gateway.upstream.on(When::any().times(1), Answer::key_invalid());
    Ask::gemini().of(&gateway.gemini()).await;
    let plan = gateway.view_of(ONLY).probe.unwrap();
    let wait_ms = plan.at.millis_since(gateway.app().pool.now());
    assert!(3_240_000 <= wait_ms && wait_ms <= 3_960_000, "{wait_ms}");

    // The keeper of a fresh start looks at the clock at once.
    clock.advance(66 * 60_000);
    let gateway = gateway.restart().await;
    eventually("the probe has brought the key back", async || gateway.state_of(ONLY) == "active")
        .await;

    let seen = gateway.upstream.seen();
    assert_eq!(
        (seen[1].method.as_str(), seen[1].path.as_str()),
        ("GET", "/v1beta/models?pageSize=1")
    );
    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_probe_makes_nothing_worse() {
    let failures = [
        Answer::suspended(),
        Answer::model_not_found(),
        Answer::server_error(500),
        Answer::rate_limited_bare(),
        Answer::html_200(),
        Answer::reset(),
    ];

    together(failures.map(async |failure| {
        let clock = Clock::manual(NOON_MS);
        let gateway = Setup::default().keys([ONLY]).clock(&clock).start().await;
        gateway.upstream.on(When::any(), Answer::key_invalid());
        Ask::gemini().of(&gateway.gemini()).await;
        let before = gateway.view_of(ONLY);

        // The keeper looks at the clock at its own time, that of a fresh start at once.
        gateway.upstream.on(When::any(), failure);
        clock.advance(66 * 60_000);
        let gateway = gateway.restart().await;
        eventually("the next probe is planned", async || {
            gateway.view_of(ONLY).probe.is_some_and(|plan| plan.turn == 2)
        })
        .await;

        let seen = gateway.upstream.seen();
        assert!(seen[1..].iter().all(|one| one.method == "GET"), "{seen:?}");
        let after = gateway.view_of(ONLY);
        assert_eq!((after.standing, after.reason), (before.standing, before.reason));
        assert_eq!(gateway.buckets_of(ONLY), []);
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_that_can_only_fail_delays_a_key_and_costs_it_nothing_more() {
    let failures = [Answer::model_not_found(), Answer::server_error(500), Answer::reset()];

    together(failures.map(async |failure| {
        let gateway = Setup::default()
            .keys([ONLY])
            .set("API_KEY_FAILURE_THRESHOLD", 1)
            .set("API_KEY_COOL_DOWN_SECONDS", 0.05)
            .set("CHECK_HEALTH_AFTER_COOL_DOWN", true)
            .set("CHECK_HEALTH_TIME_INTERVAL_SECONDS", 0.05)
            .set("MAX_RETRIES", 0)
            .start()
            .await;
        gateway.upstream.on(When::any().path_contains("countTokens"), failure);
        gateway.upstream.on(When::any().path_contains("generate").times(1), Answer::overloaded());

        Ask::gemini().of(&gateway.gemini()).await;
        eventually("it may serve", async || {
            let bucket = gateway.bucket_of(ONLY, MODEL).unwrap();
            assert_eq!(bucket.level, 1, "no escalation by a check");
            bucket.state.word() == "ready"
        })
        .await;

        let checks = gateway.upstream.seen().len() - 1;
        assert!((1..=4).contains(&checks), "{checks} checks");
        Ask::gemini().is_answered(&gateway.gemini()).await;
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prober_tells_what_the_upstream_says_without_the_key() {
    let gateway = Gateway::start().await;
    let keys = gateway.app().pool.views();
    let (key, _) = &keys[0];
    for (answer, status, error) in [
        (Answer::believable(), Some(200), None),
        (Answer::suspended(), Some(403), Some("key_suspended")),
        (Answer::key_invalid(), Some(400), Some("key_invalid")),
        (Answer::server_error(503), Some(503), Some("upstream_error")),
        (Answer::reset(), None, Some("unreachable")),
    ] {
        gateway.upstream.on(When::any(), answer);

        let probed = gateway.app().prober.probe(key, Some(MODEL)).await;

        assert_eq!((probed.status, probed.error), (status, error));
        assert_eq!(probed.is_ok, error.is_none());
        assert!(!probed.message.unwrap_or_default().contains(key.secret.expose()));
    }
    let path = &gateway.upstream.seen()[0].path;
    assert_eq!(path, "/v1beta/models/gemini-2.5-flash:countTokens");
    assert_eq!(gateway.app().pool.counts().active, 3, "asking changes nothing");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cooled_key_is_checked_before_it_serves_when_that_is_wanted() {
    let gateway = Setup::default()
        .keys([ONLY])
        .set("API_KEY_FAILURE_THRESHOLD", 1)
        .set("API_KEY_COOL_DOWN_SECONDS", 0.05)
        .set("CHECK_HEALTH_AFTER_COOL_DOWN", true)
        .set("CHECK_HEALTH_TIME_INTERVAL_SECONDS", 5)
        .set("MAX_RETRIES", 1)
        .start()
        .await;
    gateway.upstream.on(When::any().times(1), Answer::server_error(500));

    Ask::gemini().is_answered(&gateway.gemini()).await;

    let paths: Vec<_> = gateway.upstream.seen().into_iter().map(|seen| seen.path).collect();
    let verbs: Vec<_> = paths.iter().filter_map(|path| path.split(':').nth(1)).collect();
    assert_eq!(verbs, ["generateContent", "countTokens", "generateContent"]);
    gateway.close().await;
}
