//! What is sent arrives, byte for byte, in both directions.

use bytes::Bytes;
use fake_upstream::{Answer, Decoration, LineEnd, Options, Step, When};
use http::Method;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

use crate::support::{Form, Gateway, together};

/// Members of an object as no serializer would write them and no data model would keep them.
const ODD_MEMBERS: [&str; 9] = [
    r#""x_unknown":{"deep":[{"deeper":{"x":null}},[[[]]]]}"#,
    r#""n":1000000,"max_tokens":9007199254740993,"a":1e400,"b":-0,"c":1.0,"d":1.50E+02,"e":0.10"#,
    r#""twice":1,"twice":2,"twice":{"a":1,"a":1}"#,
    r#""escapes":"\u00e9\/\ud83d\ude00\u0041\b\f\n\r\t\"\\","\u0061":"é😀""#,
    " \"spaced\" :\t[ 1 ,\r\n 2 ]\n",
    r#""system_instruction":{"parts":{"text":"snake"}},"generationConfig":{"thinkingLevel":"low"}"#,
    r#""tool_choice":"required","response_format":{"type":"json_schema"},"fileData":{"fileUri":"file:///etc/passwd"}"#,
    r#""image_url":{"url":"http://169.254.169.254/"},"developer":"gopher://x","thoughtSignature":"AA==""#,
    r#""":"","null":null,"true":false"#,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_body_goes_upstream_as_it_came() {
    let gateway = Gateway::start().await;

    for form in forms_without_rewrites() {
        for members in ODD_MEMBERS {
            check_request(&gateway, form, form.path(), &with_members(form, members)).await;
        }
    }
    for path in ["/v1beta/models/m:countTokens", "/v1beta/models/m:embedContent"] {
        check_request(&gateway, Form::Generate, path, r#"{ "thinking_budget": 1.0 }"#).await;
    }
    let embeddings = r#"{"model":"m","input":[1,2],"stream":true,"dimensions":4.0}"#;
    check_request(&gateway, Form::Chat, "/v1/embeddings", embeddings).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_object_goes_upstream_as_it_came() {
    let gateway = Gateway::start().await;
    let mut runner = TestRunner::deterministic();

    for _ in 0..40 {
        let object = objects().new_tree(&mut runner).unwrap().current();
        for form in forms_without_rewrites() {
            let body = with_members(form, &format!("\"x\":{object}"));
            check_request(&gateway, form, form.path(), &body).await;
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_back_as_it_was() {
    let gateway = Gateway::start().await;

    for members in ODD_MEMBERS {
        for form in Form::WHOLE {
            check_answer(&gateway, form, Answer::json(200, format!("{{{members}}}"))).await;
        }
        // A line end inside the data of an event would be another line.
        let members = members.replace(['\r', '\n'], " ");
        let events = ["", " ", "\t"].map(|space| format!("data: {{{space}{members}}}\n\n"));
        let finish =
            r#"{"candidates":[{"finishReason":"STOP"}],"choices":[{"finish_reason":"stop"}]}"#;
        let stream = [&events[..], &[format!("data: {finish}\n\n")]].concat();
        for form in Form::EVENTS {
            check_answer(&gateway, form, chunked("text/event-stream", &stream)).await;
        }
        let array = [format!("[{{{members}}}"), format!(",\r\n{finish}\n]")];
        check_answer(&gateway, Form::GenerateArray, chunked("application/json", &array)).await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_any_spelling_comes_back_as_it_was() {
    let gateway = Gateway::start().await;
    let text = Some("日本語 🎉 é\u{2028} 键".to_owned());
    let mut answers: Vec<Answer> = vec![
        Answer::no_last_blank_line(),
        Answer::one_byte_per_write(),
        Answer::blocked("SAFETY"),
        Options { candidates: 3, ..Options::default() }.into(),
        Options { tool_call: true, ..Options::default() }.into(),
        Answer::from(Options { text, ..Options::default() })
            .with(fake_upstream::Fault::Pieces { bytes: 1 }),
    ];
    for line_end in [LineEnd::CrLf, LineEnd::Lf, LineEnd::Cr] {
        for decorations in [
            vec![],
            vec![Decoration::Comment, Decoration::Event],
            vec![Decoration::Id, Decoration::Retry, Decoration::NoSpace],
            vec![Decoration::ByteOrderMark, Decoration::MultiLine],
        ] {
            let line_end = Some(line_end);
            answers.push(Options { line_end, decorations, ..Options::default() }.into());
        }
    }

    for answer in answers {
        for form in [Form::ChatUsageStream, Form::GenerateStream, Form::GenerateArray] {
            check_answer(&gateway, form, answer.clone()).await;
        }
    }
    for form in [Form::ChatUsageStream, Form::GenerateStream] {
        for data in ["not json", "\u{1}\u{7f}", "[1]", "\"text\"", "1e400"] {
            let events = [format!("data: {data}\n\n"), "data: {\"choices\":[]}\n\n".to_owned()];
            check_answer(&gateway, form, chunked("text/event-stream", &events)).await;
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_wide_characters_may_be_cut_at_every_byte() {
    let openai = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"日本🎉\"}}]}\n\n",
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    let gemini = concat!(
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"日本🎉\"}]}}]}\r\n\r\n",
        "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
    );
    let forms = [
        (Form::ChatStream, openai),
        (Form::ChatUsageStream, openai),
        (Form::GenerateStream, gemini),
    ];

    together(forms.map(async |(form, text)| {
        let gateway = Gateway::start().await;
        for at in 1..text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            let steps = [head, tail].map(|part| Step::Chunk(Bytes::copy_from_slice(part)));
            gateway.upstream.clear();
            gateway.upstream.on(When::any(), stream_of(steps));
            let reply = gateway.ask(form).await;

            assert_eq!((reply.text().as_str(), reply.is_cut), (text, false), "{form:?} at {at}");
        }
        gateway.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_giant_line_passes_whole() {
    let gateway = Gateway::start().await;

    for form in Form::ALL {
        gateway.upstream.on(When::any(), Answer::giant_line(3));
        let direct = gateway.ask_upstream(form).await;
        let reply = gateway.ask(form).await;

        assert!(reply.body.len() > 3 << 20, "{form:?}");
        if form != Form::ChatStream {
            assert!(reply.body == direct.body, "{form:?}");
        }
    }
    gateway.close().await;
}

/// Checks that a body arrives upstream as it is, in one request. What the fake says to it does not
/// matter: it cannot read every number.
async fn check_request(gateway: &Gateway, form: Form, path: &str, body: &str) {
    gateway.upstream.clear_seen();
    let client = gateway.client(form).with("content-type", "application/json");
    let reply = client.send(Method::POST, path, body.to_owned()).await;

    let seen = gateway.upstream.seen();
    assert_eq!(seen.len(), 1, "{path} {body}: {}", reply.text());
    assert_eq!(seen[0].body, body.as_bytes(), "{path}");
    assert_eq!(seen[0].header("content-length"), Some(body.len().to_string().as_str()));
}

/// Checks that an answer reaches the caller as the upstream gives it.
async fn check_answer(gateway: &Gateway, form: Form, answer: Answer) {
    gateway.upstream.clear();
    gateway.upstream.on(When::any(), answer);
    let direct = gateway.ask_upstream(form).await;
    let reply = gateway.ask(form).await;

    assert_eq!(reply.status, direct.status, "{form:?}: {}", reply.text());
    assert!(!reply.is_cut);
    assert_eq!(reply.text(), direct.text(), "{form:?}");
    assert_eq!(reply.body, direct.body, "{form:?}");
    assert_eq!(reply.header("content-type"), direct.header("content-type"));
}

/// An event stream in these steps, each a write of its own.
fn stream_of(steps: impl IntoIterator<Item = Step>) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    let mut all = vec![Step::Head { status: 200, headers }];
    for step in steps {
        all.extend([step, Step::Flush]);
    }
    Answer::steps(all)
}

fn chunked(content_type: &str, chunks: &[String]) -> Answer {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let mut steps = vec![Step::Head { status: 200, headers }];
    for chunk in chunks {
        steps.extend([Step::Chunk(Bytes::from(chunk.clone())), Step::Flush]);
    }
    Answer::steps(steps)
}

/// Those ways whose body has no documented rewrite.
fn forms_without_rewrites() -> impl Iterator<Item = Form> {
    Form::ALL.into_iter().filter(|form| *form != Form::ChatStream)
}

/// A good body with more members in front.
fn with_members(form: Form, members: &str) -> String {
    let body = form.body("hello").to_string();
    format!("{{{members},{}", &body[1..])
}

/// Objects of any depth.
fn objects() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let any_value = leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,8}", inner), 0..5)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    });
    prop::collection::vec(("\\PC{0,8}", any_value), 1..5)
        .prop_map(|members| Value::Object(Map::from_iter(members)))
}
