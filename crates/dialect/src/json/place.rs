//! The places in a document where the protocols keep what we want to know.

use crate::usage::Count;

/// A value that is handed out as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The `error` of a document or of the response inside it.
    Error,
    /// A `finishReason` or `finish_reason`.
    Finish,
    /// Why a prompt was refused.
    BlockReason,
    /// `type` or `event_type` of an event.
    Type,
    /// `message` at the top, where error events of the Responses API have it.
    Message,
    /// `code` at the top, likewise.
    Code,
    /// The `name` of a resource, at the top or inside its `file`.
    Name,
    /// The `id` of a resource, at the top or inside an `interaction`.
    Id,
    /// When a resource ends, likewise.
    Expires,
    /// Whether a turn of a Live session is over.
    TurnComplete,
    /// By which a Live session can be resumed.
    Handle,
}

impl Want {
    pub(super) fn bytes_max(self) -> usize {
        match self {
            Self::Error => 64 * 1024,
            Self::Message => 4 * 1024,
            Self::Name | Self::Id => 1024,
            Self::Finish | Self::BlockReason | Self::Type | Self::Code | Self::Expires => 64,
            Self::TurnComplete => 64,
            Self::Handle => 4 * 1024,
        }
    }
}

/// A container the scanner walks into. All others it skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The list at the root.
    List,
    Document,
    /// The `response` or `interaction` inside an event.
    Inner,
    /// The `file` that an upload has made.
    File,
    Choices,
    Choice,
    Usage,
    /// The `…_details` of a usage.
    Details,
    Feedback,
    /// The `serverContent` of a message in a Live session.
    Turn,
    /// The `sessionResumptionUpdate` of one.
    Resumption,
}

impl Place {
    pub(super) fn is_list(self) -> bool {
        match self {
            Self::List | Self::Choices => true,
            Self::Document | Self::Inner | Self::File | Self::Choice => false,
            Self::Usage | Self::Details | Self::Feedback => false,
            Self::Turn | Self::Resumption => false,
        }
    }

    /// What it opens with.
    pub(super) fn bracket(self) -> u8 {
        if self.is_list() { b'[' } else { b'{' }
    }

    /// What an element of this list is.
    pub(super) fn element(self) -> Role {
        match self {
            Self::List => Role::Enter(Self::Document),
            Self::Choices => Role::Enter(Self::Choice),
            Self::Document | Self::Inner | Self::File | Self::Choice => Role::Skip,
            Self::Usage | Self::Details | Self::Feedback => Role::Skip,
            Self::Turn | Self::Resumption => Role::Skip,
        }
    }

    /// What the value of this key is.
    pub(super) fn member(self, key: &[u8]) -> Role {
        match self {
            Self::Document => match key {
                b"response" | b"interaction" => Role::Enter(Self::Inner),
                b"type" | b"event_type" => Role::Keep(Want::Type),
                b"message" => Role::Keep(Want::Message),
                b"code" => Role::Keep(Want::Code),
                b"name" => Role::Keep(Want::Name),
                b"file" => Role::Enter(Self::File),
                b"serverContent" | b"server_content" => Role::Enter(Self::Turn),
                b"sessionResumptionUpdate" | b"session_resumption_update" => {
                    Role::Enter(Self::Resumption)
                }
                _ => Self::Inner.member(key),
            },
            Self::File => match key {
                b"name" => Role::Keep(Want::Name),
                _ => expiry(key),
            },
            Self::Inner => match key {
                b"usage" | b"usageMetadata" | b"usage_metadata" => Role::Enter(Self::Usage),
                b"error" => Role::Keep(Want::Error),
                b"id" => Role::Keep(Want::Id),
                b"candidates" | b"choices" => Role::Enter(Self::Choices),
                b"promptFeedback" | b"prompt_feedback" => Role::Enter(Self::Feedback),
                _ => expiry(key),
            },
            Self::Choice => match key {
                b"finishReason" | b"finish_reason" => Role::Keep(Want::Finish),
                _ => Role::Skip,
            },
            Self::Feedback => match key {
                b"blockReason" | b"block_reason" => Role::Keep(Want::BlockReason),
                _ => Role::Skip,
            },
            Self::Resumption => match key {
                b"newHandle" | b"new_handle" => Role::Keep(Want::Handle),
                _ => Role::Skip,
            },
            Self::Turn => match key {
                b"turnComplete" | b"turn_complete" => Role::Keep(Want::TurnComplete),
                _ => Role::Skip,
            },
            Self::Usage => match key {
                b"prompt_tokens_details" | b"input_tokens_details" => Role::Enter(Self::Details),
                b"completion_tokens_details" | b"output_tokens_details" => {
                    Role::Enter(Self::Details)
                }
                _ => Count::named(key).map_or(Role::Skip, Role::Count),
            },
            Self::Details => Count::named(key).map_or(Role::Skip, Role::Count),
            Self::List | Self::Choices => Role::Skip,
        }
    }
}

/// When a resource ends, however it is called.
fn expiry(key: &[u8]) -> Role {
    match key {
        b"expireTime" | b"expire_time" | b"expirationTime" | b"expiration_time" => {
            Role::Keep(Want::Expires)
        }
        _ => Role::Skip,
    }
}

/// What to do with the next value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Enter(Place),
    Keep(Want),
    Count(Count),
    Skip,
}
