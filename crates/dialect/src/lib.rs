//! The two wire protocols: what the gateway reads out of a request, a response, a stream, an error.
//!
//! Everything here looks at bytes that belong to somebody else. Nothing here changes a byte, except
//! the documented rewrites of [`rewrite()`] and the one event [`UsageFilter`] takes back out. All of
//! it is pure: no clock, no sockets, no keys; any input at all gives an answer within a bounded
//! amount of memory, and none can make it panic.
//!
//! In reading order: [`path`] finds out what is asked, [`request`] peeks into the body, [`rewrite()`]
//! splices into it, [`tap`] watches the answer go by, [`failure`] understands a refusal, and
//! [`error`] speaks for the gateway itself; [`resource`] knows what belongs to the project that made
//! it; [`frames`] and [`live`] look at conversations over a WebSocket.

pub mod error;
pub mod failure;
pub mod frames;
mod json;
pub mod live;
mod members;
pub mod path;
pub mod request;
pub mod resource;
pub mod rewrite;
mod segment;
mod sse;
pub mod tap;
pub mod usage;
mod usage_filter;

pub use error::ErrorBody;
pub use failure::{Failure, FailureKind, redact_keys};
pub use path::{Asker, Op, PathError, Target, resolve};
pub use request::{BadBody, Peek, peek};
pub use resource::Made;
pub use rewrite::{Rewrite, rewrite};
pub use tap::{Seen, Shape, Tap};
pub use usage::Usage;
pub use usage_filter::{FilteredChunks, UsageFilter};

/// A wire protocol a caller may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/v1/chat/completions` and its family.
    OpenAi,
    /// `/v1beta/models/{model}:generateContent` and its family.
    Gemini,
}

impl Dialect {
    /// Writes the whole body of an error answer.
    pub fn error_body(self, error: &ErrorBody<'_>) -> Vec<u8> {
        error.render(self).into_bytes()
    }

    /// Writes the one event that ends a broken event stream: `data: {…}` and a blank line. Neither
    /// dialect's clients bear an `event:` line here.
    pub fn error_event(self, error: &ErrorBody<'_>) -> Vec<u8> {
        format!("data: {}\n\n", error.render(self)).into_bytes()
    }

    /// Writes the element that ends a broken JSON array stream, without the comma before it and the
    /// bracket behind it; [`Tap::closing_error`] adds those.
    pub fn error_element(self, error: &ErrorBody<'_>) -> Vec<u8> {
        self.error_body(error)
    }

    /// Returns bytes that mean nothing to a client of a stream, to be sent between two events only.
    ///
    /// Gemini clients fall over a comment but skip blank lines, which are also harmless between the
    /// elements of a JSON array.
    pub fn heartbeat(self) -> &'static [u8] {
        match self {
            Self::OpenAi => b": keep-alive\n\n",
            Self::Gemini => b"\n\n",
        }
    }
}
