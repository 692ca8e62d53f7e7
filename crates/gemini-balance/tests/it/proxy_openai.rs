//! OpenAI-style requests, plain and streamed.

use fake_upstream::{Answer, Step, When};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Form, Gateway, Setup};

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

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rewrites_change_nothing_else_of_a_body() {
    let gateway = Gateway::start().await;
    let check = async |body: &str, expected: &str| {
        gateway.upstream.clear_seen();
        let client = gateway.openai().with("content-type", "application/json");
        client.send(Method::POST, "/v1/chat/completions", body.to_owned()).await;
        assert_eq!(str::from_utf8(&gateway.upstream.seen()[0].body).unwrap(), expected);
    };
    let messages = r#""messages":[{"role":"user","content":"h\u00e9"}]"#;

    check(
        &format!(r#"{{ "stream": true, "n": 1.0, {messages} }}"#),
        &format!(
            r#"{{ "stream": true, "n": 1.0, {messages},"stream_options":{{"include_usage":true}} }}"#
        ),
    )
    .await;
    check(
        &format!(
            r#"{{"stream":true,"stream_options":{{"x":1e400,"include_usage":false}},{messages}}}"#
        ),
        &format!(
            r#"{{"stream":true,"stream_options":{{"x":1e400,"include_usage":true}},{messages}}}"#
        ),
    )
    .await;
    let asked =
        format!(r#"{{"stream":true,"stream_options":{{"include_usage":true}},{messages}}}"#);
    check(&asked, &asked).await;
    check(
        &format!(r#"{{"thinking_budget":1024,"include_thoughts":true,{messages},"reasoning_effort":"low"}}"#),
        &format!(r#"{{{messages},"extra_body":{{"google":{{"thinking_config":{{"thinking_budget":1024,"include_thoughts":true}}}}}}}}"#),
    )
    .await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_not_asked_for_when_the_settings_say_so() {
    let gateway = Setup::default().set("METER_OPENAI_STREAMS", false).start().await;

    gateway.ask(Form::ChatStream).await;

    assert_eq!(gateway.upstream.seen()[0].body, Form::ChatStream.body("hello").to_string());
    assert_eq!(gateway.only_final_row().await.tokens.total, None);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_usage_nobody_asked_for_is_taken_out_of_a_stream() {
    let gateway = Gateway::start().await;
    let event =
        |text: &str| format!("data: {{\"choices\":[{{\"delta\":\"{text}\"}}],\"usage\":null}}\n\n");
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\n";
    let finish = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n".to_owned();
    let (hi, ho) = (event("hi"), event("ho"));
    let kept = format!("{hi}: comment\n\n{ho}{finish}data: [DONE]\n\n");
    let sent = format!("{hi}: comment\n\n{ho}{finish}{usage}data: [DONE]\n\n");

    for size in [1, 7, 64, sent.len()] {
        let head = Step::Head {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
        };
        let pieces = sent.as_bytes().chunks(size);
        let pieces = pieces.flat_map(|piece| [Step::Chunk(piece.to_vec().into()), Step::Flush]);
        let steps: Vec<Step> = std::iter::once(head).chain(pieces).collect();
        gateway.upstream.on(When::any(), Answer::steps(steps));

        let without = gateway.ask(Form::ChatStream).await;
        let with = gateway.ask(Form::ChatUsageStream).await;

        assert_eq!(without.text(), kept, "in pieces of {size}");
        assert_eq!(with.text(), sent);
    }
    let rows = gateway.final_rows().await;
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row.is_success && row.tokens.total == Some(7)));
    gateway.close().await;
}
