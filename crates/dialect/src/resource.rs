//! The resources that an upstream keeps for one project, and how calls and answers name them.
//!
//! A file, a cached content, a batch or an interaction is known to the project of the key that made
//! it and to no other. What counts is the *root*: whatever lies below a resource (the documents of
//! a store, the operations of a tuned model) goes where the resource goes. Kinds are not listed
//! here: every Gemini path whose first segment is neither `models` nor `dynamic` names a kind, so
//! what comes later is kept like what there is. Only inside bodies, where any string may stand, a
//! kind has to be known by its name.

mod named;
mod page;
mod results;

use std::borrow::Cow;

pub use named::each_named;
pub use page::{Item, Margin, Page};
use percent_encoding::percent_decode_str;
pub use results::{RESULTS_BYTES_MAX, has_results, results};

use crate::path::{Op, Target};
use crate::{Dialect, Shape};

/// Longest name that is one, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// The resources of OpenAI's dialect that belong to who made them.
const OPENAI_KINDS: [&str; 8] = [
    "files",
    "batches",
    "responses",
    "videos",
    "uploads",
    "vector_stores",
    "assistants",
    "threads",
];

/// What a call is to the resources that are kept for one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// Nothing.
    #[default]
    None,
    /// It may make one of this kind; the answer names it.
    Makes {
        /// What the name begins with where the answer has but an id.
        kind: String,
    },
    /// It is about this one, or about something below it.
    Names {
        /// The root: `files/abc`, `models/m/operations/abc`.
        name: String,
        /// Whether it is deleted, rather than something below it.
        is_deleted: bool,
    },
    /// It lists all there are of a kind.
    Lists {
        /// What their names begin with: `files`.
        kind: String,
    },
}

/// Where a resource is found: in which dialect, and at which path.
pub fn address(name: &str) -> (Dialect, String) {
    let kind = name.split('/').next().unwrap_or_default();
    // Google's OpenAI layer shows its files and batches as its own.
    let is_both = matches!(kind, "files" | "batches");
    if OPENAI_KINDS.contains(&kind) && !is_both {
        (Dialect::OpenAi, ["/", name].concat())
    } else {
        (Dialect::Gemini, ["/v1beta/", name].concat())
    }
}

impl Use {
    /// Tells what a call of this method at this target is.
    pub fn of(target: &Target, method: &str) -> Self {
        // A token is no resource but a credential, and its name is all there is of it: nothing that
        // is remembered.
        if target.op == Op::Live || makes_token(target, method) {
            return Self::None;
        }
        let segments = segments(target);
        let (last, verb) = match segments.split_last() {
            Some((last, _)) => split_verb(last, target.verb.as_deref()),
            None => return Self::None,
        };
        let mut segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
        if let Some(place) = segments.last_mut() {
            *place = last;
        }
        let is_get = method == "GET";
        match (target.dialect, segments.as_slice()) {
            (Dialect::OpenAi, [kind, ..]) if !OPENAI_KINDS.contains(kind) => Self::None,
            (_, ["models" | "dynamic", id, "operations", below @ ..]) => match below {
                [] if is_get => Self::Lists { kind: ["models/", id, "/operations"].concat() },
                [] => Self::None,
                [operation, tail @ ..] => Self::Names {
                    name: ["models/", id, "/operations/", operation].concat(),
                    is_deleted: method == "DELETE" && tail.is_empty() && verb.is_none(),
                },
            },
            // A verb that only answers makes nothing; of one that is not known it cannot be said.
            (_, ["models" | "dynamic", ..]) => match (target.op, verb) {
                (Op::Other, Some(verb)) if method == "POST" && verb != "predict" => {
                    Self::Makes { kind: "operations".to_owned() }
                }
                _ => Self::None,
            },
            (_, [kind]) if is_get && verb.is_none() => Self::Lists { kind: (*kind).to_owned() },
            (_, [kind]) if matches!(method, "POST" | "PUT") => {
                Self::Makes { kind: (*kind).to_owned() }
            }
            (_, [kind, _, ..]) => match root(&segments.join("/")) {
                Some(name) => {
                    // `batches/batches%2Fabc`, as an id of Google's OpenAI layer looks in a path.
                    let whole = segments.join("/");
                    let is_whole = whole == name || whole == [kind, "/", &name].concat();
                    let is_deleted = method == "DELETE" && verb.is_none() && is_whole;
                    Self::Names { name, is_deleted }
                }
                None => Self::None,
            },
            (_, [_] | []) => Self::None,
        }
    }

    /// The root of the resource that an answer to this call is about.
    pub fn answered(&self, made: &Made) -> Option<String> {
        let kind = match self {
            Self::None | Self::Lists { .. } => return None,
            Self::Makes { kind } => kind,
            Self::Names { name, .. } => name.split('/').next()?,
        };
        let named = made.name.as_deref().and_then(root);
        named.or_else(|| root(&[kind, "/", made.id.as_deref()?].concat()))
    }
}

/// What an answer says of the resource that it is, or that it tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Its full name: `files/abc`.
    pub name: Option<String>,
    /// Its id, where it has no name: that of an interaction.
    pub id: Option<String>,
    /// When it ends, as RFC 3339 has it.
    pub expires: Option<String>,
}

/// How a body is laid out that may tell of a resource; by its own word, since nothing is known of it.
pub fn shape(content_type: &str) -> Option<Shape> {
    if content_type.starts_with("text/event-stream") {
        Some(Shape::Sse)
    } else if content_type.starts_with("application/json") {
        Some(Shape::Json)
    } else {
        None
    }
}

/// The root of a full name, if it is one: `fileSearchStores/s/documents/d` lies in
/// `fileSearchStores/s`, and `models/m/operations/o` is its own root.
pub fn root(name: &str) -> Option<String> {
    let mut segments = name.split('/');
    let (kind, mut id) = (segments.next()?, segments.next()?);
    let is_model = matches!(kind, "models" | "dynamic");
    // An id of Google's OpenAI layer is a full name; one that is called like its kind could not be told from that.
    if id == kind && !is_model {
        id = segments.next().filter(|id| *id != kind)?;
    }
    if kind.is_empty() || id.is_empty() {
        return None;
    }
    let root = if is_model {
        let (between, operation) = (segments.next()?, segments.next()?);
        if between != "operations" || operation.is_empty() {
            return None;
        }
        ["models/", id, "/operations/", operation].concat()
    } else {
        [kind, "/", id].concat()
    };
    (root.len() <= NAME_BYTES_MAX && !root.chars().any(char::is_control)).then_some(root)
}

/// How long a resource lives at most that does not say when it ends, in milliseconds; `None` where
/// only a deletion ends it.
pub fn life_ms_max(name: &str) -> Option<i64> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let is_operation = name.starts_with("models/");
    match name.split('/').next()? {
        "files" | "generatedFiles" => Some(2 * DAY_MS),
        "cachedContents" => Some(DAY_MS),
        "interactions" | "batches" | "operations" | "responses" => Some(55 * DAY_MS),
        _ if is_operation => Some(55 * DAY_MS),
        _ => None,
    }
}

/// Whether a call makes a token that opens Live sessions.
pub fn makes_token(target: &Target, method: &str) -> bool {
    target.dialect == Dialect::Gemini
        && method == "POST"
        && target.verb.is_none()
        && matches!(segments(target).as_slice(), [kind] if kind == "auth_tokens")
}

/// The decoded segments of a target, from the kind on.
fn segments(target: &Target) -> Vec<Cow<'_, str>> {
    let raw = target.path.split('/').filter(|segment| !segment.is_empty());
    let mut raw = raw.peekable();
    if target.dialect == Dialect::Gemini {
        raw.next_if(|segment| matches!(*segment, "upload" | "download"));
        raw.next_if(|segment| is_version(segment));
    }
    let decoded = raw.map(|segment| percent_decode_str(segment).decode_utf8_lossy());
    // A slash that was hidden by its encoding ends a segment all the same.
    let mut segments = Vec::new();
    for segment in decoded {
        if segment.contains('/') {
            let parts = segment.split('/').filter(|part| !part.is_empty());
            segments.extend(parts.map(|part| Cow::Owned(part.to_owned())));
        } else {
            segments.push(segment);
        }
    }
    segments
}

fn split_verb<'s>(last: &'s str, verb: Option<&'s str>) -> (&'s str, Option<&'s str>) {
    let name = verb.and_then(|verb| last.strip_suffix(verb)?.strip_suffix(':'));
    match name {
        Some(name) => (name, verb),
        None => (last, None),
    }
}

fn is_version(segment: &str) -> bool {
    matches!(segment, "v1" | "v1beta" | "v1alpha" | "v1main")
}

#[cfg(test)]
mod tests;
