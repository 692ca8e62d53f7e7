//! The same numbers as OTLP has them, under the names of the conventions, counted since the start.

use serde_json::{Value, json};

use crate::metrics::histogram::Histogram;
use crate::metrics::{Call, Gauges, Metrics, load};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u32 = 2;

/// Since when is counted and when it was looked, in ms since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The start of the process.
    pub from_ms: i64,
    /// Now.
    pub to_ms: i64,
}

impl Metrics {
    /// All of them, as the list that OTLP calls `metrics`.
    #[must_use]
    pub fn otlp(&self, gauges: &Gauges, span: Span) -> Value {
        let mut durations = Vec::new();
        self.duration.each(|call, times| durations.push(point(&labels(call), times, span)));
        let mut first_chunks = Vec::new();
        self.first_chunk.each(|call, times| first_chunks.push(point(&labels(call), times, span)));
        let mut tokens = Vec::new();
        self.tokens.each(|(call, token_type), counts| {
            let mut labels = labels(call);
            labels.push(("gen_ai.token.type", (*token_type).to_owned()));
            tokens.push(point(&labels, counts, span));
        });
        let mut requests = Vec::new();
        self.requests.each(|(operation, model, status), count| {
            let labels = [
                ("gen_ai.operation.name", operation.label().to_owned()),
                ("gen_ai.request.model", model.text().to_owned()),
                ("status", (*status).to_owned()),
            ];
            requests.push(value(&labels, load(count), span));
        });
        let mut attempts = Vec::new();
        self.attempts.each(|outcome, count| {
            attempts.push(value(&[("outcome", (*outcome).to_owned())], load(count), span));
        });
        let keys = gauges.keys.iter();
        let keys =
            keys.map(|(state, count)| value(&[("state", (*state).to_owned())], *count, span));
        let keys: Vec<Value> = keys.collect();
        let overhead = [point(&[], &self.overhead, span)];
        let in_flight = [value(&[], self.in_flight(), span)];
        let live_sessions = [value(&[], gauges.live_sessions, span)];
        json!([
            histogram("gen_ai.client.operation.duration", "s", &durations),
            histogram("gen_ai.client.operation.time_to_first_chunk", "s", &first_chunks),
            histogram("gen_ai.client.token.usage", "{token}", &tokens),
            histogram("gemini_balance.overhead", "s", &overhead),
            counter("gemini_balance.requests", "{request}", &requests),
            counter("gemini_balance.attempts", "{attempt}", &attempts),
            gauge("gemini_balance.requests_in_flight", "{request}", &in_flight),
            gauge("gemini_balance.live_sessions", "{session}", &live_sessions),
            gauge("gemini_balance.pool_keys", "{key}", &keys),
        ])
    }
}

fn labels(call: &Call) -> Vec<(&'static str, String)> {
    let mut labels = vec![
        ("gen_ai.operation.name", call.operation.label().to_owned()),
        ("gen_ai.provider.name", call.provider.label().to_owned()),
        ("gen_ai.request.model", call.model.text().to_owned()),
    ];
    labels.extend(call.error.map(|error| ("error.type", error.to_owned())));
    labels
}

fn histogram(name: &str, unit: &str, points: &[Value]) -> Value {
    json!({"name": name, "unit": unit, "histogram": {
        "aggregationTemporality": CUMULATIVE, "dataPoints": points,
    }})
}

fn counter(name: &str, unit: &str, points: &[Value]) -> Value {
    json!({"name": name, "unit": unit, "sum": {
        "aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points,
    }})
}

fn gauge(name: &str, unit: &str, points: &[Value]) -> Value {
    json!({"name": name, "unit": unit, "gauge": {"dataPoints": points}})
}

fn value(labels: &[(&str, String)], count: u64, span: Span) -> Value {
    json!({
        "attributes": attributes(labels),
        "startTimeUnixNano": nanoseconds(span.from_ms),
        "timeUnixNano": nanoseconds(span.to_ms),
        "asInt": count.to_string(),
    })
}

fn point(labels: &[(&str, String)], histogram: &Histogram, span: Span) -> Value {
    let (bounds, counts) = histogram.parts();
    let count: u64 = counts.iter().sum();
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    json!({
        "attributes": attributes(labels),
        "startTimeUnixNano": nanoseconds(span.from_ms),
        "timeUnixNano": nanoseconds(span.to_ms),
        "count": count.to_string(),
        "sum": histogram.sum(),
        "bucketCounts": counts,
        "explicitBounds": bounds,
    })
}

fn attributes(labels: &[(&str, String)]) -> Vec<Value> {
    let told = labels.iter();
    told.map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
}

fn nanoseconds(ms: i64) -> String {
    (i128::from(ms) * 1_000_000).to_string()
}
