//! OpenAI-style requests, plain and streamed.

use serde_json::{Value, json};

use crate::support::Gateway;

fn chat(text: &str) -> Value {
    json!({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": text}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_completion_is_answered_and_its_bytes_are_the_upstreams() {
    let gateway = Gateway::start().await;

    let reply = gateway.openai().post("/v1/chat/completions", &chat("hello")).await;

    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("echo: hello"), "{}", reply.text());
    assert_eq!(reply.header("x-request-id").len(), 32);
    let seen = gateway.upstream.seen();
    assert_eq!(seen[0].path, "/v1beta/openai/chat/completions");
    assert_eq!(seen[0].body, chat("hello").to_string());
    assert_eq!(seen[0].credentials.len(), 1);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_arrives_with_its_end_and_without_the_usage_nobody_asked_for() {
    let gateway = Gateway::start().await;
    let mut body = chat("hello");
    body["stream"] = json!(true);

    let reply = gateway.openai().post("/v1/chat/completions", &body).await;

    assert_eq!(reply.status, 200);
    let events = reply.events();
    assert_eq!(events.last().unwrap(), "[DONE]");
    assert!(!reply.text().contains("\"choices\":[]"), "{}", reply.text());
    let asked: Value = serde_json::from_slice(&gateway.upstream.seen()[0].body).unwrap();
    assert_eq!(asked["stream_options"]["include_usage"], true);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_caller_is_refused_in_the_dialect_of_the_path() {
    let gateway = Gateway::start().await;

    let reply =
        gateway.stranger().bearer("nobody").post("/v1/chat/completions", &chat("hello")).await;

    assert_eq!(reply.status, 401);
    assert_eq!(reply.json()["error"]["code"], "invalid_api_key");
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}
