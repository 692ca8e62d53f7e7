//! Free calls that find out whether something serves again.
//!
//! A probe that is handed out is not handed out again before its next turn, so a probe that is lost costs
//! nothing. A probe can bring something back; one that fails leaves everything as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::budget::Owner;
use crate::key::KeyId;
use crate::time::Time;

/// What a probe is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbePurpose {
    /// Whether the upstream lets a key in that it had turned away.
    Standing,
    /// Whether a cooled bucket serves.
    Cooled,
    /// Whether a common trouble is over.
    Trouble,
}

/// One call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The key to make it with.
    pub key: KeyId,
    /// The model to ask for; any if none is named.
    pub model: Option<String>,
    /// What it is to find out.
    pub purpose: ProbePurpose,
}

/// How a probe went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeOutcome {
    /// The upstream served the call.
    Served,
    /// It did not, for whatever reason.
    Failed,
}

/// What is waiting to be probed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Key(KeyId),
    Bucket(Owner, Arc<str>),
}

/// Everything that is to be probed, by the time it is due.
#[derive(Debug, Default)]
pub(crate) struct Schedule(BTreeSet<(Time, Target)>);

impl Schedule {
    pub(crate) fn plan(&mut self, at: Time, target: Target) {
        self.0.insert((at, target));
    }

    pub(crate) fn cancel(&mut self, at: Time, target: Target) {
        self.0.remove(&(at, target));
    }

    /// The target that has been due for longest.
    pub(crate) fn due(&self, now: Time) -> Option<Target> {
        self.0.first().filter(|(at, _)| *at <= now).map(|(_, target)| target.clone())
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }
}
