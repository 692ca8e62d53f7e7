//! What is seen from outside: the gateway's own part of the time, trace context, the metrics and the
//! dashboard that shows them.

use std::collections::BTreeSet;
use std::path::Path;

use fake_upstream::{Answer, When};
use serde_json::Value;

use crate::support::{Ask, Gateway, Setup};

const OVERHEAD: &str = "x-gateway-overhead-ms";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_tells_the_gateways_own_part_of_the_time() {
    // Its first byte comes after two seconds.
    let gateway = Setup::default().keys(["service-key-slow"]).start().await;

    let reply = Ask::gemini().of(&gateway.gemini()).await;

    let overhead_ms: f64 = reply.header(OVERHEAD).parse().unwrap();
    assert!(0.0 < overhead_ms && overhead_ms < 1_000.0, "{overhead_ms} ms of two seconds");
    let page = gemini_balance::admin::metrics_page(gateway.app());
    assert!(page.contains("gemini_balance_overhead_seconds_count 1"), "{page}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstreams_refusal_tells_it_too_and_nobody_does_where_it_is_switched_off() {
    let gateway = Setup::default().set("MAX_RETRIES", 0).start().await;
    let silent = Setup::default().set("OVERHEAD_HEADER", false).start().await;
    gateway.upstream.on(When::any(), Answer::server_error(500));

    let refused = Ask::gemini().of(&gateway.gemini()).await;
    let answered = Ask::gemini().of(&silent.gemini()).await;

    assert_eq!(refused.status, 500, "{}", refused.text());
    assert!(refused.headers.contains_key(OVERHEAD));
    assert!(!answered.headers.contains_key(OVERHEAD));
    gateway.close().await;
    silent.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_of_a_trace_is_passed_through() {
    let gateway = Gateway::start().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let client = gateway.openai().with("traceparent", parent).with("tracestate", "vendor=1");

    Ask::openai().is_answered(&client).await;

    let seen = gateway.upstream.seen();
    assert_eq!(seen[0].header("traceparent"), Some(parent));
    assert_eq!(seen[0].header("tracestate"), Some("vendor=1"));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_page_of_operations_know_the_metrics_that_there_are() {
    let gateway = Gateway::start().await;
    Ask::openai().is_answered(&gateway.openai()).await;
    let page = gemini_balance::admin::metrics_page(gateway.app());
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exported: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();

    let dashboard: Value = serde_json::from_str(&read("docs/grafana/gemini-balance.json")).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            shown.extend(names_in(target["expr"].as_str().unwrap()));
        }
    }
    let operations = read("docs/operations.md");

    for name in &shown {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it));
        let base = base.filter(|base| exported.contains(base)).unwrap_or(name);
        assert!(exported.contains(base), "{name} is shown and not exported");
    }
    for name in exported {
        let is_shown = shown.iter().any(|it| it.starts_with(name));
        assert!(is_shown, "{name} is exported and on no panel");
        assert!(operations.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
    }
    gateway.close().await;
}

/// The names of metrics in an expression.
fn names_in(expression: &str) -> Vec<String> {
    let words = expression.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let is_name = |it: &&str| it.starts_with("gemini_balance_") || it.starts_with("gen_ai_client_");
    words.filter(is_name).map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    std::fs::read_to_string(path).unwrap()
}
