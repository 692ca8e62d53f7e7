//! How a believable answer may differ from the ordinary one, and how its stream may be spelt.

use serde::Deserialize;

/// The dials of a believable answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many events carry the text of a stream. A Gemini stream has exactly so many events; an
    /// OpenAI stream has so many, then the usage chunk if asked for, then `[DONE]`.
    pub chunks: usize,
    /// The pause between two events.
    pub pace_ms: u64,
    /// The pause before the first byte.
    pub first_byte_ms: u64,
    /// The text, if not the echo.
    pub text: Option<String>,
    /// The least size of the text, reached by filling up.
    pub text_bytes: usize,
    /// Calls a tool even if the prompt does not say so.
    pub tool_call: bool,
    /// Signs the answer as thinking models do.
    pub thought_signature: bool,
    /// Where token counts appear.
    pub usage: UsageForm,
    /// Whether the answer says why it ended.
    pub finish: bool,
    /// How many candidates or choices there are.
    pub candidates: usize,
    /// Refuses the prompt, with this reason, in a Gemini answer of status 200.
    pub block_reason: Option<String>,
    /// Breaks a stream with an error inside it.
    pub error: Option<StreamError>,
    /// The line end in an event stream, if not the vendor's own.
    pub line_end: Option<LineEnd>,
    /// What else is unusual about an event stream.
    pub decorations: Vec<Decoration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chunks: 3,
            pace_ms: 0,
            first_byte_ms: 0,
            text: None,
            text_bytes: 0,
            tool_call: false,
            thought_signature: true,
            usage: UsageForm::default(),
            finish: true,
            candidates: 1,
            block_reason: None,
            error: None,
            line_end: None,
            decorations: Vec::new(),
        }
    }
}

impl Options {
    pub(crate) fn has(&self, decoration: Decoration) -> bool {
        self.decorations.contains(&decoration)
    }
}

/// Where token counts appear.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum UsageForm {
    /// As the vendor does: Gemini in the last event, OpenAI in an extra chunk if asked for.
    #[default]
    Customary,
    /// Nowhere.
    Never,
    /// In each event.
    Each,
    /// In an extra event at the end that has nothing else, asked for or not.
    Extra,
}

/// An error inside a stream that began well; nothing follows it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct StreamError {
    /// After how many events.
    pub after_events: usize,
    /// The status the error names.
    pub code: u16,
    /// How it is written.
    #[serde(default)]
    pub form: ErrorForm,
}

/// How an error is written into a stream.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ErrorForm {
    /// As an event of its own.
    #[default]
    Event,
    /// As indented JSON without `data:`.
    BareLines,
}

/// What ends a line of an event stream.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// `\r\n`, as Google.
    CrLf,
    /// `\n`, as OpenAI.
    Lf,
    /// `\r`.
    Cr,
}

impl LineEnd {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::CrLf => "\r\n",
            Self::Lf => "\n",
            Self::Cr => "\r",
        }
    }
}

/// A permitted but unusual way to write an event stream.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Decoration {
    /// A comment before each event.
    Comment,
    /// An `event:` line in each event.
    Event,
    /// An `id:` line in each event.
    Id,
    /// A `retry:` line in each event.
    Retry,
    /// A byte order mark at the start.
    ByteOrderMark,
    /// The JSON of an event spread over several `data:` lines.
    MultiLine,
    /// `data:` without a space behind it.
    NoSpace,
    /// No blank line behind the last event.
    NoLastBlankLine,
    /// No `[DONE]` at the end of an OpenAI stream.
    NoDone,
}
