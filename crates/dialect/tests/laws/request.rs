//! A request body is looked at, and changed only where a rewrite says so.

use bytes::Bytes;
use dialect::rewrite::take_off;
use dialect::{Dialect, Peek, Rewrite, peek, rewrite};

use super::object::Object;

const PREFIX: &str = "google-ai-studio/";

/// What the thinking extension takes out; `extra_body` is where it goes.
const THINKING: [&str; 3] = ["thinking_budget", "include_thoughts", "reasoning_effort"];

/// Input: the body.
pub fn holds(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    let peeked = peek(Dialect::OpenAi, &body);
    assert_eq!(peeked.is_ok(), peek(Dialect::Gemini, &body).is_ok());
    for choice in 0..8_u8 {
        let what = Rewrite {
            include_usage: choice & 1 != 0,
            thinking_extension: choice & 2 != 0,
            suffixes: None,
            model_prefix: (choice & 4 != 0).then_some(PREFIX),
        };
        let outcome = rewrite(&body, &what);
        let Ok(peeked) = &peeked else {
            assert_eq!(outcome.as_ref().err(), peeked.as_ref().err());
            continue;
        };
        let outcome = outcome.unwrap();
        let before = Object::read(&body).unwrap();
        let after = Object::read(&outcome).unwrap();
        is_peeked(peeked, &before);
        is_changed_as_asked(what, &before, &after);
        is_otherwise_the_same(what, (&body, &before), (&outcome, &after));
        assert_eq!(rewrite(&outcome, &what).unwrap(), outcome, "twice");
    }
    if peeked.is_ok() {
        endings_leave_the_rest_alone(&body);
    }
}

/// What the ending of a model's name asks for goes into few members, once.
fn endings_leave_the_rest_alone(body: &Bytes) {
    const TOUCHED: [&str; 7] = [
        "tools",
        "generationConfig",
        "generation_config",
        "systemInstruction",
        "system_instruction",
        "model",
        "reasoning_effort",
    ];
    for model in ["gemini-2.0-flash-image-search", "gemini-2.5-flash-non-thinking"] {
        let (_, suffixes) = take_off(model).unwrap();
        for dialect in [Dialect::Gemini, Dialect::OpenAi] {
            let what = Rewrite { suffixes: Some((suffixes, dialect)), ..Rewrite::default() };
            let outcome = rewrite(body, &what).unwrap();
            let (before, after) = (Object::read(body).unwrap(), Object::read(&outcome).unwrap());
            assert_eq!(before.without(&TOUCHED), after.without(&TOUCHED), "{model}");
            assert_eq!(rewrite(&outcome, &what).unwrap(), outcome, "twice: {model}");
        }
    }
}

fn is_peeked(peeked: &Peek, body: &Object) {
    let model = body.get("model").and_then(|raw| serde_json::from_str::<String>(raw).ok());
    let model = model.map(|model| model.strip_prefix("models/").unwrap_or(&model).to_owned());
    assert_eq!(peeked.model, model.filter(|model| !model.is_empty() && model.len() <= 256));
    assert_eq!(peeked.is_stream, body.get("stream") == Some("true"));
    let options = body.object("stream_options");
    let include_usage = options.as_ref().and_then(|options| options.get("include_usage"));
    assert_eq!(peeked.has_include_usage, include_usage == Some("true"));
    let extensions = ["thinking_budget", "include_thoughts"].map(|name| body.get(name));
    assert_eq!(peeked.wants_thinking_extension, extensions != [None, None]);
}

fn is_changed_as_asked(what: Rewrite, before: &Object, after: &Object) {
    if what.include_usage {
        let options = after.object("stream_options").unwrap();
        assert_eq!(options.get("include_usage"), Some("true"));
        let old = before.object("stream_options");
        let old = old.as_ref().map(|options| options.without(&["include_usage"]));
        assert_eq!(options.without(&["include_usage"]), old.unwrap_or_default());
    }
    if what.thinking_extension {
        for name in ["thinking_budget", "include_thoughts"] {
            assert_eq!(after.get(name), None);
            if let Some(value) = before.get(name).filter(|value| *value != "null") {
                let google = after.object("extra_body").unwrap().object("google").unwrap();
                assert_eq!(google.object("thinking_config").unwrap().get(name), Some(value));
                assert_eq!(after.get("reasoning_effort"), None);
            }
        }
    }
    let model = |body: &Object| serde_json::from_str::<String>(body.get("model")?).ok();
    match (what.model_prefix, model(before)) {
        (Some(prefix), Some(old)) if !old.starts_with(prefix) => {
            assert_eq!(model(after), Some(format!("{prefix}{old}")));
        }
        _ => assert_eq!(before.get("model"), after.get("model")),
    }
}

fn is_otherwise_the_same(
    what: Rewrite,
    (old, before): (&Bytes, &Object),
    (new, after): (&Bytes, &Object),
) {
    let mut names = Vec::new();
    if what.include_usage {
        names.push("stream_options");
    }
    if what.thinking_extension {
        names.push("extra_body");
        names.extend(THINKING);
    }
    if what.model_prefix.is_some() {
        names.push("model");
    }
    assert_eq!(before.without(&names), after.without(&names));

    if what == Rewrite::default() {
        assert_eq!(old.as_ptr(), new.as_ptr());
    }
    if !what.thinking_extension {
        let replaced = match before.object("stream_options") {
            Some(options) => options.get("include_usage").map_or(0, str::len),
            None => before.get("stream_options").map_or(0, str::len),
        };
        let replaced = if what.include_usage { replaced } else { 0 };
        let added = new.len() + replaced - old.len();
        let longest = r#","stream_options":{"include_usage":true}"#.len() + PREFIX.len();
        assert!(added <= longest, "{added} bytes more");
        // One edit: what is before and behind it is the same bytes.
        if !(what.include_usage && what.model_prefix.is_some()) {
            let same = |(left, right): &(&u8, &u8)| left == right;
            let head = old.iter().zip(new).take_while(same).count();
            let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
            assert!(old.len() <= head + replaced + tail);
        }
    }
}
