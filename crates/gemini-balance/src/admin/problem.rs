//! What is wrong with a request, piece by piece, in the form of FastAPI.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One mistake in a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// A word for the kind of mistake.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where it is: `body` or `query`, then names and indices.
    loc: Vec<Step>,
    /// What is wrong, in words.
    msg: String,
    /// What stood there. Of a body and of an unknown parameter never more than `null`: they may hold
    /// a secret.
    input: Value,
}

/// One step on the way to a mistake.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Step {
    /// The name of a field.
    Name(String),
    /// A place in a list.
    Index(usize),
}

/// The part of a request that a mistake is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The body.
    Body,
    /// The query.
    Query,
}

/// How words begin, and the kind of mistake that they tell of.
const KINDS: [(&str, &str); 9] = [
    ("invalid type", "type_error"),
    ("invalid digit", "int_parsing"),
    ("number too", "int_parsing"),
    ("unknown variant", "enum"),
    ("duplicate field", "duplicate"),
    ("String should have at least", "string_too_short"),
    ("String should have at most", "string_too_long"),
    ("Input should be greater", "greater_than_equal"),
    ("Input should be less", "less_than_equal"),
];

impl Problem {
    /// A field that is not there.
    pub(super) fn missing(part: Part, field: &str) -> Self {
        Self::at(part, &[field], "missing", "Field required")
    }

    /// A body that is no JSON.
    pub(super) fn no_json() -> Self {
        Self::at(Part::Body, &[], "json_invalid", "JSON decode error")
    }

    /// A body that is JSON, but no object.
    pub(super) fn no_object() -> Self {
        Self::at(Part::Body, &[], "type_error", "Input should be an object")
    }

    /// A field whose value is not accepted.
    pub(super) fn value(part: Part, field: &str, msg: &str) -> Self {
        Self::at(part, &[field], "value_error", msg)
    }

    /// What a deserializer says: `path.to[0].field: words at line 1 column 2`, without the path
    /// when the mistake is at the root.
    pub(super) fn told(part: Part, told: &str) -> Self {
        let (path, words) = match told.split_once(": ") {
            Some((path, words)) if is_path(path) => (path, words),
            Some(_) | None => ("", told),
        };
        let words = words.split_once(" at line ").map_or(words, |(words, _)| words);
        let words = match part {
            Part::Body => without_value(words),
            Part::Query => words.to_owned(),
        };
        let mut loc = vec![Step::Name(part.name().to_owned())];
        loc.extend(steps(path));
        if let Some(field) =
            words.strip_prefix("missing field `").and_then(|it| it.strip_suffix('`'))
        {
            loc.push(Step::Name(field.to_owned()));
            return Self {
                kind: "missing",
                loc,
                msg: "Field required".to_owned(),
                input: Value::Null,
            };
        }
        let kind = KINDS.iter().find(|(start, _)| words.starts_with(start));
        Self {
            kind: kind.map_or("value_error", |(_, kind)| kind),
            loc,
            msg: words,
            input: Value::Null,
        }
    }

    /// The same, with what stood there.
    pub(super) fn with_input(self, input: &str) -> Self {
        Self { input: Value::String(input.to_owned()), ..self }
    }

    /// The last name on the way to the mistake.
    pub(super) fn field(&self) -> Option<&str> {
        self.loc.iter().skip(1).rev().find_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
    }

    fn at(part: Part, fields: &[&str], kind: &'static str, msg: &str) -> Self {
        let names = [part.name()].into_iter().chain(fields.iter().copied());
        Self {
            kind,
            loc: names.map(|name| Step::Name(name.to_owned())).collect(),
            msg: msg.to_owned(),
            input: Value::Null,
        }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
        }
    }
}

/// Whether a text is a path of names and indices and not the begin of a sentence.
fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

/// The words without the value that was met: `invalid type: string "…", expected a sequence` may
/// be about a key at the wrong place.
fn without_value(words: &str) -> String {
    let tells_a_value =
        ["invalid type", "invalid value", "unknown variant"].iter().any(|it| words.starts_with(it));
    let value = words.find(['"', '`']).filter(|_| tells_a_value);
    let expected = words.rfind(", expected ");
    match (value.and_then(|at| words.get(..at)), expected.and_then(|at| words.get(at..))) {
        (Some(kind), Some(expected)) => format!("{}{expected}", kind.trim_end()),
        _ => words.to_owned(),
    }
}

fn steps(path: &str) -> impl Iterator<Item = Step> {
    let parts = path.split(['.', '[', ']']).filter(|part| !part.is_empty());
    parts.map(|part| match part.parse() {
        Ok(index) => Step::Index(index),
        Err(_) => Step::Name(part.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_deserializer_says_becomes_a_place_and_words() {
        check(
            "api_keys[3]: invalid type: integer `5`, expected a string at line 1 column 12",
            "type_error",
            &json!(["body", "api_keys", 3]),
            "invalid type: integer, expected a string",
        );
        check(
            "api_keys: invalid type: string \"AIza, expected x\", expected a sequence at line 1 column 9",
            "type_error",
            &json!(["body", "api_keys"]),
            "invalid type: string, expected a sequence",
        );
        check(
            "action: unknown variant `burn`, expected `test` or `reset` at line 1 column 9",
            "enum",
            &json!(["body", "action"]),
            "unknown variant, expected `test` or `reset`",
        );
        check(
            "missing field `alias` at line 1 column 2",
            "missing",
            &json!(["body", "alias"]),
            "Field required",
        );
        check(
            "alias: String should have at most 50 characters at line 1 column 70",
            "string_too_long",
            &json!(["body", "alias"]),
            "String should have at most 50 characters",
        );
        check(
            "invalid type: sequence, expected struct Login at line 1 column 1",
            "type_error",
            &json!(["body"]),
            "invalid type: sequence, expected struct Login",
        );
    }

    fn check(told: &str, kind: &str, loc: &Value, msg: &str) {
        let problem = serde_json::to_value(Problem::told(Part::Body, told)).unwrap();

        assert_eq!(problem, json!({"type": kind, "loc": loc, "msg": msg, "input": null}));
    }
}
