//! What one attempt taught us about the key that made it.

use crate::time::Time;
use crate::trouble::{Symptom, TroubleKind};

/// The lesson of one attempt. Each variant names the scope that rests and what ends the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Content came. Level and failure count of the bucket, and of the project's credit, go back to 0.
    Healthy,
    /// The attempt says nothing about the key: the caller left, or the request itself was wrong.
    Blameless,
    /// The upstream has named a wait: the bucket cools for it, between 1 s and 24 h.
    Cooling {
        /// The longest wait the answer named, in milliseconds.
        wait_ms: u64,
    },
    /// A 429 without details: the bucket cools for the policy's wait, doubling with repeats.
    RateLimited,
    /// The day's quota is gone: the bucket rests until exactly this time.
    ExhaustedUntil {
        /// When the upstream starts to count anew; the caller knows its calendar.
        until: Time,
    },
    /// The quota is zero: the bucket rests until an admin resets it.
    NotEntitled,
    /// This key may not use this model: the key rests for the model until an admin resets it.
    ModelDenied,
    /// The project's credit is gone: all its keys rest, 1 h doubling to 12 h.
    NoCredit,
    /// The upstream does not know the key: it rests until a probe or an admin brings it back.
    Invalid,
    /// The upstream has locked the key: likewise.
    Suspended,
    /// The upstream failed. At the policy's threshold in a row the bucket cools, unless many keys fail alike.
    Faulty,
    /// The upstream was not reached, or something else stood in its place: no key can be the cause. Counts
    /// like `Faulty` for the question whether the trouble is common, and against no bucket.
    Unreached,
}

impl Verdict {
    /// The trouble it would be a sign of if many keys met it; it blames a key only while they do not.
    pub(crate) fn suspicion(self) -> Option<TroubleKind> {
        match self.symptom()? {
            Symptom::Faulty => Some(TroubleKind::Faulty),
            Symptom::RateLimited => Some(TroubleKind::RateLimited),
            Symptom::Other => None,
        }
    }

    /// What the verdict says about the upstream as a whole; nothing if there was no answer to judge.
    pub(crate) fn symptom(self) -> Option<Symptom> {
        match self {
            Self::Blameless => None,
            Self::Faulty | Self::Unreached => Some(Symptom::Faulty),
            Self::RateLimited => Some(Symptom::RateLimited),
            Self::Healthy
            | Self::Cooling { .. }
            | Self::ExhaustedUntil { .. }
            | Self::NotEntitled
            | Self::ModelDenied
            | Self::NoCredit
            | Self::Invalid
            | Self::Suspended => Some(Symptom::Other),
        }
    }
}
