//! The documented rewrites of a request body, as splices: every byte they do not concern stays.

mod suffix;

use bytes::Bytes;
use serde_json::Value;

pub use suffix::{LeastThinking, Suffixes, take_off};

use crate::Dialect;
use crate::members;
use crate::request::{self, BadBody};

/// Which rewrites to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Sets `stream_options.include_usage` to true, so that a stream tells its tokens.
    pub include_usage: bool,
    /// Moves a top-level `thinking_budget` and `include_thoughts` to
    /// `extra_body.google.thinking_config`, and takes out the `reasoning_effort` that Google would
    /// not accept beside them.
    pub thinking_extension: bool,
    /// Takes the endings off the model's name and puts what they ask for where this dialect has it.
    pub suffixes: Option<(Suffixes, Dialect)>,
    /// What the model's name has to begin with, put there once.
    pub model_prefix: Option<&'static str>,
}

/// Does the rewrites that apply. With nothing to do, what comes back is the body itself.
///
/// # Errors
///
/// The body is not one JSON object; see [`peek`](crate::peek).
pub fn rewrite(body: &Bytes, what: &Rewrite) -> Result<Bytes, BadBody> {
    let text = request::read(body, |_| {})?;
    let spliced = splice(text, what).map_err(|error| request::bad_json(&error))?;
    Ok(spliced.map_or_else(|| body.clone(), Bytes::from))
}

/// Each rewrite works on the outcome of the one before; `None` if all had nothing to do.
fn splice(text: &str, what: &Rewrite) -> Result<Option<String>, serde_json::Error> {
    let mut outcome: Option<String> = None;
    if let Some((suffixes, dialect)) = what.suffixes {
        outcome = suffixes.splice(text, dialect)?;
    }
    if what.thinking_extension {
        let text = outcome.as_deref().unwrap_or(text);
        outcome = move_thinking(text)?.or(outcome);
    }
    if what.include_usage {
        let text = outcome.as_deref().unwrap_or(text);
        outcome = set(text, &["stream_options"], &[("include_usage", "true")])?.or(outcome);
    }
    if let Some(prefix) = what.model_prefix {
        let text = outcome.as_deref().unwrap_or(text);
        outcome = prefix_model(text, prefix)?.or(outcome);
    }
    Ok(outcome)
}

fn move_thinking(text: &str) -> Result<Option<String>, serde_json::Error> {
    const FIELDS: [&str; 2] = ["thinking_budget", "include_thoughts"];
    let mut found = [None, None];
    members::each(text, |member| {
        for (name, value) in FIELDS.iter().zip(&mut found) {
            if member.key == *name {
                *value = Some(member.value);
            }
        }
    })?;
    if found == [None, None] {
        return Ok(None);
    }
    let fields: Vec<(&str, &str)> = FIELDS
        .into_iter()
        .zip(found)
        .filter_map(|(name, value)| Some((name, value.filter(|value| *value != "null")?)))
        .collect();
    if fields.is_empty() {
        return remove(text, &FIELDS).map(Some);
    }
    let config = ["extra_body", "google", "thinking_config"];
    let moved = set(text, &config, &fields)?;
    let text = moved.as_deref().unwrap_or(text);
    let [budget, thoughts] = FIELDS;
    remove(text, &[budget, thoughts, "reasoning_effort"]).map(Some)
}

fn prefix_model(text: &str, prefix: &str) -> Result<Option<String>, serde_json::Error> {
    let mut last = None;
    members::each(text, |member| {
        if member.key == "model" {
            last = Some((member.value, member.value_at));
        }
    })?;
    let Some((raw, at)) = last else {
        return Ok(None);
    };
    match serde_json::from_str::<Value>(raw) {
        Ok(Value::String(model)) if !model.starts_with(prefix) => {
            let inside = at + "\"".len();
            Ok(Some(apply(text, &[Edit { from: inside, to: inside, with: prefix.to_owned() }])))
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

/// A stretch of text to be replaced.
struct Edit {
    from: usize,
    to: usize,
    with: String,
}

/// Applies edits that are in order and do not overlap.
fn apply(text: &str, edits: &[Edit]) -> String {
    let mut outcome = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for edit in edits {
        outcome.push_str(text.get(done..edit.from).unwrap_or_default());
        outcome.push_str(&edit.with);
        done = edit.to;
    }
    outcome.push_str(text.get(done..).unwrap_or_default());
    outcome
}

/// Sets fields (name and raw JSON) of the object at `path`, making the objects on the way where
/// there are none. `None` if all is so already.
fn set(
    text: &str,
    path: &[&str],
    fields: &[(&str, &str)],
) -> Result<Option<String>, serde_json::Error> {
    let mut edits = Vec::new();
    plan(text, 0, path, fields, &mut edits)?;
    edits.sort_by_key(|edit| edit.from);
    Ok((!edits.is_empty()).then(|| apply(text, &edits)))
}

/// Plans the edits inside one object, which begins at `base` of the whole text.
fn plan(
    object: &str,
    base: usize,
    path: &[&str],
    fields: &[(&str, &str)],
    edits: &mut Vec<Edit>,
) -> Result<(), serde_json::Error> {
    let names: Vec<&str> = match path.first() {
        Some(name) => vec![name],
        None => fields.iter().map(|(name, _)| *name).collect(),
    };
    let mut found = vec![None; names.len()];
    let mut last_end = None;
    members::each(object, |member| {
        last_end = Some(member.end());
        for (name, place) in names.iter().zip(&mut found) {
            if member.key == *name {
                *place = Some((member.value_at, member.value));
            }
        }
    })?;

    let mut missing = Vec::new();
    match path.split_first() {
        Some((name, rest)) => match found.first().copied().flatten() {
            Some((at, value)) if value.starts_with('{') => {
                plan(value, base + at, rest, fields, edits)?;
            }
            Some((at, value)) => edits.push(Edit {
                from: base + at,
                to: base + at + value.len(),
                with: nested(rest, fields),
            }),
            None => missing.push(format!("\"{name}\":{}", nested(rest, fields))),
        },
        None => {
            for ((name, wanted), place) in fields.iter().zip(found) {
                match place {
                    Some((_, value)) if value == *wanted => {}
                    Some((at, value)) => edits.push(Edit {
                        from: base + at,
                        to: base + at + value.len(),
                        with: (*wanted).to_owned(),
                    }),
                    None => missing.push(format!("\"{name}\":{wanted}")),
                }
            }
        }
    }
    if !missing.is_empty() {
        let comma = if last_end.is_some() { "," } else { "" };
        // An empty object may have white space around it, so its brace is looked for.
        let at = base + last_end.unwrap_or_else(|| after_brace(object));
        edits.push(Edit { from: at, to: at, with: format!("{comma}{}", missing.join(",")) });
    }
    Ok(())
}

/// The object that is missing at `path`, whole.
fn nested(path: &[&str], fields: &[(&str, &str)]) -> String {
    match path.split_first() {
        Some((name, rest)) => format!("{{\"{name}\":{}}}", nested(rest, fields)),
        None => {
            let members = fields.iter().map(|(name, value)| format!("\"{name}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

/// Takes members out of an object, each with one comma.
fn remove(object: &str, names: &[&str]) -> Result<String, serde_json::Error> {
    let mut edits: Vec<Edit> = Vec::new();
    // A run of members to be removed goes up to the next one that stays.
    let mut run_start = None;
    let mut kept_end = None;
    let mut last_end = None;
    members::each(object, |member| {
        last_end = Some(member.end());
        if names.contains(&member.key.as_ref()) {
            run_start = run_start.or(Some(member.key_at));
            return;
        }
        if let Some(from) = run_start.take() {
            edits.push(Edit { from, to: member.key_at, with: String::new() });
        }
        kept_end = Some(member.end());
    })?;
    if let (Some(_), Some(to)) = (run_start, last_end) {
        // The last run takes the comma before it.
        let from = kept_end.unwrap_or_else(|| after_brace(object));
        edits.push(Edit { from, to, with: String::new() });
    }
    Ok(apply(object, &edits))
}

fn after_brace(object: &str) -> usize {
    object.find('{').map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Rewrite = Rewrite {
        include_usage: false,
        thinking_extension: false,
        suffixes: None,
        model_prefix: None,
    };
    const USAGE: Rewrite = Rewrite { include_usage: true, ..NONE };
    const THINKING: Rewrite = Rewrite { thinking_extension: true, ..NONE };
    const PREFIX: Rewrite = Rewrite { model_prefix: Some("google-ai-studio/"), ..NONE };

    #[test]
    fn usage_is_asked_for_and_nothing_else_changes() {
        check(
            USAGE,
            "{ \"a\": 1e400 , \"b\": \"\\u00e9\" }\n",
            "{ \"a\": 1e400 , \"b\": \"\\u00e9\",\"stream_options\":{\"include_usage\":true} }\n",
        );
        check(USAGE, " { } ", " {\"stream_options\":{\"include_usage\":true} } ");
        check(
            USAGE,
            r#"{"stream_options":{"x":1},"y":2}"#,
            r#"{"stream_options":{"x":1,"include_usage":true},"y":2}"#,
        );
        check(
            USAGE,
            r#"{"stream_options": {"include_usage": false, "x":1}}"#,
            r#"{"stream_options": {"include_usage": true, "x":1}}"#,
        );
        check(USAGE, r#"{"stream_options":null}"#, r#"{"stream_options":{"include_usage":true}}"#);
    }

    #[test]
    fn the_last_of_repeated_keys_is_the_one_that_is_set() {
        check(
            USAGE,
            r#"{"stream_options":{"include_usage":true},"stream_options":{}}"#,
            r#"{"stream_options":{"include_usage":true},"stream_options":{"include_usage":true}}"#,
        );
    }

    #[test]
    fn the_thinking_extension_moves_to_where_google_reads_it() {
        check(
            THINKING,
            r#"{"thinking_budget":1024,"model":"m","include_thoughts":true,"reasoning_effort":"low"}"#,
            r#"{"model":"m","extra_body":{"google":{"thinking_config":{"thinking_budget":1024,"include_thoughts":true}}}}"#,
        );
        check(
            THINKING,
            r#"{"extra_body":{"google":{"thinking_config":{"include_thoughts":false},"cached_content":"c"}},"include_thoughts":true}"#,
            r#"{"extra_body":{"google":{"thinking_config":{"include_thoughts":true},"cached_content":"c"}}}"#,
        );
        check(
            THINKING,
            r#"{"thinking_budget":1,"a":1,"thinking_budget":2, "thinking_budget":3, "b":2}"#,
            r#"{"a":1,"b":2,"extra_body":{"google":{"thinking_config":{"thinking_budget":3}}}}"#,
        );
        check(
            THINKING,
            r#"{"thinking_budget":0}"#,
            r#"{"extra_body":{"google":{"thinking_config":{"thinking_budget":0}}}}"#,
        );
    }

    #[test]
    fn an_unset_thinking_extension_only_goes_away() {
        check(
            THINKING,
            r#"{"reasoning_effort":"low","thinking_budget":null}"#,
            r#"{"reasoning_effort":"low"}"#,
        );
        check(THINKING, r#"{"thinking_budget":null,"include_thoughts":null}"#, "{}");
    }

    #[test]
    fn a_model_is_prefixed_once() {
        check(PREFIX, r#"{"model":"gemini"}"#, r#"{"model":"google-ai-studio/gemini"}"#);
        same(PREFIX, r#"{"model":"google-ai-studio/gemini"}"#);
        same(PREFIX, r#"{"model":5}"#);
        same(PREFIX, "{}");
    }

    #[test]
    fn all_rewrites_together_are_one_body() {
        let all = Rewrite { include_usage: true, thinking_extension: true, ..PREFIX };
        check(
            all,
            r#"{"model":"m","thinking_budget":5}"#,
            r#"{"model":"google-ai-studio/m","extra_body":{"google":{"thinking_config":{"thinking_budget":5}}},"stream_options":{"include_usage":true}}"#,
        );
    }

    #[test]
    fn with_nothing_to_do_the_body_is_the_same_bytes() {
        same(USAGE, r#"{"stream_options":{"include_usage":true}}"#);
        same(THINKING, r#"{"reasoning_effort":"low"}"#);
        same(Rewrite::default(), r#"{"thinking_budget":5}"#);
    }

    /// A rewritten body is as expected, and rewriting it again changes nothing.
    fn check(what: Rewrite, body: &str, expected: &str) {
        let once = rewrite(&Bytes::from(body.to_owned()), &what).unwrap();
        assert_eq!(str::from_utf8(&once).unwrap(), expected);
        let twice = rewrite(&once, &what).unwrap();
        assert_eq!(str::from_utf8(&twice).unwrap(), expected, "twice");
    }

    fn same(what: Rewrite, body: &str) {
        let body = Bytes::from(body.to_owned());
        let outcome = rewrite(&body, &what).unwrap();
        assert_eq!(outcome.as_ptr(), body.as_ptr());
        assert_eq!(outcome, body);
    }
}
