//! However bytes are cut, what is seen and what is passed on stay the same; and no bytes at all make
//! anything panic.

use bytes::Bytes;
use dialect::{Asker, Dialect, Rewrite, Seen, Shape, Tap, UsageFilter};
use proptest::prelude::*;

const SHAPES: [Shape; 3] = [Shape::Sse, Shape::JsonArray, Shape::Json];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tap_sees_the_same_however_a_stream_is_cut(stream in stream(), cuts in cuts()) {
        for shape in SHAPES {
            let whole = seen(shape, &[&stream]);
            prop_assert_eq!(&whole, &seen(shape, &cut(&stream, &cuts)));
            prop_assert_eq!(&whole, &seen(shape, &stream.chunks(1).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn the_filter_passes_the_same_however_a_stream_is_cut(stream in stream(), cuts in cuts()) {
        let whole = filtered(&[&stream]);
        prop_assert_eq!(&whole, &filtered(&cut(&stream, &cuts)));
        prop_assert_eq!(&whole, &filtered(&stream.chunks(1).collect::<Vec<_>>()));
    }

    #[test]
    fn a_stream_without_the_extra_event_passes_unchanged(stream in stream(), cuts in cuts()) {
        // Without the word there is no extra event; the lengths stay.
        let stream = String::from_utf8_lossy(&stream).replace("choices", "chances").into_bytes();
        prop_assert_eq!(filtered(&cut(&stream, &cuts)), stream);
    }

    #[test]
    fn no_path_can_break_out(path in any_path(), has_google_key: bool, method in "GET|POST|DELETE") {
        let asker = Asker { has_google_key, has_google_client: false };
        let _ = dialect::path::guess(&path, &asker);
        if let Ok(target) = dialect::resolve(&path, &method, &asker) {
            prop_assert!(target.path.starts_with('/'));
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:%".contains(&byte);
            prop_assert!(target.path.bytes().all(is_safe), "{}", target.path);
            prop_assert!(!target.path.split('/').any(|segment| matches!(segment, "." | "..")));
            prop_assert!(!target.path.contains("//"), "{}", target.path);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in any_bytes(), status: u16) {
        let _ = dialect::failure::read(status, &bytes);
        let _ = dialect::redact_keys(&String::from_utf8_lossy(&bytes));
        for dialect in [Dialect::OpenAi, Dialect::Gemini] {
            let _ = dialect::peek(dialect, &bytes);
        }
        for shape in SHAPES {
            seen(shape, &[&bytes]);
        }
        filtered(&[&bytes]);
    }

    #[test]
    fn a_rewritten_object_is_an_object_with_the_rest_untouched(body in json_object()) {
        let what = Rewrite {
            include_usage: true,
            thinking_extension: true,
            suffixes: None,
            model_prefix: Some("google-ai-studio/"),
        };
        let once = dialect::rewrite(&Bytes::from(body.clone()), &what).unwrap();
        let before: serde_json::Map<_, _> = serde_json::from_str(&body).unwrap();
        let after: serde_json::Map<_, _> = serde_json::from_slice(&once).unwrap();

        prop_assert_eq!(&after["stream_options"]["include_usage"], true);
        prop_assert!(!after.contains_key("thinking_budget"));
        for key in ["messages", "x"] {
            prop_assert_eq!(before.get(key), after.get(key));
        }
        let twice = dialect::rewrite(&once, &what).unwrap();
        prop_assert_eq!(twice, once);
    }
}

#[test]
fn a_stream_of_wide_characters_may_be_cut_at_every_byte() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"键盘🎹\"}}]}\r\n\r\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\r\n\r\n",
        "data: [DONE]\r\n\r\n",
    )
    .as_bytes();
    let whole = (seen(Shape::Sse, &[stream]), filtered(&[stream]));

    for at in 0..=stream.len() {
        let (left, right) = stream.split_at(at);
        assert_eq!(whole, (seen(Shape::Sse, &[left, right]), filtered(&[left, right])), "{at}");
    }
}

fn seen(shape: Shape, chunks: &[&[u8]]) -> Seen {
    let mut tap = Tap::new(Dialect::OpenAi, shape);
    for chunk in chunks {
        tap.see(chunk);
    }
    tap.end();
    tap.seen().clone()
}

fn filtered(chunks: &[&[u8]]) -> Vec<u8> {
    let mut filter = UsageFilter::new();
    let mut out = Vec::new();
    for chunk in chunks {
        for bytes in filter.pass(Bytes::copy_from_slice(chunk)) {
            out.extend_from_slice(&bytes);
        }
    }
    out.extend(filter.finish().unwrap_or_default());
    out
}

/// Cuts a stream into pieces of the given lengths, over and over; empty pieces too.
fn cut<'a>(stream: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    for length in lengths.iter().cycle().take(stream.len() * 2) {
        let (piece, tail) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..40, 1..8)
}

/// Streams put together from what streams are made of, in any order.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "data: ",
        "data:",
        "event: x",
        ": ping",
        "id: 7",
        "\n",
        "\n\n",
        "\r\n\r\n",
        "\r",
        "\r\n",
        "\u{feff}",
        "[DONE]",
        "[",
        "]",
        ",",
        "{",
        "}",
        "<html>",
        "null",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":3}}",
        "{\"choices\":[{\"delta\":{\"content\":\"键\\\"}\"},\"finish_reason\":\"stop\"}]}",
        "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"totalTokenCount\":9}}",
        "{\"error\":{\"code\":429,\"message\":\"Please retry in 5s\"}}",
        "{\"type\":\"error\",\"code\":\"x\",\"message\":\"y\"}",
        "{\n \"error\": {\n \"code\": 503}}\n",
        "\"error\":",
        "data: {\n",
        "\"type\" :\t\"response.completed\" ,\r\n \"code\": 429,\"x\":[{\"]\":\"\\\\\"},-1.5e3]}",
        "{\"message\":\"more than thirty-two bytes behind each other, \\\"quoted\\\", 键\",\"code\":[1]}",
        "{\"err\\u006fr\":{},\"a key of more than thirty-two bytes\":nullx,\"usage\":[]}",
        "{\"usage\":{\"prompt_tokens\":\"+7\",\"total_tokens\":5.0,\"output_tokens\":{},\"cached_tokens\":99999999999999999999}}",
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n",
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\r\n\r\n",
        "data: {\"choices\":[{}]}\r\n\r\n",
    ]);
    let noise = prop::collection::vec(any::<u8>(), 0..6);
    let piece = prop_oneof![12 => part.prop_map(|part| part.as_bytes().to_vec()), 1 => noise];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        stream(),
        r#"[\[\]{}:,"\\u0dD8a-c .-]{0,60}"#.prop_map(String::into_bytes),
        json_object().prop_map(String::into_bytes),
    ]
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "v1",
        "v1beta",
        "models",
        "models%2F",
        "openai",
        "gemini",
        "upload",
        "files",
        "chat",
        "completions",
        "publishers",
        "m:generateContent",
        "m%3AcountTokens",
        "..",
        "%2e%2E",
        "%00",
        "%2F",
        "%3F",
        "%23",
        "?",
        "#",
        "%",
        "a b",
        ":",
        "x:",
        "%E9%94%AE",
        "",
    ]);
    let path =
        prop::collection::vec(segment, 0..8).prop_map(|parts| format!("/{}", parts.join("/")));
    prop_oneof![path, ".{0,60}"]
}

fn json_object() -> impl Strategy<Value = String> {
    let member = prop::sample::select(vec![
        r#""model" : "m""#,
        r#""model":"google-ai-studio/m""#,
        r#""model":7"#,
        r#""messages":[{"content":"键\u00e9\n"}]"#,
        r#" "x" : 1.50 "#,
        r#""thinking_budget":1"#,
        r#""thinking_budget":null"#,
        r#""include_thoughts":true "#,
        r#""reasoning_effort":"low""#,
        r#""stream_options":{}"#,
        r#""stream_options":null"#,
        r#""stream_options":{"include_usage":false,"y":[{}]}"#,
        r#""extra_body":{"google":{"thinking_config":{"include_thoughts":false}}}"#,
        r#""extra_body":{"google":5}"#,
        r#""extra_body":{}"#,
    ]);
    prop::collection::vec(member, 0..7)
        .prop_map(|members| format!(" {{ {} }}\n", members.join(",")))
}
