//! From an answer of the upstream to what the caller sees and to who rests: a test per row of the
//! pool's table, in both dialects, plain and streamed.
//!
//! Every case has the same shape: three good keys, one of which the upstream answers in the row's
//! way; then the caller's answer, the number of upstream requests, what became of that key, and
//! that nothing else was touched.

use dialect::Dialect;
use fake_upstream::{Answer, Ending, Fault, Point, When};
use gemini_balance::clock::Clock;
use keypool::Refusal;

use crate::support::{Ask, FORMS, Gateway, MODEL, Mode, Setup};

/// 12:00 in California on a winter's day: twelve hours before the day's quota returns.
const NOON_MS: i64 = 1_800_043_200_000;
const HOUR_MS: u64 = 3_600_000;
const OTHER_MODEL: &str = "gemini-2.5-pro";

/// The longest rest that an upstream may ask for.
const A_DAY: Rests = Rests::For("cooling", 24 * HOUR_MS, 24 * HOUR_MS);
/// `RATE_LIMIT_DEFAULT_WAIT_SECONDS`, give or take a tenth.
const DEFAULT_WAIT: Rests = Rests::For("cooling", 81_000, 99_000);

/// What rests after an answer, and for how long.
#[derive(Debug, Clone, Copy)]
enum Rests {
    /// Nothing at all.
    Nothing,
    /// Nothing yet: one fault is counted.
    NothingYet,
    /// The key for this model until an hour has come, in ms from and to.
    For(&'static str, u64, u64),
    /// The key for this model until an admin resets it.
    Model(&'static str),
    /// The key as a whole.
    Key(&'static str),
}

/// Plays rows in every form of question, each form on a gateway of its own.
async fn check<const N: usize>(rows: [(&str, Answer, Rests); N]) {
    let [one, two, three, four] = FORMS;
    tokio::join!(
        check_form(&rows, one),
        check_form(&rows, two),
        check_form(&rows, three),
        check_form(&rows, four),
    );
}

async fn check_form(rows: &[(&str, Answer, Rests)], (dialect, mode): (Dialect, Mode)) {
    let clock = Clock::manual(NOON_MS);
    let gateway = gateway(&clock).await;
    for (name, answer, rests) in rows {
        // The pool's retry budget is per second.
        clock.advance(1_000);
        let name = format!("{name}, {dialect:?} {mode:?}");
        play(&gateway, Ask::new(dialect, mode), answer, *rests, &name).await;
    }
    gateway.close().await;
}

async fn play(gateway: &Gateway, ask: Ask, answer: &Answer, rests: Rests, name: &str) {
    gateway.forget();
    // A request that is lost on a connection which has served before is sent there once more, so
    // every question finds a fresh one.
    let closing = Fault::Headers(vec![("connection".to_owned(), "close".to_owned())]);
    gateway.upstream.on(When::any(), Answer::believable().with(closing));
    gateway.upstream.on(When::any().nth(1), answer.clone());

    let reply = ask.of(&gateway.openai()).await;

    assert!(ask.is_answered_by(&reply), "{name}: {} {}", reply.status, reply.text());
    let seen = gateway.keys_seen();
    assert_eq!(seen.len(), 2, "{name}: one try fails, the next serves");
    assert_ne!(seen[0], seen[1], "{name}: another key serves");
    assert_rests(gateway, &seen[0], rests, name);
    for key in ["service-key-1", "service-key-2", "service-key-3"] {
        if key != seen[0] {
            assert_untouched(gateway, key, name);
        }
    }
    assert_is_avoided(gateway, &seen[0], rests, name).await;
}

/// Plays answers that go to the caller whatever they say about keys.
async fn check_passed_on<const N: usize>(rows: [(u16, Answer); N]) {
    let gateway = gateway(&Clock::manual(NOON_MS)).await;
    for (status, answer) in &rows {
        for (dialect, mode) in FORMS {
            gateway.forget();
            gateway.upstream.on(When::any(), answer.clone());

            let reply = Ask::new(dialect, mode).of(&gateway.openai()).await;

            assert_eq!(reply.status, *status, "{}", reply.text());
            assert!(reply.text().contains("\"error\""), "{}", reply.text());
            assert_eq!(gateway.upstream.seen().len(), 1, "exactly one try for {status}");
            for key in ["service-key-1", "service-key-2", "service-key-3"] {
                assert_untouched(&gateway, key, &status.to_string());
            }
        }
    }
    gateway.close().await;
}

async fn gateway(clock: &Clock) -> Gateway {
    Setup::default().clock(clock).set("ATTEMPT_TIMEOUT_SECONDS", 0.6).start().await
}

fn assert_rests(gateway: &Gateway, key: &str, rests: Rests, name: &str) {
    let state = gateway.state_of(key);
    let bucket = gateway.bucket_of(key, MODEL);
    let word = bucket.as_ref().map(|bucket| bucket.state.word());
    match rests {
        Rests::Nothing => assert_untouched(gateway, key, name),
        Rests::NothingYet => {
            assert_eq!((state.as_str(), word), ("active", Some("ready")), "{name}");
            assert_eq!(bucket.map(|bucket| bucket.failures), Some(1), "{name}");
        }
        Rests::For(expected, from_ms, to_ms) => {
            assert_eq!((state.as_str(), word), ("active", Some(expected)), "{name}");
            let rest_ms = gateway.rest_ms_of(key, MODEL);
            assert!(from_ms <= rest_ms && rest_ms <= to_ms, "{name}: rests {rest_ms} ms");
        }
        Rests::Model(expected) => {
            assert_eq!((state.as_str(), word), ("active", Some(expected)), "{name}");
        }
        Rests::Key(expected) => {
            assert_eq!((state.as_str(), word), (expected, None), "{name}");
        }
    }
    let is_key = matches!(rests, Rests::Key(_));
    let other = gateway.lease_of(key, OTHER_MODEL);
    assert_eq!(other.is_err(), is_key, "{name}: the key's other models");
}

fn assert_untouched(gateway: &Gateway, key: &str, name: &str) {
    assert_eq!(gateway.state_of(key), "active", "{name}: {key}");
    assert_eq!(gateway.buckets_of(key), [], "{name}: {key}");
}

/// Whoever asks next is not sent to a key that rests.
async fn assert_is_avoided(gateway: &Gateway, key: &str, rests: Rests, name: &str) {
    if matches!(rests, Rests::Nothing | Rests::NothingYet) {
        return;
    }
    gateway.upstream.clear_seen();
    for _ in 0..3 {
        Ask::gemini().is_answered(&gateway.openai()).await;
    }
    let seen = gateway.keys_seen();
    assert_eq!(seen.len(), 3, "{name}");
    assert!(!seen.iter().any(|one| one == key), "{name}: {key} rests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_upstream_does_not_know_is_invalid() {
    let invalid = Rests::Key("invalid");
    check([
        ("not valid", Answer::key_invalid(), invalid),
        ("expired", Answer::key_expired(), invalid),
        ("not found", Answer::key_not_found(), invalid),
        ("401", Answer::unauthorized(), invalid),
        ("bare 401", Answer::json(401, "{}"), invalid),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_upstream_has_locked_is_suspended() {
    let suspended = Rests::Key("suspended");
    check([
        ("suspended", Answer::suspended(), suspended),
        ("leaked", Answer::leaked(), suspended),
        ("service disabled", Answer::service_disabled(), suspended),
        ("service blocked", Answer::service_blocked(), suspended),
        ("billing disabled", Answer::billing_disabled(), suspended),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_credit_rests_as_a_whole() {
    let no_credit = Rests::Key("no_credit");
    check([
        ("402", Answer::no_credit(), no_credit),
        ("prepayment", Answer::prepayment(), no_credit),
        ("spending cap", Answer::spending_cap(), no_credit),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_about_one_model_or_one_resource_leaves_the_rest_of_the_key_alone() {
    check([
        ("model denied", Answer::model_denied(), Rests::Model("model_denied")),
        ("limit 0", Answer::limit_zero(), Rests::Model("not_entitled")),
        ("file of another key", Answer::file_denied(), Rests::Nothing),
        ("cache of another key", Answer::cache_denied(), Rests::Nothing),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_per_minute_rests_for_the_stated_time_between_a_second_and_a_day() {
    check([
        ("7 s", Answer::quota_per_minute(7), Rests::For("cooling", 7_000, 7_000)),
        ("0 s", Answer::quota_per_minute(0), Rests::For("cooling", 1_000, 1_000)),
        ("absurd", Answer::quota_per_minute(1_000_000_000), A_DAY),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_per_day_rests_until_midnight_in_california_whatever_the_stated_wait() {
    // A second passes before each question.
    let midnight = Rests::For("exhausted_today", 12 * HOUR_MS - 2_000, 12 * HOUR_MS - 1_000);
    check([
        ("22 s", Answer::quota_per_day(22), midnight),
        ("both at once", Answer::quota_per_minute_and_day(22), midnight),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_counts_as_seconds_or_date_and_garbage_as_absent() {
    let second = Rests::For("cooling", 1_000, 1_000);
    // Half a minute after noon, less a second for each question so far.
    let date = Rests::For("cooling", 25_000, 25_000);
    check([
        ("7", Answer::retry_after("7"), Rests::For("cooling", 7_000, 7_000)),
        ("1.5", Answer::retry_after("1.5"), Rests::For("cooling", 1_500, 1_500)),
        ("0", Answer::retry_after("0"), second),
        ("absurd", Answer::retry_after("1000000000"), A_DAY),
        ("date", Answer::retry_after("Fri, 15 Jan 2027 20:00:30 GMT"), date),
        ("past date", Answer::retry_after("Fri, 15 Jan 2027 19:00:00 GMT"), second),
        ("word", Answer::retry_after("soon"), DEFAULT_WAIT),
        ("negative", Answer::retry_after("-5"), DEFAULT_WAIT),
        ("empty", Answer::retry_after(""), DEFAULT_WAIT),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_without_details_rests_for_the_default_time() {
    check([
        ("bare", Answer::rate_limited_bare(), DEFAULT_WAIT),
        ("web page", Answer::status(429, "text/html", "<html>slow down</html>"), DEFAULT_WAIT),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_upstream_is_counted_and_the_next_try_serves() {
    let half_a_head = Answer::cut(Point::StatusLine, Ending::Reset);
    check([
        ("500", Answer::server_error(500), Rests::NothingYet),
        ("502", Answer::server_error(502), Rests::NothingYet),
        ("503", Answer::overloaded(), Rests::NothingYet),
        ("504", Answer::server_error(504), Rests::NothingYet),
        ("529", Answer::server_error(529), Rests::NothingYet),
        ("stall", Answer::stall(), Rests::NothingYet),
        ("reset", Answer::reset(), Rests::NothingYet),
        ("close", Answer::close(), Rests::NothingYet),
        ("reset behind the status line", half_a_head, Rests::NothingYet),
        ("redirect", Answer::redirect(302, "http://127.0.0.1:1/"), Rests::Nothing),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_without_content_is_a_fault_and_the_next_try_serves() {
    check([
        ("empty", Answer::empty_200(), Rests::NothingYet),
        ("web page", Answer::html_200(), Rests::NothingYet),
        ("half an object", Answer::not_json_200(), Rests::NothingYet),
        ("list", Answer::list_200(), Rests::NothingYet),
        ("null", Answer::null_200(), Rests::NothingYet),
        ("error inside", Answer::error_in_200(), Rests::NothingYet),
        ("closed behind the head", Answer::close_after(0), Rests::NothingYet),
        ("reset behind the head", Answer::reset_after(0), Rests::NothingYet),
        ("huge head", Answer::huge_headers(300), Rests::NothingYet),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_other_key_would_change_goes_to_the_caller_after_exactly_one_try() {
    let refusal = |status| (status, Answer::json(status, r#"{"error":{"message":"no"}}"#));
    check_passed_on([
        (400, Answer::bad_request("Unknown name \"foo\": Cannot find field.")),
        (400, Answer::location_unsupported()),
        (404, Answer::model_not_found()),
        refusal(405),
        refusal(413),
        refusal(415),
        refusal(422),
        // Two credentials are our own mistake; the upstream's words would only puzzle.
        (502, Answer::multiple_credentials()),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_talk_a_key_dead() {
    let quoting = "Invalid value: \"API key not valid. Please pass a valid API key.\"";
    check_passed_on([
        (400, Answer::bad_request(quoting)),
        (400, Answer::bad_request("Bad text: Your prepayment credits are depleted")),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_for_a_rest_is_told_without_the_key() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any().nth(1), Answer::suspended());

    Ask::gemini().is_answered(&gateway.gemini()).await;

    let view = gateway.view_of("service-key-1");
    assert!(view.reason.contains("has been suspended"), "{}", view.reason);
    assert!(!view.reason.contains("service-key-1"), "{}", view.reason);
    assert!(view.probe.is_some());
    assert!(matches!(gateway.lease_of("service-key-1", MODEL), Err(Refusal::NoUsableKey)));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_after_content_counts_against_the_key_and_is_not_begun_again() {
    let gateway = Gateway::start().await;
    let cut = Answer::paced(5, 10).with(Fault::Cut { at: Point::Events(2), ending: Ending::Reset });
    for ask in [Ask::openai().streamed(), Ask::gemini().streamed()] {
        gateway.forget();
        gateway.upstream.on(When::any(), cut.clone());

        let reply = ask.of(&gateway.openai()).await;

        assert_eq!(reply.status, 200);
        assert!(reply.events().last().unwrap().contains("\"error\""), "{}", reply.text());
        let seen = gateway.keys_seen();
        assert_eq!(seen.len(), 1, "never a second start");
        assert_rests(&gateway, &seen[0], Rests::NothingYet, "cut");
    }
    gateway.close().await;
}
