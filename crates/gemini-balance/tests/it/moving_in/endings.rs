//! URLs and endings of model names that callers of snailyp/gemini-balance use.

use serde_json::{Value, json};

use crate::moving_in::question;
use crate::support::{Gateway, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn its_urls_work_as_they_are() {
    let gateway = Gateway::start().await;
    let chat =
        json!({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "hello"}]});

    for path in ["/v1/chat/completions", "/hf/v1/chat/completions", "/openai/v1/chat/completions"] {
        let reply = gateway.openai().post(path, &chat).await;
        assert_eq!(reply.status, 200, "{path}");
    }
    for prefix in ["/v1beta", "/gemini/v1beta", "/vertex-express/v1beta"] {
        let path = format!("{prefix}/models/gemini-2.5-flash:generateContent");
        assert_eq!(gateway.gemini().post(&path, &question()).await.status, 200, "{path}");
    }
    for path in ["/v1/models", "/hf/v1/models", "/openai/v1/models"] {
        assert_eq!(gateway.openai().get(path).await.status, 200, "{path}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endings_mean_something_when_they_are_switched_on() {
    let gateway = Setup::default().set("MODEL_SUFFIXES", true).start().await;

    for (model, base, added) in [
        ("gemini-2.5-flash-search", "gemini-2.5-flash", json!({"tools": [{"googleSearch": {}}]})),
        (
            "gemini-2.5-flash-non-thinking",
            "gemini-2.5-flash",
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}),
        ),
        (
            "gemini-2.5-pro-search-non-thinking",
            "gemini-2.5-pro",
            json!({"tools": [{"googleSearch": {}}],
                "generationConfig": {"thinkingConfig": {"thinkingBudget": 128}}}),
        ),
        (
            "gemini-2.0-flash-exp-image",
            "gemini-2.0-flash-exp",
            json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}),
        ),
        ("gemini-2.5-flash-image", "gemini-2.5-flash-image", json!({})),
    ] {
        for verb in ["generateContent", "streamGenerateContent"] {
            let path = format!("/v1beta/models/{model}:{verb}");
            assert_eq!(gateway.gemini().post(&path, &question()).await.status, 200, "{path}");

            let seen = gateway.upstream.seen().pop().unwrap();
            assert_eq!(seen.path, format!("/v1beta/models/{base}:{verb}"));
            let mut expected = question();
            expected.as_object_mut().unwrap().extend(added.as_object().unwrap().clone());
            assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), expected);
            let row = gateway.final_rows().await.pop().unwrap();
            assert_eq!(row.model, base, "quotas and the log go by the model that is asked");
        }
    }
    let path = "/v1beta/models/gemini-2.5-flash-search:countTokens";
    gateway.gemini().post(path, &question()).await;
    let seen = gateway.upstream.seen().pop().unwrap();
    assert_eq!(seen.path, "/v1beta/models/gemini-2.5-flash:countTokens");
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), question(), "as it came");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_openai_s_dialect_thinking_is_turned_down_and_search_is_refused() {
    let gateway = Setup::default().set("MODEL_SUFFIXES", true).start().await;
    let chat =
        |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});

    let path = "/v1/chat/completions";
    let reply = gateway.openai().post(path, &chat("gemini-2.5-flash-non-thinking")).await;
    let refused = gateway.openai().post(path, &chat("gemini-2.5-flash-search")).await;

    assert_eq!(reply.status, 200);
    let seen = gateway.upstream.seen().pop().unwrap();
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(
        (&body["model"], &body["reasoning_effort"]),
        (&json!("gemini-2.5-flash"), &json!("none"))
    );
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("has no search"), "{}", refused.text());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endings_are_names_of_models_otherwise() {
    let gateway = Gateway::start().await;
    let path = "/v1beta/models/gemini-2.5-flash-search:generateContent";

    gateway.gemini().post(path, &question()).await;

    let seen = gateway.upstream.seen().pop().unwrap();
    assert_eq!(seen.path, path);
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), question());
    gateway.close().await;
}
