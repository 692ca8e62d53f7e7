//! Gemini-style requests, plain and streamed.

use fake_upstream::{Answer, UsageForm, When};
use serde_json::{Value, json};

use crate::support::{Ask, Form, Gateway};

fn question(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_is_answered_under_every_version() {
    let gateway = Gateway::start().await;

    for version in ["v1", "v1beta", "v1alpha"] {
        let path = format!("/{version}/models/gemini-2.5-flash:generateContent");
        let reply = gateway.gemini().post(&path, &question("hello")).await;

        assert_eq!(reply.status, 200);
        assert!(reply.text().contains("echo: hello"));
        assert_eq!(gateway.upstream.seen().last().unwrap().path, path);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_events_with_alt_sse_and_a_json_array_without() {
    let gateway = Gateway::start().await;
    let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";

    let events = gateway.gemini().post(&format!("{path}?alt=sse"), &question("hello")).await;
    let array = gateway.gemini().post(path, &question("hello")).await;

    assert_eq!(events.header("content-type"), "text/event-stream");
    assert!(events.events().len() > 1);
    assert!(array.json().is_array());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_of_the_caller_says_it_is_stands_in_the_row() {
    let gateway = Gateway::start().await;

    for (said, kept) in [
        ("OpenAI/Python 3.54.0", Some("OpenAI/Python 3.54.0".to_owned())),
        (&"x".repeat(500), Some("x".repeat(128))),
        ("", None),
    ] {
        let client = gateway.gemini().with("user-agent", said);
        Ask::gemini().is_answered(&client).await;
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!(row.client, kept);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_in_every_form_of_answer() {
    let gateway = Gateway::start().await;

    for form in [Form::Generate, Form::GenerateStream, Form::GenerateArray] {
        for usage in [UsageForm::Customary, UsageForm::Each] {
            gateway.upstream.on(When::any(), Answer::usage(usage));
            gateway.ask(form).await;

            let row = gateway.final_rows().await.pop().unwrap();
            assert!(row.is_success, "{row:?}");
            assert_eq!((row.status, row.is_stream), (Some(200), form != Form::Generate));
            // "hello" are two tokens, "echo: hello" three, and five were thought.
            let tokens = row.tokens;
            assert_eq!((tokens.prompt, tokens.completion), (Some(2), Some(8)), "{form:?}");
            assert_eq!((tokens.thinking, tokens.total), (Some(5), Some(10)));
            assert_eq!(row.dialect, "gemini");
            assert!(row.bytes_in > 0 && row.bytes_out > 0);
        }
    }
    gateway.close().await;
}
