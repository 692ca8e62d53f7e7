//! Callers who leave: at whatever point, the upstream is let go at once, nothing stays out, and
//! the log has exactly one final row.

use std::time::Duration;

use dialect::Dialect;
use fake_upstream::{Answer, Ending, Fault, Outcome, Point, Upstream, UsageForm, When};
use http::Method;
use keypool::Verdict;
use tokio::task::JoinSet;

use crate::support::{Ask, Client, FORMS, Form, Gateway, MODEL, Mode, Setup, eventually};

/// Opens a request in a task of its own, so that it can be abandoned before there is an answer.
fn ask(gateway: &Gateway, ask: Ask) -> JoinSet<()> {
    let client = gateway.openai().with("content-type", "application/json");
    let mut asking = JoinSet::new();
    asking.spawn(async move {
        drop(client.open(Method::POST, &ask.path(), ask.body()).await);
    });
    asking
}

/// Waits until nothing is out and looks at the one row.
async fn check_left(gateway: Gateway, attempts: usize) {
    gateway.idle().await;
    gateway.upstream.wait_for_requests(|open| open == 0).await.unwrap();
    let rows = gateway.rows().await;
    let last = rows.last().unwrap();
    assert_eq!(rows.len(), attempts.max(1), "{rows:?}");
    assert_eq!((last.status, last.error_kind.as_deref()), (Some(499), Some("client_closed")));
    for (_, view) in gateway.app().pool.views() {
        assert_eq!((view.word(), view.buckets.len()), ("active", 0), "no key is blamed");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_before_the_answer_begins_lets_the_upstream_go() {
    for (dialect, mode) in FORMS {
        let gateway = Gateway::start().await;
        gateway.upstream.on(When::any(), Answer::stall());

        let asked = ask(&gateway, Ask::new(dialect, mode));
        gateway.upstream.wait_for_requests(|open| open == 1).await.unwrap();
        drop(asked);

        check_left(gateway, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_in_mid_stream_lets_the_upstream_go() {
    for form in [Form::ChatStream, Form::ChatUsageStream, Form::GenerateStream, Form::GenerateArray]
    {
        let gateway = Gateway::start().await;
        gateway.upstream.on(When::any(), Answer::stall_after(2));

        let mut stream = gateway.open(form).await;
        stream.next().await.unwrap();
        drop(stream);

        check_left(gateway, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_while_waiting_for_a_place_leaves_the_queue() {
    let gateway = Setup::default().set("MAX_CONCURRENT_REQUESTS", 1).start().await;
    gateway.upstream.on(When::any(), Answer::stall());

    let first = ask(&gateway, Ask::openai());
    gateway.upstream.wait_for_requests(|open| open == 1).await.unwrap();
    let second = ask(&gateway, Ask::gemini());
    eventually("the second waits", async || gateway.app().admission.queued() == 1).await;
    drop(second);
    eventually("it has left", async || gateway.app().admission.queued() == 0).await;
    drop(first);

    gateway.idle().await;
    let rows = gateway.final_rows().await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.error_kind.as_deref() == Some("client_closed")), "{rows:?}");
    assert_eq!(gateway.upstream.seen().len(), 1);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_the_line_for_a_key_takes_none_along() {
    let gateway =
        Setup::default().keys(["the-only-key"]).set("KEY_MAX_CONCURRENCY", 1).start().await;
    let lease = gateway.lease_of("the-only-key", MODEL).unwrap();

    let asked = ask(&gateway, Ask::gemini().streamed());
    eventually("it waits in line", async || gateway.app().pool.waiting() == 1).await;
    drop(asked);
    eventually("it has left", async || gateway.app().pool.waiting() == 0).await;
    lease.settle(Verdict::Healthy, "");

    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.idle().await;
    let rows = gateway.final_rows().await;
    assert_eq!((rows.len(), rows[0].status), (2, Some(499)));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_between_two_tries_keeps_the_row_of_the_first() {
    let gateway = Setup::default().keys(["a-first-key", "b-second-key"]).start().await;
    gateway.upstream.on(When::any().key("a-first-key"), Answer::quota_per_minute(60));
    gateway.upstream.on(When::any().key("b-second-key"), Answer::stall());

    let asked = ask(&gateway, Ask::openai());
    eventually("the second key is tried", async || gateway.upstream.seen().len() == 2).await;
    drop(asked);

    gateway.idle().await;
    let rows = gateway.rows().await;
    let kinds: Vec<_> = rows.iter().map(|row| (row.attempt, row.error_kind.as_deref())).collect();
    assert_eq!(kinds, [(1, Some("quota_per_minute")), (2, Some("client_closed"))]);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_in_the_line_after_a_try_makes_that_row_the_last() {
    for form in Form::ALL {
        let keys = Setup::default().keys(["resting-key", "busy-key"]);
        let gateway = keys.set("KEY_MAX_CONCURRENCY", 1).start().await;
        gateway.upstream.on(When::any(), Answer::quota_per_minute(60));
        let lease = gateway.lease_of("busy-key", MODEL).unwrap();

        let mut asked = JoinSet::new();
        let (client, body) = (gateway.client(form), form.body("hello"));
        asked.spawn(async move { client.post(form.path(), &body).await });
        eventually("it waits in line", async || gateway.app().pool.waiting() == 1).await;
        drop(asked);
        eventually("it has left", async || gateway.app().pool.waiting() == 0).await;
        drop(lease);

        let row = gateway.only_final_row().await;
        assert_eq!((row.attempt, row.status), (1, Some(499)), "{form:?} {row:?}");
        assert_eq!(row.error_kind.as_deref(), Some("client_closed"));
        assert_eq!(gateway.rows().await.len(), 1);
        assert_eq!(gateway.upstream.seen().len(), 1);
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_in_mid_stream_has_cost_the_tokens_so_far() {
    for form in Form::EVENTS {
        let gateway = Gateway::start().await;
        let metered = Answer::usage(UsageForm::Each);
        let stalled = Fault::Cut { at: Point::Events(2), ending: Ending::Stall };
        gateway.upstream.on(When::any(), metered.with(stalled));

        let mut stream = gateway.open(form).await;
        stream.next().await.unwrap();
        drop(stream);

        gateway.upstream.wait_until(|seen| seen[0].outcome == GONE).await.unwrap();
        let row = gateway.only_final_row().await;
        assert_eq!((row.status, row.tokens.total), (Some(499), Some(10)), "{form:?} {row:?}");
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_leave_at_any_moment_leave_nothing_behind() {
    let gateway = Gateway::start().await;

    leave(&gateway.upstream, |form| gateway.client(form), 300).await;

    gateway.close().await;
}

/// Lets so many callers come and leave, each at a moment of its own within an answer's life.
pub(crate) async fn leave(upstream: &Upstream, client: impl Fn(Form) -> Client, callers: usize) {
    const AT_ONCE: usize = 25;
    upstream.on(When::any(), Answer::paced(4, 2));
    let mut asking = JoinSet::new();
    for number in 0..callers {
        if asking.len() == AT_ONCE {
            asking.join_next().await.unwrap().unwrap();
        }
        let form = Form::ALL[number % Form::ALL.len()];
        let client = client(form).with("content-type", "application/json");
        // Anything between nothing and more than an answer takes, in no order.
        let patience = Duration::from_micros(number as u64 * 7_919 % 20_000);
        asking.spawn(async move {
            let reading = async {
                let body = form.body("hello").to_string();
                client.open(Method::POST, form.path(), body).await.collect().await
            };
            // Whether there was time for the whole answer does not matter.
            drop(tokio::time::timeout(patience, reading).await);
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
}

/// The upstream has seen its connection close behind two events.
const GONE: Outcome = Outcome::ClientGone { sent_events: 2 };

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_after_the_last_event_has_everything() {
    for (dialect, finish) in [(Dialect::OpenAi, "[DONE]"), (Dialect::Gemini, "finishReason")] {
        let gateway = Gateway::start().await;
        gateway.upstream.on(
            When::any(),
            Answer::believable().with(Fault::Cut { at: Point::Events(99), ending: Ending::Stall }),
        );
        let question = Ask::new(dialect, Mode::Streamed);

        let mut stream = question.open(&gateway.openai()).await;
        let mut text = String::new();
        while !text.contains(finish) {
            text.push_str(&String::from_utf8_lossy(&stream.next().await.unwrap()));
        }
        drop(stream);

        gateway.idle().await;
        let rows = gateway.rows().await;
        assert_eq!((rows.len(), rows[0].is_success), (1, true), "{rows:?}");
        assert!(rows[0].tokens.total.is_some());
        gateway.close().await;
    }
}
