//! Events as they come out at the other end.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::feed::Seen;
use crate::random::RequestIds;

#[test]
fn an_event_is_one_line_with_its_request() {
    let request_id = RequestIds::seeded().unwrap().next();

    let text = written(LogFormat::Text, Level::INFO, || {
        request_span(request_id).in_scope(|| tracing::info!(attempt = 2, "key rests"));
    });

    assert_eq!(
        text,
        format!("2026-11-22 20:46:48,435Z - INFO - key rests request_id={request_id} attempt=2\n")
    );
}

#[test]
fn an_event_is_one_json_object_whatever_its_values_hold() {
    let evil = "a\r\nb\u{1b}[31m\u{2028}\0\"";

    let text = written(LogFormat::Json, Level::INFO, || {
        tracing::info!(reason = evil, is_final = true, ratio = 0.5, "said: {evil}");
    });

    assert_eq!(text.lines().count(), 1);
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["target"], "gemini_balance::telemetry::tests");
    assert_eq!(line["message"], r#"said: a\r\nb\u{1b}[31m\u{2028}\u{0}""#);
    assert_eq!(
        line["fields"],
        json!({"reason": r#"a\r\nb\u{1b}[31m\u{2028}\u{0}""#, "is_final": true, "ratio": 0.5})
    );
}

#[test]
fn keys_are_redacted_in_messages_fields_and_spans() {
    let key = format!("AIza{}", "x".repeat(35));

    let text = written(LogFormat::Text, Level::TRACE, || {
        tracing::info_span!("outer", key).in_scope(|| {
            tracing::warn!(debug = ?Some(&key), display = %key, "used {key}");
        });
    });

    assert!(!text.contains("xxx"), "{text}");
    assert_eq!(text.matches("AIza[redacted]").count(), 4);
}

#[test]
fn a_field_of_a_megabyte_is_cut() {
    let text = written(LogFormat::Text, Level::INFO, || {
        tracing::info!(body = "x".repeat(1 << 20), "{}", "y".repeat(1 << 20));
    });

    assert!(text.len() < 6_000);
}

#[test]
fn libraries_speak_only_from_warnings_on() {
    let text = written(LogFormat::Text, Level::TRACE, || {
        tracing::trace!("ours");
        tracing::info!(target: "hyper::proto", "theirs");
        tracing::warn!(target: "hyper::proto", "their warning");
    });

    assert!(text.contains("ours") && text.contains("their warning"));
    assert!(!text.contains("theirs"));
}

#[test]
fn what_is_below_the_level_is_not_written_but_its_request_still_names_graver_events() {
    let request_id = RequestIds::seeded().unwrap().next();

    let text = written(LogFormat::Text, Level::ERROR, || {
        request_span(request_id).in_scope(|| {
            tracing::warn!("quiet");
            tracing::error!("loud");
        });
        tracing::warn!(target: "hyper", "quiet");
    });

    assert!(text.ends_with(&format!("ERROR - loud request_id={request_id}\n")));
    assert_eq!(text.lines().count(), 1);
}

#[tokio::test]
async fn the_live_log_sees_the_same_line() {
    let live = Live::new(10, 0);
    let mut watcher = live.subscribe(None).unwrap();

    let text = written_with(live, LogFormat::Text, Level::INFO, || {
        tracing::info!("hello");
    });

    match watcher.next().await {
        Some(Seen::Item(line)) => assert_eq!(format!("{}\n", line.rendered()), text),
        other => panic!("expected a line, saw {other:?}"),
    }
}

fn written(format: LogFormat, level: Level, events: impl FnOnce()) -> String {
    written_with(Live::new(0, 0), format, level, events)
}

fn written_with(live: Live, format: LogFormat, level: Level, events: impl FnOnce()) -> String {
    let page = Page::default();
    let clock = Clock::manual(1_795_380_408_435);
    let (outlet, guard) = Outlet::open(page.clone(), "test-log").unwrap();
    let recorder = Recorder { clock, live, format, outlets: vec![outlet] };
    tracing::subscriber::with_default(subscriber(recorder, level), events);
    drop(guard);
    String::from_utf8(page.0.lock().clone()).unwrap()
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
