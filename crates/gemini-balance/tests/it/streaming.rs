//! Streams that break, stop, fail or begin late: what came is passed on, and how it ended is said
//! once, in the caller's dialect.

use std::time::{Duration, Instant};

use dialect::Dialect;
use fake_upstream::{Answer, Ending, Fault, Options, Outcome, Point, Step, UsageForm, When};
use gemini_balance::store::log_pages::LogEntry;
use serde_json::Value;

use crate::support::{Form, Gateway, Reply, Setup, together};

/// Each event of a whole stream tells the tokens, so that a broken one has told some.
fn metered() -> Options {
    Options { usage: UsageForm::Each, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_between_two_events_ends_with_one_error_event_unless_it_was_finished()
{
    let gateway = Gateway::start().await;

    for form in Form::EVENTS {
        let whole = events(&gateway, form).await;
        for count in 1..=whole.len() {
            for ending in [Ending::Close, Ending::Reset] {
                let cut = Fault::Cut { at: Point::Events(count), ending };
                let (reply, row) = broken(&gateway, form, Answer::from(metered()).with(cut)).await;

                let body = whole[..count].concat();
                let tail = without(&reply, &body);
                if is_finish(&body) {
                    assert_eq!((tail, reply.is_cut), ("", false), "{form:?}");
                    check_whole(&gateway, &row);
                } else {
                    assert_error_event(&gateway, form, tail, 502, "upstream_broke");
                    check_row(&row, "answer_cut");
                }
            }
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_only_forgets_to_end_is_whole_at_the_idle_limit() {
    together(Form::EVENTS.map(async |form| {
        let gateway = Setup::default().set("STREAM_IDLE_TIMEOUT_SECONDS", 0.6).start().await;
        let whole = events(&gateway, form).await;
        let stall = Fault::Cut { at: Point::Events(whole.len()), ending: Ending::Stall };
        let (reply, row) = broken(&gateway, form, Answer::from(metered()).with(stall)).await;

        assert_eq!((without(&reply, &whole.concat()), reply.is_cut), ("", false), "{form:?}");
        check_whole(&gateway, &row);
        let count = whole.len() as u64;
        gateway.upstream.wait_until(|seen| is_left_after(seen, count)).await.unwrap();
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_behind_its_own_error_event_gets_no_second_one() {
    let gateway = Gateway::start().await;

    for form in [Form::ChatUsageStream, Form::GenerateStream] {
        for ending in [Ending::Close, Ending::Reset] {
            let answer = Answer::error_event_after(2, 503);
            let cut = answer.with(Fault::Cut { at: Point::Events(3), ending });
            let (reply, row) = broken(&gateway, form, cut).await;

            assert_eq!(reply.text().matches("\"error\"").count(), 1, "{}", reply.text());
            assert_eq!(row.error_kind.as_deref(), Some("upstream_error"));
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_inside_a_line_end_leaves_the_error_event_to_itself_for_every_reader() {
    let gateway = Gateway::start().await;
    let form = Form::GenerateStream;
    let whole = events(&gateway, form).await;
    assert!(whole[1].ends_with("\r\n\r\n"));

    for missing in 1..=4 {
        let at = Point::Inside { events: 1, bytes: whole[1].len() - missing };
        let cut = Answer::from(metered()).with(Fault::Cut { at, ending: Ending::Reset });
        let (reply, row) = broken(&gateway, form, cut).await;

        let text = reply.text();
        let events = events_at_line_ends(&text);
        assert_eq!(events.len(), 3, "{missing}: {text:?}");
        assert_eq!(events[1].trim_end(), whole[1].trim_end(), "{missing}");
        let error = events[2].strip_prefix("data: ").unwrap();
        gateway.assert_error_body(error, form.dialect(), 502, "upstream_broke");
        check_row(&row, "answer_cut");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_inside_an_event_still_ends_with_one_error_event() {
    let gateway = Gateway::start().await;

    for form in Form::EVENTS {
        let whole = events(&gateway, form).await;
        for bytes in [1, 5, 6, 20] {
            let cut = Fault::Cut { at: Point::Inside { events: 1, bytes }, ending: Ending::Reset };
            let (reply, row) = broken(&gateway, form, Answer::from(metered()).with(cut)).await;

            let tail = without(&reply, &format!("{}{}\n\n", whole[0], &whole[1][..bytes]));
            assert_error_event(&gateway, form, tail, 502, "upstream_broke");
            check_row(&row, "answer_cut");
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_is_cut_between_two_elements_is_closed_with_an_error() {
    let gateway = Gateway::start().await;
    let form = Form::GenerateArray;

    for count in 1..3 {
        for ending in [Ending::Close, Ending::Reset] {
            let cut = Fault::Cut { at: Point::Events(count), ending };
            let (reply, row) = broken(&gateway, form, Answer::from(metered()).with(cut)).await;

            let elements = reply.json();
            let elements = elements.as_array().unwrap();
            assert_eq!(elements.len(), count + 1);
            let error = elements[count].to_string();
            gateway.assert_error_body(&error, Dialect::Gemini, 502, "upstream_broke");
            check_row(&row, "answer_cut");
        }
    }
    let cut = Fault::Cut { at: Point::Inside { events: 1, bytes: 9 }, ending: Ending::Reset };
    let (reply, row) = broken(&gateway, form, Answer::from(metered()).with(cut)).await;
    assert!(reply.is_cut, "no forged end: {}", reply.text());
    check_row(&row, "answer_cut");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_only_its_connection_ends_is_not_taken_for_whole() {
    let gateway = Gateway::start().await;

    for form in Form::EVENTS {
        let whole = events(&gateway, form).await;
        for count in 1..=whole.len() {
            // Written by hand, so that the fake adds no length.
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let body = whole[..count].concat();
            let steps = [Step::Bytes(format!("{head}{body}").into()), Step::Close];
            let (reply, row) = broken(&gateway, form, Answer::steps(steps)).await;

            let tail = without(&reply, &body);
            if is_finish(&body) {
                assert_eq!(tail, "");
                assert!(row.is_success, "{row:?}");
            } else {
                assert_error_event(&gateway, form, tail, 502, "upstream_broke");
                check_row(&row, "answer_cut");
            }
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_only_its_connection_ends_is_whole_with_its_bracket_alone() {
    let gateway = Gateway::start().await;
    let form = Form::GenerateArray;
    let element =
        r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":10}}"#;

    for body in [format!("[{element}"), format!("[{element},\r\n"), format!("[{element}\n]")] {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        let steps = [Step::Bytes(format!("{head}{body}").into()), Step::Close];
        let (reply, row) = broken(&gateway, form, Answer::steps(steps)).await;

        let elements = reply.json();
        let elements = elements.as_array().unwrap();
        if body.ends_with(']') {
            assert_eq!((elements.len(), row.is_success), (1, true), "{row:?}");
        } else {
            assert_eq!(elements.len(), 2, "{}", reply.text());
            let error = elements[1].to_string();
            gateway.assert_error_body(&error, Dialect::Gemini, 502, "upstream_broke");
            check_row(&row, "answer_cut");
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_last_longer_than_every_limit_while_it_lives() {
    let forms = [&Form::EVENTS[..], &[Form::GenerateArray]].concat();
    let alive = Options { chunks: 12, pace_ms: 200, ..metered() };

    together(forms.into_iter().map(async |form| {
        let gateway = Setup::default()
            .set("REQUEST_TIMEOUT_SECONDS", 1)
            .set("ATTEMPT_TIMEOUT_SECONDS", 1)
            .set("STREAM_IDLE_TIMEOUT_SECONDS", 1.5)
            .set("KEY_IN_USE_TIMEOUT_SECONDS", 1)
            .start()
            .await;
        let began = Instant::now();
        let (reply, row) = broken(&gateway, form, alive.clone().into()).await;

        assert!(Duration::from_secs(2) < began.elapsed());
        assert!(is_finish(&reply.text()) && !reply.text().contains("error"), "{}", reply.text());
        check_whole(&gateway, &row);
        assert_eq!(gateway.app().pool.leases_taken_back(), 0, "it was never stuck");
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_is_ended_after_the_idle_limit() {
    together(Form::EVENTS.map(async |form| {
        let gateway = Setup::default().set("STREAM_IDLE_TIMEOUT_SECONDS", 0.6).start().await;
        let whole = events(&gateway, form).await;
        for count in [1, 2] {
            let stall = Fault::Cut { at: Point::Events(count), ending: Ending::Stall };
            let began = Instant::now();
            let (reply, row) = broken(&gateway, form, Answer::from(metered()).with(stall)).await;

            let took = began.elapsed();
            assert!(0.6 <= took.as_secs_f64() && took.as_secs_f64() < 3.0, "{took:?}");
            let tail = without(&reply, &whole[..count].concat());
            assert_error_event(&gateway, form, tail, 504, "upstream_timeout");
            check_row(&row, "stream_idle");
            let count = count as u64;
            let left = |seen: &[_]| is_left_after(seen, count);
            gateway.upstream.wait_until(left).await.unwrap();
        }
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_upstreams_inside_a_stream_passes_as_it_came_and_once() {
    let gateway = Gateway::start().await;

    for form in [Form::ChatUsageStream, Form::GenerateStream] {
        for count in [1, 2] {
            for answer in
                [Answer::error_event_after(count, 503), Answer::bare_error_after(count, 503)]
            {
                gateway.upstream.clear();
                gateway.upstream.on(When::any(), answer.clone());
                let direct = gateway.ask_upstream(form).await;
                let (reply, row) = broken(&gateway, form, answer).await;

                assert_eq!(reply.text(), direct.text(), "{form:?}");
                assert_eq!((row.status, row.is_success), (Some(200), false));
            }
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_before_any_content_goes_to_the_next_key() {
    together(Form::EVENTS.map(async |form| {
        for answer in [
            Answer::error_event_after(0, 503),
            Answer::bare_error_after(0, 503),
            Answer::error_event_after(0, 429),
        ] {
            let gateway = Gateway::start().await;
            gateway.upstream.on(When::any().times(1), answer);

            let reply = gateway.ask(form).await;

            assert!(is_finish(&reply.text()), "{}", reply.text());
            assert!(!reply.text().contains("error"), "{}", reply.text());
            let seen = gateway.upstream.seen();
            assert_eq!(seen.len(), 2);
            assert_ne!(seen[0].key, seen[1].key);
            gateway.close().await;
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_counts_as_whole_when_it_says_that_it_is() {
    let gateway = Gateway::start().await;
    let check = async |form: Form, answer: Answer, error: Option<&str>| {
        gateway.upstream.clear();
        gateway.upstream.on(When::any(), answer.clone());
        let direct = gateway.ask_upstream(form).await;
        let (reply, row) = broken(&gateway, form, answer.clone()).await;
        assert_eq!(reply.text(), direct.text());
        assert_eq!(row.error_kind.as_deref(), error, "{form:?} {answer:?}");
        assert_eq!(row.status, Some(200));
        assert!(gateway.buckets_of("service-key-1").iter().all(|(_, word)| *word == "ready"));
    };

    for form in [Form::ChatUsageStream, Form::GenerateStream] {
        check(form, Answer::no_last_blank_line(), None).await;
        check(form, Answer::no_done(), None).await;
        check(form, Answer::usage(UsageForm::Extra), None).await;
        check(form, Answer::usage(UsageForm::Never), None).await;
    }
    let too_long = Fault::Length { difference: 10 };
    let (reply, row) =
        broken(&gateway, Form::GenerateStream, Answer::from(metered()).with(too_long)).await;
    assert!(row.is_success && !reply.is_cut && !reply.text().contains("error"), "{row:?}");
    check(Form::GenerateStream, Answer::blocked("SAFETY"), None).await;
    check(Form::GenerateStream, Answer::no_finish_reason(), Some("stream_incomplete")).await;
    check(Form::ChatUsageStream, Answer::no_finish_reason(), None).await;
    let decorations = vec![fake_upstream::Decoration::NoDone];
    let endless = Options { finish: false, decorations, ..Options::default() };
    check(Form::ChatUsageStream, endless.into(), Some("stream_incomplete")).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_length_does_not_keep_an_error_event_out() {
    let gateway = Gateway::start().await;
    let decorations = vec![fake_upstream::Decoration::NoDone];
    let endless = Options { finish: false, decorations, ..metered() };

    for form in Form::EVENTS {
        for missing in [10, 100_000] {
            let answer = Answer::from(endless.clone()).with(Fault::Length { difference: missing });
            let (reply, row) = broken(&gateway, form, answer).await;

            assert!(!reply.is_cut);
            let events = reply.events();
            let code = "upstream_broke";
            gateway.assert_error_body(events.last().unwrap(), form.dialect(), 502, code);
            check_row(&row, "answer_cut");
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_stream_begins_with_heartbeats_and_is_whole_all_the_same() {
    let late = Options { first_byte_ms: 500, ..metered() };

    together(Form::EVENTS.map(async |form| {
        let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.05).start().await;
        let whole = events(&gateway, form).await.concat();
        let (reply, row) = broken(&gateway, form, late.clone().into()).await;

        assert_eq!(reply.header("content-type"), "text/event-stream");
        assert_eq!(after_heartbeats(form, &reply.text()), whole);
        assert!(row.is_success, "{row:?}");
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_pauses_gets_heartbeats_between_its_events() {
    let slow = Options { chunks: 2, pace_ms: 400, ..metered() };

    together(Form::EVENTS.map(async |form| {
        let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.05).start().await;
        gateway.upstream.on(When::any(), Answer::from(Options { chunks: 2, ..metered() }));
        let plain = gateway.ask_upstream(form).await;
        let (reply, _) = broken(&gateway, form, slow.clone().into()).await;

        let beat = std::str::from_utf8(form.dialect().heartbeat()).unwrap();
        assert!(reply.body.len() > plain.body.len(), "{form:?}: {}", reply.text());
        assert_eq!(reply.events(), plain.events(), "{form:?}: {beat:?} only between events");
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_heartbeat_gets_into_an_event_or_a_line_end() {
    let head = Step::Head {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
    };
    let finish = r#"{"candidates":[{"finishReason":"STOP"}],"choices":[{"finish_reason":"stop"}]}"#;
    let pieces = [
        "data: {\"candidates\":[],\"choices\":[{\"delta\":{\"content\":\"a",
        "b\"}}]}",
        "\r",
        "\n\r",
        &format!("\ndata: {finish}"),
        "\r\n\r\n",
    ];
    let mut steps = vec![head];
    for piece in pieces {
        let chunk = Step::Chunk(piece.to_owned().into());
        steps.extend([chunk, Step::Flush, Step::Wait { ms: 120 }]);
    }

    together(Form::EVENTS.map(async |form| {
        let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.03).start().await;
        let (reply, row) = broken(&gateway, form, Answer::steps(steps.clone())).await;

        let beat = str::from_utf8(form.dialect().heartbeat()).unwrap();
        let text = reply.text();
        let rest = without(&reply, &pieces.concat());
        assert!(rest.replace(beat, "").is_empty(), "only behind the last event: {text:?}");
        assert!(row.is_success, "{row:?}");
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_heartbeats_the_next_key_still_serves() {
    together(Form::EVENTS.map(async |form| {
        let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.05).start().await;
        for answer in [late_failure(Step::Reset), late_refusal(503), late_refusal(429)] {
            let whole = events(&gateway, form).await.concat();
            gateway.upstream.clear_seen();
            gateway.upstream.on(When::any().times(1), answer);
            let reply = gateway.ask(form).await;

            assert_eq!(after_heartbeats(form, &reply.text()), whole);
            assert_eq!(gateway.upstream.seen().len(), 2);
            assert!(gateway.final_rows().await.pop().unwrap().is_success);
            gateway.app().pool.reset_all();
        }
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_fail_after_heartbeats_there_is_one_error_event() {
    together(Form::EVENTS.map(async |form| {
        for (answer, status, code) in [
            (late_failure(Step::Reset), 502, "upstream_fault"),
            (late_refusal(503), 503, "upstream_status"),
            (late_refusal(404), 404, "upstream_status"),
        ] {
            let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.05).start().await;
            gateway.upstream.on(When::any(), answer);

            let reply = gateway.ask(form).await;

            assert_eq!(reply.status, 200);
            let tail = after_heartbeats(form, &reply.text()).to_owned();
            assert_error_event(&gateway, form, &tail, status, code);
            assert!(!gateway.only_final_row().await.is_success);
            gateway.close().await;
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_during_the_heartbeats_lets_the_upstream_go() {
    let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.05).start().await;
    gateway.upstream.on(When::any(), Answer::stall());

    for form in Form::EVENTS {
        let mut stream = gateway.open(form).await;
        let first = stream.next().await.unwrap();
        assert!(first.starts_with(form.dialect().heartbeat()));
        drop(stream);

        gateway.upstream.wait_for_requests(|open| open == 0).await.unwrap();
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!((row.status, row.error_kind.as_deref()), (Some(499), Some("client_closed")));
    }
    assert_eq!(gateway.upstream.seen().len(), Form::EVENTS.len());
    gateway.close().await;
}

/// The events of a whole stream with the tokens in each, as the upstream sends them.
async fn events(gateway: &Gateway, form: Form) -> Vec<String> {
    gateway.upstream.clear();
    gateway.upstream.on(When::any(), Answer::from(metered()));
    let text = gateway.ask_upstream(form).await.text();
    let end = if form.dialect() == Dialect::Gemini { "\r\n\r\n" } else { "\n\n" };
    text.split_inclusive(end).map(str::to_owned).collect()
}

/// Asks for an answer and checks that it took one request upstream; returns its final row too.
async fn broken(gateway: &Gateway, form: Form, answer: Answer) -> (Reply, LogEntry) {
    gateway.upstream.clear();
    gateway.upstream.clear_seen();
    gateway.upstream.on(When::any(), answer);
    let reply = gateway.ask(form).await;

    assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
    assert_eq!(gateway.upstream.seen().len(), 1, "{form:?}: no second start");
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(row.attempt, 1);
    gateway.app().pool.reset_all();
    (reply, row)
}

/// What follows the `expected` beginning of an answer.
fn without<'a>(reply: &'a Reply, expected: &str) -> &'a str {
    let text = str::from_utf8(&reply.body).unwrap();
    text.strip_prefix(expected).unwrap_or_else(|| panic!("{text:?} begins not as {expected:?}"))
}

/// Checks that a text is one error event, and nothing else.
fn assert_error_event(gateway: &Gateway, form: Form, text: &str, status: u16, code: &str) {
    let data = text.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let data = data.unwrap_or_else(|| panic!("not one event: {text:?}"));
    assert!(!data.contains('\n'), "{text:?}");
    gateway.assert_error_body(data, form.dialect(), status, code);
}

/// A broken stream is one failed row that knows the tokens so far.
fn check_row(row: &LogEntry, error: &str) {
    assert_eq!(row.error_kind.as_deref(), Some(error));
    assert!(row.is_final && !row.is_success && row.is_stream);
    assert_eq!(row.status, Some(200));
    assert_eq!(row.tokens.total, Some(10), "{row:?}");
}

/// A whole stream is one row of success, and no key is blamed.
fn check_whole(gateway: &Gateway, row: &LogEntry) {
    assert!(row.is_success && row.is_final && row.is_stream, "{row:?}");
    assert!(row.tokens.total.is_some(), "{row:?}");
    for (_, view) in gateway.app().pool.views() {
        assert_eq!((view.word(), view.buckets.len()), ("active", 0), "no key is blamed");
    }
}

/// The events as `@google/genai` finds them: up to the first of three pairs of line ends, and
/// without a look at single lines.
fn events_at_line_ends(text: &str) -> Vec<&str> {
    let mut events = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = ["\n\n", "\r\r", "\r\n\r\n"]
        .into_iter()
        .filter_map(|end| rest.find(end).map(|at| (at, end)))
        .min_by_key(|(at, _)| *at)
    {
        events.push(&rest[..at]);
        rest = &rest[at + end.len()..];
    }
    assert_eq!(rest, "", "behind the last event");
    events
}

fn is_finish(text: &str) -> bool {
    text.contains("\"finishReason\":\"STOP\"") || text.contains("\"finish_reason\":\"stop\"")
}

fn is_left_after(seen: &[fake_upstream::Seen], count: u64) -> bool {
    seen.last().is_some_and(|one| one.outcome == Outcome::ClientGone { sent_events: count })
}

/// What comes after the heartbeats of the dialect, of which there must be some.
fn after_heartbeats(form: Form, text: &str) -> &str {
    let beat = str::from_utf8(form.dialect().heartbeat()).unwrap();
    let rest = text.trim_start_matches(beat);
    assert!(rest.len() < text.len(), "no heartbeat: {text:?}");
    rest
}

fn late_failure(ending: Step) -> Answer {
    Answer::steps([Step::Wait { ms: 300 }, ending])
}

fn late_refusal(status: u16) -> Answer {
    let error = serde_json::json!({"error": {"code": status, "message": "no", "status": "X"}});
    let body: Value = if status == 429 { serde_json::json!([error]) } else { error };
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let head = Step::Head { status, headers };
    Answer::steps([Step::Wait { ms: 300 }, head, Step::Bytes(body.to_string().into())])
}
