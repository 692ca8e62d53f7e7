//! Spans and metrics in the JSON form of OTLP: ids are hexadecimal digits, 64-bit numbers are texts.

use serde_json::{Value, json};

use crate::otlp::trace::Span;

/// `SPAN_KIND_CLIENT`, as the GenAI conventions want it.
const KIND_CLIENT: u32 = 3;
/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u32 = 2;

/// A message of spans.
pub(super) fn traces(spans: &[Span], service: &str) -> Value {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": resource(service),
        "scopeSpans": [{"scope": scope(), "spans": spans}],
    }]})
}

/// A message of metrics.
pub(super) fn metrics(metrics: &Value, service: &str) -> Value {
    json!({"resourceMetrics": [{
        "resource": resource(service),
        "scopeMetrics": [{"scope": scope(), "metrics": metrics}],
    }]})
}

fn resource(service: &str) -> Value {
    json!({"attributes": [
        text("service.name", service),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ]})
}

fn scope() -> Value {
    json!({"name": "gemini-balance", "version": env!("CARGO_PKG_VERSION")})
}

fn span(span: &Span) -> Value {
    let name = [span.operation, span.model.as_str()].join(" ");
    let ended_ns = i128::from(span.ended_ms) * 1_000_000;
    let began_ns = ended_ns - i128::from(span.duration_ms) * 1_000_000;
    let mut told = json!({
        "traceId": format!("{:032x}", span.trace.trace_id),
        "spanId": format!("{:016x}", span.trace.span_id),
        "name": name.trim_end(),
        "kind": KIND_CLIENT,
        "startTimeUnixNano": began_ns.to_string(),
        "endTimeUnixNano": ended_ns.to_string(),
        "attributes": attributes(span),
        "status": {},
    });
    if let Some(fields) = told.as_object_mut() {
        if let Some(parent_id) = span.trace.parent_id {
            fields.insert("parentSpanId".to_owned(), format!("{parent_id:016x}").into());
        }
        if let Some(error) = span.error {
            fields.insert("status".to_owned(), json!({"code": STATUS_ERROR, "message": error}));
        }
    }
    told
}

fn attributes(span: &Span) -> Vec<Value> {
    let mut attributes = vec![
        text("gen_ai.operation.name", span.operation),
        text("gen_ai.provider.name", span.provider),
        json!({"key": "gen_ai.request.stream", "value": {"boolValue": span.is_stream}}),
        number("http.response.status_code", u64::from(span.status)),
        text("gemini_balance.request_id", &span.request_id),
        number("gemini_balance.attempts", u64::from(span.attempts)),
    ];
    if !span.model.is_empty() {
        attributes.push(text("gen_ai.request.model", &span.model));
    }
    if let Some(error) = span.error {
        attributes.push(text("error.type", error));
    }
    if let Some(ms) = span.first_chunk_ms {
        let seconds = f64::from(ms) / 1_000.0;
        let value = json!({"doubleValue": seconds});
        attributes.push(json!({"key": "gen_ai.response.time_to_first_chunk", "value": value}));
    }
    let names = [
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
    ];
    let counts = names.into_iter().zip(span.tokens);
    attributes.extend(counts.filter_map(|(name, count)| Some(number(name, u64::from(count?)))));
    attributes
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}
