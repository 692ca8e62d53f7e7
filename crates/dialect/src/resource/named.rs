//! Which resources a request body names.
//!
//! Nobody but who made a resource may reach it, so a name must not slip through for being spelt in
//! an odd way: what counts is the value of a string, decoded, under whatever key it stands. Only
//! text is left out, in which a name is talk. Nearly every body names nothing, which three fast
//! searches show; only a body that may name something is walked through.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
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

static BEFORE_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"s/"));
static CORPORA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"corpora/"));
static PREVIOUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"previous"));
static ESCAPED_SLASH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\/"));
static ESCAPED_LETTER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u00"));

/// Shows the root of every resource that a JSON body names, in order, repeated ones too.
///
/// The body is not checked: whatever it is, its strings are looked at.
pub fn each_named(body: &[u8], mut show: impl FnMut(&str)) {
    if !may_name(body) {
        return;
    }
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
    if PREVIOUS.find(body).is_some() || CORPORA.find(body).is_some() {
        return true;
    }
    // Whatever is escaped without need may be the letters of a name.
    if ESCAPED_SLASH.find(body).is_some() || ESCAPED_LETTER.find(body).is_some() {
        return true;
    }
    BEFORE_ID.find_iter(body).any(|at| {
        let (before, _) = body.split_at(at + 1);
        let is_name = |kind: &str| {
            let kept = before.strip_suffix(kind.as_bytes());
            kept.and_then(<[u8]>::last).is_none_or(|byte| !byte.is_ascii_alphanumeric())
        };
        KINDS.iter().any(|kind| is_name(kind))
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
    let Some((_, behind_scheme)) = value.split_once("//") else {
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
