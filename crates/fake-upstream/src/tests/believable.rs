//! What is answered without a script.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    Settings, Upstream, said,
    tests::{CHAT, GENERATE, STREAM, ask, exchange, hello, request, words},
};

#[tokio::test]
async fn every_generation_is_valid_json_and_depends_on_the_request() {
    let upstream = Upstream::start().await.unwrap();
    let body = json!({
        "contents": [{"parts": [{"text": "hi"}]}],
        "content": {"parts": [{"text": "a"}]},
        "outputDimensionality": 2,
    });

    for line in [
        r#"/v1beta/models/m:generateContent /candidates/0/content/parts/0/text "echo: hi""#,
        r#"/v1beta/models/m:generateContent /usageMetadata/totalTokenCount 8"#,
        r#"/v1/models/m:generateContent /modelVersion "m""#,
        r#"/v1beta/models/m:streamGenerateContent /2/candidates/0/finishReason "STOP""#,
        r#"/v1alpha/models/m:countTokens /totalTokens 1"#,
        r#"/v1/models/m:embedContent /embedding/values/1 0.538116455078125"#,
    ] {
        let [path, pointer, expected] = words(line);
        let answer = ask(&upstream, "POST", path, "k", &body.to_string()).await;
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(answer.json().pointer(pointer), Some(&expected), "{line}");
    }
}

#[tokio::test]
async fn the_other_resources_answer_as_their_services_do() {
    let upstream = Upstream::start().await.unwrap();
    let body = json!({
        "requests": [{"content": {"parts": [{"text": "a"}]}}],
        "instances": [{"prompt": "a"}],
        "input": ["a", "b"],
        "dimensions": 4,
        "n": 2,
    });

    for line in [
        "POST /v1beta/models/m:batchEmbedContents /embeddings/0/values/7",
        "POST /v1beta/models/m:predict /predictions/0/bytesBase64Encoded",
        "POST /v1beta/models/m:predictLongRunning /name",
        "GET /v1beta/models?pageSize=2&pageToken=2 /models/1",
        "GET /v1beta/models?pageSize=2 /nextPageToken",
        "GET /v1/models/gemini-2.5-pro?key=k /supportedGenerationMethods",
        "POST /v1beta/cachedContents:x /echo/body/n",
        "GET /v1/models /data/0/owned_by",
        "GET /v1beta/openai/models /data/0/id",
        "GET /v1beta/openai/models/gemini-2.5-pro /id",
        "POST /v1/images/generations /data/1/b64_json",
        "POST /v1/embeddings /data/1/embedding/3",
        "POST /v1/audio/transcriptions /echo/path",
    ] {
        let [method, path, pointer] = words(line);
        let answer = ask(&upstream, method, path, "k", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{line}: {}", answer.text());
        assert!(answer.json().pointer(pointer).is_some(), "{line}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_chat_answers_with_text_tools_and_usage() {
    let upstream = Upstream::start().await.unwrap();
    let chat = |fields: Value, text: &str| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body.to_string()
    };
    let tools = json!({"tools": [{"type": "function", "function": {"name": "find"}}]});
    let streamed = json!({"stream": true, "stream_options": {"include_usage": true}});

    let plain = ask(&upstream, "POST", CHAT, "k", &chat(json!({}), "hi")).await.json();
    let called = ask(&upstream, "POST", CHAT, "k", &chat(tools, "use the tool")).await.json();
    let stream = ask(&upstream, "POST", CHAT, "k", &chat(streamed, "hi")).await.text();

    assert_eq!(plain["choices"][0]["message"]["content"], "echo: hi");
    assert_eq!(called["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "find");
    let events: Vec<_> = stream.split("\n\n").collect();
    assert_eq!(events.len(), 3 + 1 + 1 + 1, "{stream}");
    assert!(events[0].contains(r#""usage":null"#));
    assert!(events[3].contains(r#""choices":[]"#) && events[3].contains("total_tokens"));
    assert_eq!(&events[4..], ["data: [DONE]", ""]);
}

#[tokio::test]
async fn embeddings_in_base64_are_little_endian_floats() {
    let upstream = Upstream::start().await.unwrap();
    let body = r#"{"input":[[1,2],[3]],"encoding_format":"base64","dimensions":2}"#;

    let answer = ask(&upstream, "POST", "/v1/embeddings", "k", body).await.json();

    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    let bytes = BASE64_STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let floats: Vec<_> =
        bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(floats, said::embedding("[1,2]", Some(2)));
}

#[tokio::test]
async fn a_gemini_stream_ends_with_reason_usage_and_signature() {
    let upstream = Upstream::start().await.unwrap();

    let stream = ask(&upstream, "POST", STREAM, "k", &hello("hi")).await.text();

    let events: Vec<_> = stream.split("\r\n\r\n").collect();
    assert_eq!((events.len(), events[3]), (4, ""));
    let read = |event: &str| -> Value {
        serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()
    };
    assert!(read(events[0]).get("usageMetadata").is_none());
    let last = read(events[2]);
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 8);
    assert!(last["candidates"][0]["content"]["parts"][1]["thoughtSignature"].is_string());
}

#[tokio::test]
async fn exactly_one_credential_in_the_right_place_is_required() {
    let upstream = Upstream::start().await.unwrap();
    let check = async |path: &str, headers: &str, status: u16, words: &str| {
        let request = request("POST", path, headers, &hello("hi"));
        let answer = exchange(&upstream, &request).await;
        assert_eq!(answer.status, status, "{path} {headers}");
        assert!(answer.text().contains(words), "{path} {headers}: {}", answer.text());
    };

    check(GENERATE, "", 403, "unregistered callers").await;
    check(&format!("{GENERATE}?key=a"), "", 200, "echo").await;
    check(&format!("{GENERATE}?key=a"), "x-goog-api-key: a\r\n", 400, "Multiple").await;
    check(GENERATE, "authorization: Bearer a\r\n", 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED").await;
    check("/v1beta/openai/chat/completions", "x-goog-api-key: a\r\n", 400, "Authorization").await;
    assert_eq!(upstream.seen()[2].credentials, ["a", "a"]);
}

#[tokio::test]
async fn a_strict_upstream_refuses_unknown_names() {
    let settings = Settings { is_strict: true, ..Settings::default() };
    let upstream = Upstream::start_with(([127, 0, 0, 1], 0).into(), settings).await.unwrap();

    let native = ask(&upstream, "POST", GENERATE, "k", r#"{"contents":[{}],"x":1}"#).await;
    let layer = ask(&upstream, "POST", CHAT, "k", r#"{"messages":[{}],"thinking":1}"#).await;

    assert!(native.text().contains(r#"Unknown name \"x\": Cannot find field."#));
    assert!(layer.json()[0]["error"]["message"].as_str().unwrap().contains("thinking"));
}

#[tokio::test]
async fn a_key_misbehaves_by_its_name_and_errors_fit_the_dialect() {
    let upstream = Upstream::start().await.unwrap();

    let native = ask(&upstream, "POST", GENERATE, "demo-suspended-1", &hello("hi")).await;
    let layer = ask(&upstream, "POST", CHAT, "demo-429m-1", r#"{"model":"models/x"}"#).await;

    assert_eq!(native.status, 403);
    let container = native.json()["error"]["details"][0]["metadata"]["containerInfo"].clone();
    assert_eq!(container, "api_key:demo-suspended-1");
    let violation = "/0/error/details/1/violations/0/quotaDimensions/model";
    assert_eq!(layer.json().pointer(violation), Some(&json!("x")));
}
