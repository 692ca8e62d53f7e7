//! One service key: who it is, whether it may serve at all, and what it is doing.

use std::sync::Arc;

use crate::budget::Owner;
use crate::order::Rank;
use crate::time::Time;

/// Characters of a reason that are kept.
const REASON_CHARS_MAX: usize = 500;

/// Names a service key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u64);

/// The keys that see what one of them has made: that one, and all others of its project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kin {
    /// The key that made it; while it is there, its project counts, whatever that is by then.
    pub key: KeyId,
    /// The label it had then, which tells its kin when it is gone.
    pub project: Option<Arc<str>>,
}

/// What the upstream thinks of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is let in.
    #[default]
    Active,
    /// It is not known: mistyped, deleted or expired.
    Invalid,
    /// It is known and locked.
    Suspended,
}

/// When a key that was turned away is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePlan {
    /// The next probe is due at this time.
    pub at: Time,
    /// Which probe in a row it will be; 1 is the first.
    pub turn: u32,
}

/// What the store remembers of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key's name.
    pub id: KeyId,
    /// The project whose budget it shares; an empty label counts as none.
    pub project: Option<String>,
    /// Lower tiers serve first.
    pub tier: u8,
    /// False if an admin has switched the key off.
    pub is_enabled: bool,
    /// What the upstream thinks of it.
    pub standing: Standing,
    /// Since when it stands like this.
    pub since: Time,
    /// Why it is not active, cut to 500 characters; empty for an active key.
    pub reason: String,
    /// The next probe of a key that is not active; without one it is planned when the key is added.
    pub probe: Option<ProbePlan>,
}

impl KeyRecord {
    /// An enabled, active key of the lowest tier without a project.
    pub fn new(id: KeyId, now: Time) -> Self {
        Self {
            id,
            project: None,
            tier: 0,
            is_enabled: true,
            standing: Standing::Active,
            since: now,
            reason: String::new(),
            probe: None,
        }
    }
}

/// A key in the pool.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) project: Option<Arc<str>>,
    pub(crate) tier: u8,
    pub(crate) is_enabled: bool,
    pub(crate) standing: Standing,
    pub(crate) since: Time,
    /// Empty for an active key.
    pub(crate) reason: Box<str>,
    /// Present exactly when the key is not active.
    pub(crate) probe: Option<ProbePlan>,
    pub(crate) leases: u32,
    pub(crate) last_used: Option<Time>,
    /// Where it lies on the tape.
    pub(crate) position: usize,
    /// Under which rank it lies there; none if no model may choose it.
    pub(crate) rank: Option<Rank>,
}

impl Key {
    pub(crate) fn new(position: usize, now: Time) -> Self {
        Self {
            project: None,
            tier: 0,
            is_enabled: false,
            standing: Standing::Active,
            since: now,
            reason: Box::default(),
            probe: None,
            leases: 0,
            last_used: None,
            position,
            rank: None,
        }
    }

    /// Who owns the budget the key draws on.
    pub(crate) fn owner(&self, id: KeyId) -> Owner {
        match &self.project {
            Some(label) => Owner::Project(Arc::clone(label)),
            None => Owner::Key(id),
        }
    }

    /// Let in by the upstream and by the admin.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_enabled && self.standing == Standing::Active
    }

    /// When a probe of the key is due; a key that is switched off is left alone.
    pub(crate) fn probe_at(&self) -> Option<Time> {
        self.probe.filter(|_| self.is_enabled).map(|plan| plan.at)
    }

    /// Turns the key away, to be probed by `plan`.
    pub(crate) fn lapse(&mut self, standing: Standing, reason: &str, now: Time, plan: ProbePlan) {
        self.standing = standing;
        self.since = now;
        self.reason = cut(reason).into();
        self.probe = Some(plan);
    }

    /// Lets the key in again.
    pub(crate) fn restore(&mut self, now: Time) {
        if self.standing != Standing::Active {
            self.since = now;
        }
        self.standing = Standing::Active;
        self.reason = Box::default();
        self.probe = None;
    }

    pub(crate) fn record(&self, id: KeyId) -> KeyRecord {
        KeyRecord {
            id,
            project: self.project.as_deref().map(str::to_owned),
            tier: self.tier,
            is_enabled: self.is_enabled,
            standing: self.standing,
            since: self.since,
            reason: self.reason.to_string(),
            probe: self.probe,
        }
    }
}

/// The first 500 characters of a reason.
pub(crate) fn cut(reason: &str) -> &str {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => reason.get(..end).unwrap_or_default(),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(cut("leaked"), "leaked");
        assert_eq!(cut(&"é".repeat(501)), "é".repeat(500));
    }

    #[test]
    fn an_idle_key_is_small() {
        assert!(size_of::<Key>() <= 112, "{} bytes", size_of::<Key>());
    }
}
