//! A row of the request log: one attempt, as whoever makes it hands it to the journal.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::random::RequestId;

/// One attempt, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Shared by all attempts of one request.
    pub request_id: RequestId,
    /// When the attempt ended, in ms since the epoch: its place in time. Rows come in the order of
    /// their ends, so they are stored by it; in that of their beginnings each would go to a page of
    /// its own.
    pub ended_at_ms: i64,
    /// Who asked.
    pub user_key_id: Option<i64>,
    /// The key that was tried, if it came to that.
    pub service_key_id: Option<i64>,
    /// The model that was asked for.
    pub model: String,
    /// The caller's protocol, as `openai`.
    pub dialect: Cow<'static, str>,
    /// What was asked of the model, as `generateContent`.
    pub operation: Cow<'static, str>,
    /// Whether the answer was asked for as a stream.
    pub is_stream: bool,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// What went wrong; an attempt without an error kind is a success.
    pub error_kind: Option<Cow<'static, str>>,
    /// The number of the attempt in its request, from 1 on.
    pub attempt: u16,
    /// Whether this was the last attempt of its request.
    pub is_final: bool,
    /// What it cost.
    pub tokens: Tokens,
    /// Time to the first byte of the answer.
    pub first_byte_ms: Option<u32>,
    /// Time to the end.
    pub duration_ms: u32,
    /// Size of the question's body.
    pub bytes_in: u64,
    /// Size of the answer's body.
    pub bytes_out: u64,
    /// What the caller's program says it is (`User-Agent`), cut to 128 bytes; empty if it says nothing.
    pub client: String,
    /// Frames of a Live session, in both directions; `None` for all else.
    pub frames: Option<u64>,
}

impl LogRow {
    /// Whether the attempt succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.error_kind.is_none()
    }

    /// Whether it is known how long the attempt took: of one that was taken over from elsewhere it
    /// may not be.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.first_byte_ms.is_some() || 0 < self.duration_ms
    }
}

/// Tokens of one attempt, as far as the upstream told them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tokens {
    /// Of the question.
    #[serde(rename = "prompt_tokens")]
    pub prompt: Option<u32>,
    /// Of the answer.
    #[serde(rename = "completion_tokens")]
    pub completion: Option<u32>,
    /// Of the question, known to the upstream already.
    #[serde(rename = "cached_tokens")]
    pub cached: Option<u32>,
    /// Of thinking.
    #[serde(rename = "thinking_tokens")]
    pub thinking: Option<u32>,
    /// All of them.
    #[serde(rename = "total_tokens")]
    pub total: Option<u32>,
}
