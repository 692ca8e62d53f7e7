//! What the finds in a body add up to.

use crate::failure::{self, Failure};
use crate::json::{Find, Want};
use crate::tap::{Seen, Shape};
use crate::usage::Counts;

/// Everything the finds add up to.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) shape: Shape,
    pub(super) seen: Seen,
    counts: Counts,
    /// The root is a list.
    is_list: bool,
    /// The JSON stands on lines of an event stream that are no `data` field.
    pub(super) is_bare: bool,
    /// A document of the current event is whole.
    pub(super) is_whole: bool,
    /// What is said about a resource is kept.
    pub(super) is_noting: bool,
    document: Document,
}

/// What the current document has said so far. It counts only when the document is whole.
#[derive(Clone, Debug, Default)]
struct Document {
    error: Option<Failure>,
    has_content: bool,
    is_finished: bool,
    is_error_event: bool,
    /// Raw JSON, for an error event that is not wrapped in `error`.
    message: Option<Vec<u8>>,
    code: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            seen: Seen { at_boundary: true, ..Seen::default() },
            counts: Counts::default(),
            is_list: false,
            is_bare: false,
            is_whole: false,
            is_noting: false,
            document: Document::default(),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, find: Find<'_>) {
        match find {
            Find::ListOpened => self.is_list = true,
            Find::Key(key) => self.key(key),
            Find::Value(want, raw) => self.value(want, raw),
            Find::Count(count, tokens) => {
                self.counts.set(count, tokens);
                self.seen.usage = Some(self.counts.usage());
            }
            Find::Choice | Find::NoChoices => {}
            Find::DocumentClosed => self.document_closed(),
            Find::RootClosed => self.root_closed(),
            Find::Broken => self.seen.is_malformed |= self.shape != Shape::Sse || self.is_bare,
        }
    }

    /// A key that no error has tells content apart long before the document is whole.
    #[inline]
    fn key(&mut self, key: &[u8]) {
        if self.document.has_content {
            return;
        }
        let may_be_error =
            matches!(
                key,
                b"error" | b"type" | b"event_type" | b"code" | b"message" | b"param" | b"status"
            ) || matches!(key, b"details" | b"sequence_number" | b"request_id" | b"event_id");
        if !may_be_error {
            self.document.has_content = true;
            self.content();
        }
    }

    fn value(&mut self, want: Want, raw: &[u8]) {
        let document = &mut self.document;
        let is_null = raw == b"null";
        match want {
            Want::Error if is_null => document.error = None,
            Want::Error => document.error = Some(failure::in_stream(raw)),
            Want::Finish => document.is_finished |= is_reason(raw),
            Want::BlockReason => document.is_finished |= is_reason(raw),
            Want::Type => match raw {
                b"\"error\"" => document.is_error_event = true,
                b"\"response.completed\"" | b"\"response.incomplete\"" => {
                    document.is_finished = true;
                }
                b"\"response.failed\"" | b"\"response.cancelled\"" => document.is_finished = true,
                b"\"interaction.completed\"" => document.is_finished = true,
                _ => {}
            },
            Want::Message => document.message = Some(raw.to_vec()),
            Want::Code => document.code = Some(raw.to_vec()),
            Want::TurnComplete | Want::Handle => {}
            Want::Name | Want::Id | Want::Expires if !self.is_noting => {}
            Want::Name => note(&mut self.seen.made.name, raw),
            Want::Id => note(&mut self.seen.made.id, raw),
            Want::Expires => note(&mut self.seen.made.expires, raw),
        }
    }

    fn document_closed(&mut self) {
        let document = std::mem::take(&mut self.document);
        self.is_whole = true;
        self.seen.is_finished |= document.is_finished;
        if self.shape != Shape::Sse {
            self.seen.events += 1;
        }
        // A whole resource may have an `error` of its own, such as an operation that failed; that is
        // an answer. In a stream, an error beside content is still the end of it.
        let is_resource = self.shape == Shape::Json && document.has_content;
        let error = match document.error {
            Some(_) if is_resource => None,
            Some(error) => Some(error),
            None if document.is_error_event => {
                Some(failure::of_event(document.code.as_deref(), document.message.as_deref()))
            }
            None => None,
        };
        match error {
            Some(error) => self.seen.error = Some(error),
            None => self.content(),
        }
    }

    fn root_closed(&mut self) {
        match self.shape {
            Shape::Sse => {}
            Shape::Json | Shape::JsonArray => {
                self.seen.is_complete = true;
                self.seen.is_finished = true;
                // An empty list is an empty stream, but no document.
                let is_empty = self.seen.events == 0;
                self.seen.is_malformed |= is_empty && self.shape == Shape::Json;
            }
        }
    }

    fn content(&mut self) {
        let is_expected = match self.shape {
            Shape::Sse => !self.is_bare,
            Shape::Json => !self.is_list,
            Shape::JsonArray => self.is_list,
        };
        if is_expected {
            self.seen.has_content = true;
        } else {
            self.seen.is_malformed = true;
        }
    }

    pub(super) fn start_event(&mut self) {
        self.document = Document::default();
        self.is_list = false;
        self.is_bare = false;
        self.is_whole = false;
    }
}

/// Keeps the first string that is said of something: what comes later is of what lies within.
fn note(kept: &mut Option<String>, raw: &[u8]) {
    if kept.is_none() {
        *kept = serde_json::from_slice(raw).ok();
    }
}

/// A reason is a word; some clients get its number. Zero and `…UNSPECIFIED` mean none.
fn is_reason(raw: &[u8]) -> bool {
    !matches!(raw, b"null" | b"\"\"" | b"0") && !raw.ends_with(b"_UNSPECIFIED\"")
}
