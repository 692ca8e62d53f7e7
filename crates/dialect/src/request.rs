//! Peeks into a request body without rewriting it.
//!
//! The body has to be one whole JSON object in UTF-8, because a body that only some parsers accept
//! would cost an attempt to find out. Beyond that nothing is judged: unknown fields, odd types and any
//! depth go upstream as they came. Of a repeated key the last value counts, as with most parsers.

use std::fmt;

use crate::Dialect;
use crate::members::{self, Member};

/// A longer model name is none of ours to remember, in bytes.
pub(crate) const MODEL_BYTES_MAX: usize = 256;

/// What the gateway wants to know of a request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// The `model`, without `models/`; `None` if it is missing, empty, no string or too long.
    pub model: Option<String>,
    /// `stream` is true. Gemini's own calls say it in the path instead.
    pub is_stream: bool,
    /// The caller asked for `stream_options.include_usage` itself.
    pub has_include_usage: bool,
    /// The body uses the `thinking_budget` / `include_thoughts` extension of the OpenAI dialect.
    pub wants_thinking_extension: bool,
}

/// Why a body is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBody {
    /// What is wrong, for people; without the position.
    pub message: String,
    /// The line of the mistake, from 1.
    pub line: usize,
    /// The column of the mistake in bytes, from 1; 0 is the end of the line before.
    pub column: usize,
}

impl fmt::Display for BadBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, line, column } = self;
        write!(formatter, "{message} (line {line}, column {column})")
    }
}

impl std::error::Error for BadBody {}

/// Reads what the gateway wants to know out of a body.
///
/// # Errors
///
/// The body is not exactly one JSON object in UTF-8: empty, a list, cut off, with a byte order mark,
/// with half a surrogate pair, with anything behind it.
pub fn peek(dialect: Dialect, body: &[u8]) -> Result<Peek, BadBody> {
    let mut peek = Peek::default();
    read(body, |member| match member.key.as_ref() {
        "model" => peek.model = model(member.value),
        "stream" => peek.is_stream = member.value == "true",
        "stream_options" => peek.has_include_usage = has_include_usage(member.value),
        "thinking_budget" | "include_thoughts" if dialect == Dialect::OpenAi => {
            peek.wants_thinking_extension = true;
        }
        _ => {}
    })?;
    Ok(peek)
}

/// Checks a body and shows its members; returns its text.
pub(crate) fn read<'a>(body: &'a [u8], show: impl FnMut(Member<'a>)) -> Result<&'a str, BadBody> {
    let text = match str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return Err(bad_at(body, error.valid_up_to(), "the body is not UTF-8")),
    };
    let first = text.bytes().find(|byte| !byte.is_ascii_whitespace());
    let problem = match first {
        None => "the body is empty; send one JSON object",
        Some(b'{') => {
            members::each(text, show).map_err(|error| bad_json(&error))?;
            return match lone_surrogate(text) {
                Some(at) => Err(bad_at(body, at, "half a surrogate pair is not a character")),
                None => Ok(text),
            };
        }
        Some(b'[') => "the body is a JSON list; send one JSON object",
        Some(0xEF) if text.trim_start().starts_with('\u{feff}') => {
            "the body begins with a byte order mark; send plain UTF-8"
        }
        Some(_) => "the body is not a JSON object",
    };
    let at = text.len() - text.trim_ascii_start().len();
    Err(bad_at(body, at, problem))
}

fn model(raw: &str) -> Option<String> {
    // The longest escape of a byte takes six.
    if (MODEL_BYTES_MAX + "models/".len()) * 6 + "\"\"".len() < raw.len() {
        return None;
    }
    let text = members::unquoted(raw).ok()?;
    let model = text.strip_prefix("models/").unwrap_or(&text);
    (!model.is_empty() && model.len() <= MODEL_BYTES_MAX).then(|| model.to_owned())
}

fn has_include_usage(options: &str) -> bool {
    let mut is_set = false;
    // Options that are no object are for the upstream to refuse.
    let read = members::each(options, |member| {
        if member.key == "include_usage" {
            is_set = member.value == "true";
        }
    });
    read.is_ok() && is_set
}

/// Finds the first `\uD800`…`\uDFFF` of valid JSON without its other half.
fn lone_surrogate(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(tail) = text.as_bytes().get(from..) {
        let at = from + memchr::memchr(b'\\', tail)?;
        from = match unit(text, at) {
            None => at + 2,
            Some(0xD800..=0xDBFF) => match unit(text, at + 6) {
                Some(0xDC00..=0xDFFF) => at + 12,
                Some(_) | None => return Some(at),
            },
            Some(0xDC00..=0xDFFF) => return Some(at),
            Some(_) => at + 6,
        };
    }
    None
}

/// The number of the `\uXXXX` that begins at `at`, if one does.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

pub(crate) fn bad_json(error: &serde_json::Error) -> BadBody {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    BadBody {
        message: format!("the body is not valid JSON: {reason}"),
        line: error.line(),
        column: error.column(),
    }
}

fn bad_at(body: &[u8], at: usize, message: &str) -> BadBody {
    let (before, _) = body.split_at(at.min(body.len()));
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    BadBody {
        message: message.to_owned(),
        line: 1 + memchr::memchr_iter(b'\n', before).count(),
        column: 1 + before.len() - line_start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let peek = good(r#"{"model":"a","stream":true,"model":"models/b","stream":false}"#);

        assert_eq!(peek.model.as_deref(), Some("b"));
        assert!(!peek.is_stream);
    }

    #[test]
    fn a_model_may_be_spelt_in_escapes_throughout() {
        let model = "m".repeat(MODEL_BYTES_MAX);
        let escaped: String =
            format!("models/{model}").bytes().map(|byte| format!("\\u{byte:04x}")).collect();

        assert_eq!(good(&format!(r#"{{"model":"{escaped}"}}"#)).model, Some(model));
    }

    #[test]
    fn odd_types_are_left_to_the_upstream() {
        for body in [
            r#"{"model":5,"stream":"true","stream_options":[]}"#,
            r#"{"model":"","stream":1,"stream_options":"x"}"#,
            "{}",
        ] {
            assert_eq!(good(body), Peek::default(), "{body}");
        }
    }

    #[test]
    fn numbers_are_not_interpreted() {
        good(r#"{"n":1e400,"m":-0,"max_tokens":9007199254740993,"x":1.0}"#);
    }

    #[test]
    fn the_thinking_extension_belongs_to_the_openai_dialect() {
        let body = br#"{"thinking_budget":5}"#;

        assert!(peek(Dialect::OpenAi, body).unwrap().wants_thinking_extension);
        assert!(!peek(Dialect::Gemini, body).unwrap().wants_thinking_extension);
    }

    #[test]
    fn depth_and_size_are_no_danger() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        good(&deep);
        let wide = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(1_000_000));
        good(&wide);
        let open = format!(r#"{{"a":{}"#, "{\"a\":".repeat(100_000));
        assert!(peek(Dialect::OpenAi, open.as_bytes()).is_err());
    }

    #[test]
    fn a_body_that_is_not_one_object_is_refused_with_its_place() {
        for (body, expected) in [
            (&b""[..], "the body is empty; send one JSON object (line 1, column 1)"),
            (b" \n ", "the body is empty; send one JSON object (line 2, column 2)"),
            (b"[{}]", "the body is a JSON list; send one JSON object (line 1, column 1)"),
            (b"\n null", "the body is not a JSON object (line 2, column 2)"),
            (
                b"\xEF\xBB\xBF{}",
                "the body begins with a byte order mark; send plain UTF-8 (line 1, column 1)",
            ),
            (b"{\"a\":\"\xE4\xB8\"}", "the body is not UTF-8 (line 1, column 7)"),
            (
                b"{\n\"a\": \"\\ud83d\"}",
                "half a surrogate pair is not a character (line 2, column 7)",
            ),
            (b"{\"a\":1} x", "the body is not valid JSON: trailing characters (line 1, column 9)"),
            (
                b"{\"a\":",
                "the body is not valid JSON: EOF while parsing a value (line 1, column 5)",
            ),
        ] {
            let error = peek(Dialect::OpenAi, body).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn only_half_a_surrogate_pair_is_refused() {
        for (text, expected) in [
            (r"\ud83d\ude00", None),
            (r"\\ud83d", None),
            (r"\n\u00e9\\\u0041", None),
            (r"\ude00", Some(0)),
            (r"a\ud83d\\ude00", Some(1)),
            (r"\ud83d\ud83d\ude00", Some(0)),
            (r"\ud83d", Some(0)),
        ] {
            assert_eq!(lone_surrogate(text), expected, "{text}");
        }
    }

    fn good(body: &str) -> Peek {
        peek(Dialect::OpenAi, body.as_bytes()).unwrap()
    }
}
