//! An upstream that refuses, breaks or talks nonsense: another key serves if one can, the caller
//! is told the truth if none can, and no key is blamed for what is not its fault.

use std::collections::HashSet;
use std::time::{Duration, Instant, UNIX_EPOCH};

use fake_upstream::{Answer, Ending, Fault, Point, Step, Upstream, When};
use gemini_balance::clock::Clock;
use gemini_balance::store::log_pages::LogEntry;

use crate::support::{Form, Gateway, MODEL, Reply, Setup, Spoken, together};

const KEYS: [&str; 5] =
    ["service-key-1", "service-key-2", "service-key-3", "service-key-4", "service-key-5"];
const ONLY: &str = "the-only-service-key";

/// What goes wrong, how the log calls it, and what the caller is told when nothing else helps.
#[derive(Clone)]
struct Trouble {
    answer: Answer,
    kind: &'static str,
    status: u16,
    code: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_tried_elsewhere_up_to_three_times_and_then_told() {
    let broken = |answer, kind| Trouble { answer, kind, status: 502, code: "upstream_fault" };
    let elsewhere = "http://127.0.0.1:9/elsewhere";
    let mut troubles = vec![
        broken(Answer::reset(), "connection_lost"),
        broken(Answer::close(), "connection_lost"),
        broken(Answer::cut(Point::StatusLine, Ending::Close), "connection_lost"),
        broken(Answer::reset_after(0), "connection_lost"),
        broken(Answer::close_after(0), "connection_lost"),
        broken(Answer::steps([Step::Bytes("SSH-2.0-x\r\n\r\n".into())]), "protocol_error"),
        broken(Answer::huge_headers(200), "protocol_error"),
        broken(Answer::html_200(), "malformed_answer"),
        broken(Answer::null_200(), "malformed_answer"),
        broken(Answer::json(200, "\"text\""), "malformed_answer"),
        broken(Answer::json(200, "5 6"), "malformed_answer"),
        broken(Answer::status(200, "image/png", "\u{89}PNG\r\n\u{1}"), "malformed_answer"),
        broken(Answer::empty_200(), "empty_answer"),
    ];
    troubles.extend(
        [301, 302, 307, 308].map(|code| broken(Answer::redirect(code, elsewhere), "redirect")),
    );
    troubles.push(Trouble {
        answer: Answer::error_in_200(),
        kind: "upstream_error",
        status: 503,
        code: "upstream_status",
    });
    troubles.push(Trouble {
        answer: Answer::status(502, "text/html", "<html>bad gateway</html>"),
        kind: "upstream_error",
        status: 502,
        code: "upstream_status",
    });

    let check = |trouble| check_trouble(Setup::default(), trouble, &Form::ALL);
    together(troubles.into_iter().map(check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_whole_is_tried_elsewhere() {
    let cut = |answer| Trouble { answer, kind: "answer_cut", status: 502, code: "upstream_broke" };
    let troubles = [
        cut(Answer::short_body(20)),
        cut(Answer::long_body(20)),
        cut(Answer::not_json_200()),
        cut(Answer::cut(Point::Inside { events: 0, bytes: 30 }, Ending::Reset)),
        Trouble {
            answer: Answer::list_200(),
            kind: "malformed_answer",
            status: 502,
            code: "upstream_fault",
        },
    ];

    let check = |trouble| check_trouble(Setup::default(), trouble, &Form::WHOLE);
    together(troubles.into_iter().map(check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_tried_elsewhere_up_to_three_times_and_then_told() {
    let silent = |answer, kind| Trouble { answer, kind, status: 504, code: "upstream_timeout" };
    let troubles = [
        silent(Answer::stall(), "first_byte_timeout"),
        silent(Answer::stall_after(0), "first_event_timeout"),
    ];

    let forms = [Form::Chat, Form::GenerateStream];
    let cases = forms.into_iter().flat_map(|form| troubles.clone().map(|trouble| (trouble, form)));
    together(cases.map(async |(trouble, form)| {
        let setup = Setup::default().set("ATTEMPT_TIMEOUT_SECONDS", 1);
        let setup = setup.set("STREAM_IDLE_TIMEOUT_SECONDS", 1);
        check_trouble(setup, trouble, &[form]).await;
    }))
    .await;
}

/// Checks a fault of one key, and the same fault of all.
async fn check_trouble(setup: Setup, trouble: Trouble, forms: &[Form]) {
    let gateway = setup.keys(KEYS).start().await;
    let Trouble { answer, kind, status, code } = trouble;

    for &form in forms {
        gateway.forget();
        // No connection is used twice: on one that had rested, a fault may be replayed unnoticed.
        let close = Fault::Headers(vec![("connection".to_owned(), "close".to_owned())]);
        gateway.upstream.on(asked(), Answer::believable().with(close));
        gateway.upstream.on(asked().times(1), answer.clone());
        let reply = gateway.ask(form).await;
        assert_eq!(reply.status, 200, "{form:?} {kind}: {}", reply.text());
        check_attempts(&gateway, 2);
        let rows = last_rows(&gateway, 2).await;
        assert_eq!(rows[0].error_kind.as_deref(), Some(kind), "{form:?}");
        assert!(rows[1].is_success, "{form:?} {:?}", rows[1]);

        gateway.upstream.clear_seen();
        gateway.upstream.on(asked(), answer.clone());
        let reply = gateway.ask(form).await;
        gateway.assert_error(&reply, form.dialect(), status, code);
        assert!(reply.header("location").is_empty());
        check_attempts(&gateway, 3);
        let rows = last_rows(&gateway, 3).await;
        assert!(rows.iter().all(|row| row.error_kind.as_deref() == Some(kind)), "{rows:?}");
        assert_all_serve(&gateway);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_status_of_the_upstream_is_passed_on_in_its_words() {
    let check = async |code: u16| {
        let gateway = Setup::default().keys(KEYS).start().await;
        gateway.upstream.on(When::any(), Answer::server_error(code));
        for form in Form::ALL {
            let direct = gateway.ask_upstream(form).await;
            gateway.upstream.clear_seen();
            let reply = gateway.ask(form).await;

            assert_same(&reply, &direct);
            check_attempts(&gateway, 3);
            assert_eq!(gateway.final_rows().await.pop().unwrap().status, Some(code));
        }
        assert_all_serve(&gateway);
        gateway.close().await;
    };

    together([500, 502, 503, 504, 529].map(check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_did_wrong_passes_through_after_one_try() {
    let gateway = Gateway::start().await;
    let plain = [400, 404, 405, 409, 413, 415, 422]
        .map(|code| Answer::json(code, r#"{"error":{"message":"no","x":1.0}}"#));
    let google = [
        Answer::bad_request("Unknown name \"x\""),
        Answer::model_not_found(),
        Answer::location_unsupported(),
    ];

    for answer in plain.into_iter().chain(google) {
        for form in Form::ALL {
            gateway.upstream.clear();
            gateway.upstream.on(When::any(), answer.clone());
            let direct = gateway.ask_upstream(form).await;
            gateway.upstream.clear_seen();
            let reply = gateway.ask(form).await;

            assert_same(&reply, &direct);
            assert_eq!(reply.header("x-request-id").len(), 32);
            assert_eq!(gateway.upstream.seen().len(), 1, "{form:?} {answer:?}");
        }
    }
    assert_all_serve(&gateway);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_makes_way_for_the_next() {
    let key = |answer, state| (answer, state, "");
    let bucket = |answer, state| (answer, "active", state);
    let cases = [
        key(Answer::key_invalid(), "invalid"),
        key(Answer::key_expired(), "invalid"),
        key(Answer::unauthorized(), "invalid"),
        key(Answer::suspended(), "suspended"),
        key(Answer::leaked(), "suspended"),
        key(Answer::billing_disabled(), "suspended"),
        key(Answer::no_credit(), "no_credit"),
        key(Answer::prepayment(), "no_credit"),
        bucket(Answer::quota_per_minute(7), "cooling"),
        bucket(Answer::quota_per_day(22), "exhausted_today"),
        bucket(Answer::quota_per_minute_and_day(22), "exhausted_today"),
        bucket(Answer::limit_zero(), "not_entitled"),
        bucket(Answer::rate_limited_bare(), "cooling"),
        bucket(Answer::model_denied(), "model_denied"),
        bucket(Answer::file_denied(), "ready"),
    ];

    together(cases.into_iter().map(|(answer, state, bucket)| async move {
        let gateway = Gateway::start().await;
        for form in Form::ALL {
            gateway.upstream.clear_seen();
            gateway.upstream.on(When::any().times(1), answer.clone());

            let reply = gateway.ask(form).await;

            assert_eq!(reply.status, 200, "{form:?} {answer:?}: {}", reply.text());
            let seen = gateway.upstream.seen();
            let first = seen[0].key.clone().unwrap();
            assert_eq!((seen.len(), seen[0].body.clone()), (2, seen[1].body.clone()));
            assert_ne!(Some(&first), seen[1].key.as_ref());
            assert_eq!(gateway.state_of(&first), state, "{answer:?}");
            if !bucket.is_empty() {
                let known = gateway.buckets_of(&first);
                let word = known.iter().find(|(model, _)| model == MODEL);
                assert_eq!(word.map_or("ready", |(_, word)| *word), bucket, "{answer:?}");
            }
            gateway.app().pool.reset_all();
        }
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_mistake_with_credentials_is_told_at_once_and_blames_no_key() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any(), Answer::multiple_credentials());

    for form in Form::ALL {
        gateway.upstream.clear_seen();
        let reply = gateway.ask(form).await;

        gateway.assert_error(&reply, form.dialect(), 502, "upstream_fault");
        assert_eq!(gateway.upstream.seen().len(), 1);
    }
    assert_all_serve(&gateway);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_upstream_repeats_reaches_nobody() {
    let spoken = Spoken::listen();
    let secret = "AIzaSyCanary-0123456789-abcdefghijklmnop";
    let repeating =
        format!(r#"{{"error":{{"code":400,"message":"bad key {secret}","status":"X"}}}}"#);

    let answers = [
        Answer::suspended(),
        Answer::json(400, repeating.clone()),
        Answer::json(503, repeating.clone()),
        Answer::json(200, repeating),
    ];
    together(answers.map(async |answer| {
        let gateway = Setup::default().keys([secret]).start().await;
        gateway.upstream.on(When::any(), answer);
        for form in Form::ALL {
            let reply = gateway.ask(form).await;

            assert!(!reply.status.is_success());
            gateway.assert_discreet(&reply.text());
            let views = format!("{:?}", gateway.app().pool.views());
            assert!(!views.contains(secret), "{views}");
            gateway.app().pool.reset_all();
        }
        let rows = format!("{:?}", gateway.rows().await);
        assert!(!rows.contains(secret), "{rows}");
        gateway.close().await;
    }))
    .await;
    assert!(spoken.contains("attempt failed"), "the log was heard");
    assert!(!spoken.contains(secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_keys_rest_the_caller_learns_truly_when_to_come_back() {
    let now_ms = u64::try_from(Clock::system().wall_ms()).unwrap();
    let soon = UNIX_EPOCH + Duration::from_millis(now_ms) + Duration::from_secs(40);
    let cases = [
        (Answer::quota_per_minute(30), 29..=30, false),
        (Answer::quota_per_minute(300), 299..=300, true),
        (Answer::retry_after("7"), 6..=7, false),
        (Answer::retry_after(httpdate::fmt_http_date(soon)), 30..=40, false),
        (Answer::retry_after("1000000000"), 86_390..=86_400, true),
        (Answer::retry_after("soon"), 80..=99, false),
        (Answer::rate_limited_bare(), 80..=99, false),
    ];

    together(cases.into_iter().map(|(answer, wait_s, is_hopeless)| async move {
        let gateway = Setup::default().keys([ONLY]).start().await;
        gateway.upstream.on(When::any(), answer.clone());
        gateway.ask(Form::Chat).await;
        assert_eq!(gateway.upstream.seen().len(), 1);

        for form in Form::ALL {
            let reply = gateway.ask(form).await;

            gateway.assert_error(&reply, form.dialect(), 429, "all_keys_resting");
            let stated: u64 = reply.header("retry-after").parse().unwrap();
            assert!(wait_s.contains(&stated), "{answer:?}: {stated}");
            assert_eq!(reply.header("x-should-retry") == "false", is_hopeless);
        }
        assert_eq!(gateway.upstream.seen().len(), 1, "nobody was asked again");
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_key_nobody_is_asked() {
    let gateway =
        Setup::default().keys(["service-key-1-invalid", "service-key-2-leaked"]).start().await;
    gateway.ask(Form::Chat).await;
    gateway.upstream.clear_seen();

    for form in Form::ALL {
        let reply = gateway.ask(form).await;

        gateway.assert_error(&reply, form.dialect(), 503, "no_usable_key");
    }
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_adds_no_pause() {
    let keys: Vec<String> = (0..20).map(|number| format!("service-key-{number}")).collect();
    let gateway = Setup::default().keys(keys.iter().map(String::as_str)).start().await;
    gateway.upstream.on(When::any().times(19), Answer::quota_per_minute(60));

    let began = Instant::now();
    let reply = gateway.ask(Form::Chat).await;

    assert_eq!(reply.status, 200);
    assert_eq!(gateway.upstream.seen().len(), 20);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_key_is_tried_again_after_a_passing_fault() {
    together(Form::ALL.map(async |form| {
        let gateway = Setup::default().keys([ONLY]).start().await;
        gateway.upstream.on(When::any().times(1), Answer::overloaded());
        gateway.upstream.on(When::any().times(1), Answer::reset());

        let reply = gateway.ask(form).await;

        assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
        let seen = gateway.upstream.seen();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|one| one.key.as_deref() == Some(ONLY)));
        assert!(seen.iter().all(|one| one.body == seen[0].body));
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_tries_is_a_setting() {
    let gateway = Setup::default().keys(KEYS).set("MAX_RETRIES", 0).start().await;
    gateway.upstream.on(When::any(), Answer::overloaded());

    let reply = gateway.ask(Form::Chat).await;

    assert_eq!((reply.status.as_u16(), gateway.upstream.seen().len()), (503, 1));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_while_it_rested_is_replaced_unnoticed() {
    let gateway = Setup::default().set("WORKERS", 1).start().await;

    for form in Form::ALL {
        for answer in [Answer::reset(), Answer::close()] {
            assert_eq!(gateway.ask(form).await.status, 200);
            gateway.idle().await;
            gateway.upstream.clear_seen();
            gateway.upstream.on(When::any().times(1), answer);
            let reply = gateway.ask(form).await;

            assert_eq!(reply.status, 200);
            let seen = gateway.upstream.seen();
            assert_eq!(seen.len(), 2);
            assert!(seen[0].request_on_connection > 0 && seen[1].request_on_connection == 0);
            assert_eq!((&seen[0].key, &seen[0].body), (&seen[1].key, &seen[1].body));
            let row = last_rows(&gateway, 1).await.remove(0);
            assert!(row.is_success && row.attempt == 1 && row.is_final);
        }
    }
    assert!(gateway.rows().await.iter().all(|row| row.is_success && row.attempt == 1));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_connection_that_dies_behind_the_status_line_is_an_attempt_that_failed() {
    let gateway = Setup::default().set("WORKERS", 1).start().await;

    for form in Form::ALL {
        for ending in [Ending::Close, Ending::Reset] {
            assert_eq!(gateway.ask(form).await.status, 200);
            gateway.idle().await;
            gateway.upstream.clear_seen();
            gateway.upstream.on(When::any().times(1), Answer::cut(Point::StatusLine, ending));
            let reply = gateway.ask(form).await;

            assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
            assert!(gateway.upstream.seen()[0].request_on_connection > 0);
            check_attempts(&gateway, 2);
            let rows = last_rows(&gateway, 2).await;
            assert_eq!(rows[0].error_kind.as_deref(), Some("connection_lost"), "{form:?}");
            assert!(rows[1].is_success);
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_comes_back_serves_the_next_request() {
    let mut gateway = Gateway::start().await;
    for form in Form::ALL {
        assert_eq!(gateway.ask(form).await.status, 200);
        gateway.idle().await;

        let spare = Upstream::start().await.unwrap();
        let old = std::mem::replace(&mut gateway.upstream, spare);
        let address = old.address();
        old.stop().await;
        gateway.upstream = Upstream::start_on(address).await.unwrap();

        let reply = gateway.ask(form).await;
        assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
        assert!(gateway.rows().await.iter().all(|row| row.is_success));
    }
    gateway.close().await;
}

/// Questions, and not the probes that look for the end of a trouble.
fn asked() -> When {
    When::any().method("POST")
}

/// Checks that so many questions went upstream, alike but for their keys, which all differ.
fn check_attempts(gateway: &Gateway, count: usize) {
    let mut seen = gateway.upstream.seen();
    seen.retain(|one| one.method == "POST");
    assert_eq!(seen.len(), count, "{seen:?}");
    let keys: HashSet<_> = seen.iter().map(|one| one.key.clone()).collect();
    assert_eq!(keys.len(), count, "{keys:?}");
    assert!(seen.iter().all(|one| one.body == seen[0].body && one.path == seen[0].path));
}

/// The rows of the last request, which must have had so many attempts.
async fn last_rows(gateway: &Gateway, attempts: usize) -> Vec<LogEntry> {
    let mut rows = gateway.rows().await;
    let request_id = rows.last().unwrap().request_id;
    rows.retain(|row| row.request_id == request_id);
    rows.sort_by_key(|row| row.attempt);
    assert_eq!(rows.len(), attempts, "{rows:?}");
    rows
}

/// Checks that every key is active and no bucket rests.
fn assert_all_serve(gateway: &Gateway) {
    for (key, view) in gateway.app().pool.views() {
        assert_eq!(view.word(), "active");
        let buckets = gateway.buckets_of(key.secret.expose());
        assert!(buckets.iter().all(|(_, word)| *word == "ready"), "{buckets:?}");
    }
}

/// Checks that an answer of the upstream's came through as it was.
fn assert_same(reply: &Reply, direct: &Reply) {
    assert_eq!(reply.status, direct.status);
    assert_eq!(reply.text(), direct.text());
    assert_eq!(reply.header("content-type"), direct.header("content-type"));
}
