//! Which resources a request body names.
//!
//! Nobody but who made a resource may reach it, so a name must not slip through for being spelt in
//! an odd way: what counts is the value of a string, decoded, under whatever key it stands. Only
//! text is left out, in which a name is talk. Nearly every body names nothing, which one fast
//! search shows; only a body that may name something is walked through.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use memchr::{memchr, memchr2};
use percent_encoding::percent_decode_str;

use super::{is_version, root};

/// The kinds that may be named in a body.
const KINDS: [&str; 18] = [
    "files",
    "generatedFiles",
    "cachedContents",
    "batches",
    "operations",
    "interactions",
    "fileSearchStores",
    "tunedModels",
    "corpora",
    "agents",
    "environments",
    "triggers",
    "webhooks",
    "voices",
    "credentials",
    "decisions",
    "models",
    "responses",
];

/// Keys whose value is a bare id, and the kind that it is of.
const ID_KEYS: [(&str, &str); 4] = [
    ("previous_interaction_id", "interactions"),
    ("previousInteractionId", "interactions"),
    ("previous_response_id", "responses"),
    ("previousResponseId", "responses"),
];

/// A longer string is no name, in bytes.
const VALUE_BYTES_MAX: usize = 16 * 1024;
/// A longer key is none of these, in bytes, escapes included.
const KEY_BYTES_MAX: usize = 256;

/// What no body lacks that names something: the end of a kind, a key with a bare id, what is escaped without need
/// and so may be letters of either, and a URL, in which they may be percent-encoded.
const SIGNS: [&str; 6] = ["s/", "a/", "\"previous", "\\/", "\\u00", "://"];

/// Finds all signs in one pass; `None` on a processor without the instructions for it.
static SIGN: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(SIGNS));

/// Shows the root of every resource that a JSON body names, in order, repeated ones too.
///
/// The body is not checked: whatever it is, its strings are looked at.
pub fn each_named(body: &[u8], show: impl FnMut(&str)) {
    if may_name(body) {
        walk(body, show);
    }
}

fn walk(body: &[u8], mut show: impl FnMut(&str)) {
    let mut key: Option<Cow<'_, str>> = None;
    let mut from = 0;
    while let Some(found) = body.get(from..).and_then(next_string) {
        let text = found.text(body, from);
        // What closes ends the reach of a key: the next string is another's element, or a key.
        if found.has_closing {
            key = None;
        }
        from += found.end;
        let rest = body.get(from..).unwrap_or_default().trim_ascii_start();
        let is_key = rest.first() == Some(&b':');
        if !is_key && (key.as_deref() == Some("text") || is_prose(text)) {
            continue;
        }
        if is_key {
            key = (text.len() <= KEY_BYTES_MAX).then(|| decoded(text)).flatten();
        } else if text.len() <= VALUE_BYTES_MAX
            && let Some(value) = decoded(text)
            && let Some(name) = named(key.as_deref(), value.trim())
        {
            show(&name);
        }
    }
}

/// Whether a body may name anything at all.
fn may_name(body: &[u8]) -> bool {
    let Some(searcher) = SIGN.as_ref() else { return true };
    searcher.find_iter(body).any(|sign| match body.get(sign.range()) {
        Some(b"s/" | b"a/") => {
            let path = body.get(..sign.end() - 1).unwrap_or_default();
            KINDS.iter().any(|kind| path.ends_with(kind.as_bytes()))
        }
        Some(b"://") => {
            let rest = body.get(sign.end()..).unwrap_or_default();
            let url = rest.get(..VALUE_BYTES_MAX).unwrap_or(rest);
            memchr2(b'"', b'%', url).and_then(|at| url.get(at)) == Some(&b'%')
        }
        _ => true,
    })
}

/// Whether a string has a blank in its midst, as no name has: most do, and are not decoded.
fn is_prose(text: &[u8]) -> bool {
    memchr(b' ', text.trim_ascii()).is_some()
}

/// A string of a body, as far as it is there.
struct Found {
    begin: usize,
    /// Behind its closing quote.
    end: usize,
    /// Whether a bracket closed between it and the string before.
    has_closing: bool,
}

impl Found {
    fn text<'b>(&self, body: &'b [u8], from: usize) -> &'b [u8] {
        body.get(from + self.begin..(from + self.end).saturating_sub(1)).unwrap_or_default()
    }
}

fn next_string(bytes: &[u8]) -> Option<Found> {
    let quote = memchr(b'"', bytes)?;
    let (gap, _) = bytes.split_at(quote);
    let begin = quote + 1;
    let mut at = begin;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            let has_closing = memchr2(b'}', b']', gap).is_some();
            return Some(Found { begin, end: at + 1, has_closing });
        }
        at += 2;
    }
}

/// The value of a string, if it is one.
fn decoded(text: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(text).ok()?;
    if !text.contains('\\') {
        return Some(text.into());
    }
    serde_json::from_str(&["\"", text, "\""].concat()).ok().map(Cow::Owned)
}

/// The root that a string names under this key.
fn named(key: Option<&str>, value: &str) -> Option<String> {
    if let Some((_, kind)) = key.and_then(|key| ID_KEYS.iter().find(|(known, _)| *known == key)) {
        let kept = value.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
        return root(&[kind, "/", kept.unwrap_or(value)].concat());
    }
    let Some((_, behind_scheme)) = value.split_once("://") else {
        return of_known_kind(value);
    };
    // Of a URL only what lies below a version of the API is a name.
    let path = behind_scheme.split(['?', '#']).next()?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let mut rest = path.as_ref();
    while let Some((segment, below)) = rest.split_once('/') {
        if is_version(segment) {
            return of_known_kind(below.trim_start_matches('/'));
        }
        rest = below;
    }
    None
}

/// The root of a path that begins with a known kind, a version before it and a verb behind it aside.
fn of_known_kind(path: &str) -> Option<String> {
    let path = path.trim_start_matches('/');
    let path = match path.split_once('/') {
        Some((version, below)) if is_version(version) => below,
        Some(_) | None => path,
    };
    let (kind, _) = path.split_once('/')?;
    if !KINDS.contains(&kind) {
        return None;
    }
    let name = root(path)?;
    match name.split_once(':') {
        // What is left without its verb need not be a name: `files/:x`, `files/files:x`.
        Some((bare, _)) => root(bare),
        None => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_body_that_names_something_is_never_passed_over(parts in prop::collection::vec(part(), 1..12)) {
            let body = parts.concat();
            let mut names = 0_usize;
            walk(body.as_bytes(), |_| names += 1);

            prop_assert!(names == 0 || may_name(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn talk_and_pictures_are_passed_over() {
        for body in [
            r#"{"text":"either/or, his/hers, a/b, \n\u4e2d"}"#,
            r#"{"data":"AAs/Ba/9//s/+=="}"#,
            r#"{"fileUri":"https://example.com/a/b.png"}"#,
        ] {
            assert!(!may_name(body.as_bytes()), "{body}");
        }
    }

    fn part() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "\"",
            "\"",
            ":",
            ",",
            "{",
            "}",
            "/",
            "\\/",
            "\\n",
            " ",
            "s/",
            "file",
            "files",
            "%66iles",
            "corpora",
            "%2F",
            "\\u0066iles",
            "https://h",
            "//",
            "v1beta",
            "v1beta/",
            "abc",
            "fileUri",
            "previous_interaction_id",
            "\\u0070revious_response_id",
            "\u{a0}",
            "é",
        ];
        prop_oneof![
            prop::sample::select(PIECES).prop_map(str::to_owned),
            prop::sample::select(&KINDS[..]).prop_map(|kind| format!("\"{kind}/x\"")),
            Just("\"previous_response_id\":\"r\"".to_owned()),
            Just("\"https://h/v1beta/".to_owned()),
        ]
    }
}
