//! What a request gets: a believable answer, a refusal, a status, or bare steps – and what goes
//! wrong with any of these on the way. Everything becomes steps before it reaches the socket.

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use crate::{live::Live, options::Options, refusal::Refusal};

/// What a request gets.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// What the real service would say, varied by options.
    Default(Options),
    /// An error of the real service, in the shape of the dialect that was asked.
    Refusal(Refusal),
    /// This status, these headers, this body.
    Status {
        /// The HTTP status.
        code: u16,
        /// Header names and values, in order; the length is added.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// A Live session that goes like this; for no other request.
    Live(Live),
    /// Exactly these steps.
    Steps(Vec<Step>),
    /// An answer that breaks on its way; the faults happen in order.
    Faulty {
        /// What it would have been.
        answer: Box<Self>,
        /// What goes wrong.
        faults: Vec<Fault>,
    },
}

impl Answer {
    /// The believable answer as it is without a script.
    pub fn believable() -> Self {
        Self::Default(Options::default())
    }

    /// The same answer with one more fault.
    pub fn with(self, fault: Fault) -> Self {
        match self {
            Self::Faulty { answer, mut faults } => {
                faults.push(fault);
                Self::Faulty { answer, faults }
            }
            sound @ (Self::Default(_)
            | Self::Refusal(_)
            | Self::Status { .. }
            | Self::Live(_)
            | Self::Steps(_)) => Self::Faulty { answer: Box::new(sound), faults: vec![fault] },
        }
    }
}

/// One thing done on the connection.
///
/// A head that names neither `content-length` nor `transfer-encoding` gets what fits the steps
/// behind it: `chunked` if there is a [`Step::Chunk`], otherwise their length. Neighbouring steps
/// leave in one write. When the steps end, a chunked body is closed and the connection waits for
/// the next request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The status line and the headers.
    Head {
        /// The HTTP status.
        status: u16,
        /// Header names and values, in order.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// Bytes as they are.
    #[serde(deserialize_with = "bytes_of_text")]
    Bytes(Bytes),
    /// One chunk of a chunked body; counts as one event.
    #[serde(deserialize_with = "bytes_of_text")]
    Chunk(Bytes),
    /// What came before leaves before what follows is written.
    Flush,
    /// A pause.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Silence until the client leaves.
    Stall,
    /// The connection ends with a reset (RST).
    Reset,
    /// The connection ends in order (FIN).
    Close,
}

/// What goes wrong with an answer on its way.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The answer stops at a point.
    Cut {
        /// Where.
        at: Point,
        /// How.
        ending: Ending,
    },
    /// The declared length differs from the body by so many bytes; then the connection closes.
    Length {
        /// Positive: more is declared than sent. Negative: less.
        difference: i64,
    },
    /// These headers are added.
    Headers(Vec<(String, String)>),
    /// The body arrives in pieces of so many bytes, each a write of its own and, in a chunked
    /// body, a chunk and thus an event of its own.
    Pieces {
        /// The size of a piece; 0 counts as 1.
        bytes: usize,
    },
}

/// A place inside an answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Point {
    /// Before the first byte.
    Start,
    /// Behind the status line.
    StatusLine,
    /// Behind the headers and so many whole events; a body that is not chunked is one event. With
    /// as many events as there are, only the end of the body is missing.
    Events(usize),
    /// Inside an event.
    Inside {
        /// How many whole events come before.
        events: usize,
        /// How many bytes of the next one are sent.
        bytes: usize,
    },
}

/// How an answer stops early.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed in order (FIN).
    Close,
    /// Nothing more comes, the connection stays open.
    Stall,
}

fn bytes_of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    String::deserialize(deserializer).map(Bytes::from)
}
