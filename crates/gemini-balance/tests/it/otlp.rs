//! Traces and metrics for a collector: one span for each exchange, in the trace of its caller, under the
//! names of the GenAI conventions, and never anything that is nobody's business.

use std::collections::BTreeSet;

use fake_upstream::{Answer, When};
use serde_json::Value;

use crate::support::receiver::{Posted, Receiver};
use crate::support::{Ask, Gateway, MODEL, Setup, eventually};

async fn gateway_with(collector: &Receiver) -> Gateway {
    Setup::default()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("/otlp"))
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=canary-collector-0123456789")
        .set("OTEL_METRIC_EXPORT_INTERVAL", 200)
        .set("MAX_RETRIES", 0)
        .start()
        .await
}

/// Every span that the collector has.
fn spans(collector: &Receiver) -> Vec<Value> {
    let posted = collector.posted().into_iter().filter(|it| it.path == "/otlp/v1/traces");
    let spans = posted.flat_map(|it| {
        let scope = &it.json()["resourceSpans"][0]["scopeSpans"][0];
        scope["spans"].as_array().unwrap().clone()
    });
    spans.collect()
}

fn attribute(span: &Value, name: &str) -> Value {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|it| it["key"] == name);
    found
        .map_or(Value::Null, |it| it["value"].as_object().unwrap().values().next().unwrap().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_exchange_is_one_span_in_the_trace_of_its_caller() {
    let collector = Receiver::answering(200).await;
    let gateway = gateway_with(&collector).await;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let traced = gateway.gemini().with("traceparent", &format!("00-{trace}-{parent}-01"));

    Ask::gemini().is_answered(&traced).await;
    gateway.upstream.on(When::any().times(1), Answer::server_error(500));
    Ask::gemini().of(&gateway.gemini()).await;
    eventually("both spans are told", async || spans(&collector).len() == 2).await;

    let spans = spans(&collector);
    let (well, ill) = (&spans[0], &spans[1]);
    assert_eq!((&well["traceId"], &well["parentSpanId"]), (&trace.into(), &parent.into()));
    assert_eq!(well["name"], format!("generate_content {MODEL}"));
    assert_eq!(well["kind"], 3);
    for (name, value) in [
        ("gen_ai.operation.name", "generate_content"),
        ("gen_ai.provider.name", "gcp.gemini"),
        ("gen_ai.request.model", MODEL),
    ] {
        assert_eq!(attribute(well, name), value, "{name}");
    }
    assert!(attribute(well, "gen_ai.usage.input_tokens").is_string(), "64 bits are a text: {well}");
    assert!(well["startTimeUnixNano"].as_str() <= well["endTimeUnixNano"].as_str());
    assert_eq!((&ill["status"]["code"], ill["parentSpanId"].is_null()), (&2.into(), true));
    assert_eq!(attribute(ill, "http.response.status_code"), "500");
    assert!(attribute(ill, "error.type").is_string());
    let seen = gateway.upstream.seen();
    let upstream = seen[0].header("traceparent").unwrap().to_owned();
    assert_eq!(upstream, format!("00-{trace}-{}-01", well["spanId"].as_str().unwrap()));
    let posted = collector.posted();
    assert!(posted[0].head.contains("x-collector-key: canary-collector-0123456789"));
    assert!(posted.iter().all(|it| !it.body.contains("service-key") && !it.body.contains("echo")));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_the_names_of_the_conventions() {
    let collector = Receiver::answering(200).await;
    let gateway = gateway_with(&collector).await;
    Ask::gemini().is_answered(&gateway.gemini()).await;

    let mut metrics = Value::Null;
    eventually("metrics are told", async || {
        let posted = collector.posted();
        let last = posted.iter().rfind(|it| it.path == "/otlp/v1/metrics").map(Posted::json);
        metrics = last.map_or(Value::Null, |mut it| {
            it["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].take()
        });
        metrics.to_string().contains("gen_ai.token.type")
    })
    .await;

    let metrics = metrics.as_array().unwrap();
    let names: BTreeSet<&str> = metrics.iter().map(|it| it["name"].as_str().unwrap()).collect();
    for name in ["gen_ai.client.operation.duration", "gen_ai.client.token.usage"] {
        assert!(names.contains(name), "{names:?}");
    }
    let duration = metrics.iter().find(|it| it["name"] == "gen_ai.client.operation.duration");
    let point = &duration.unwrap()["histogram"]["dataPoints"][0];
    let length = |field: &str| point[field].as_array().unwrap().len();
    assert_eq!(length("bucketCounts"), length("explicitBounds") + 1);
    assert_eq!(point["count"], "1");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_costs_nobody_but_its_spans() {
    let collector = Receiver::answering(503).await;
    let gateway = gateway_with(&collector).await;

    for _ in 0..3 {
        Ask::openai().is_answered(&gateway.openai()).await;
    }

    eventually("the loss is counted", async || {
        let page = gemini_balance::admin::metrics_page(gateway.app());
        page.contains("gemini_balance_otlp_spans_dropped_total 3")
    })
    .await;
    gateway.close().await;
}
