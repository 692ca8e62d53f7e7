//! What has happened since the last look: for the store, the log and people.
//!
//! A change of a key, a credit or a bucket is kept as *that it changed* and told as *how it stands* when the
//! changes are taken, so many steps of one bucket are one change, and changes of state may be applied in any
//! order. What returns by the passing of time alone is no change: its end was told with its beginning.

use std::collections::HashSet;
use std::sync::Arc;

use crate::budget::{BucketRecord, NoCredit, Owner, Scope};
use crate::key::{KeyId, KeyRecord};
use crate::lease::LeaseId;
use crate::roster::Roster;
use crate::trouble::Trouble;

/// Changes kept for whoever takes them; what comes on top is dropped and told by [`Change::Overflowed`].
const CHANGES_MAX: usize = 131_072;

/// One fact. State is told complete, as it stands when the change is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key's record.
    Key(KeyRecord),
    /// What is known about the credit of a budget; nothing means that it is trusted.
    Credit {
        /// Whose budget.
        scope: Scope,
        /// The rest in force, or the memory of the last one.
        no_credit: Option<NoCredit>,
    },
    /// One bucket; `Ready` with level and failures 0 may be deleted from the store.
    Bucket {
        /// Whose budget.
        scope: Scope,
        /// The bucket.
        bucket: BucketRecord,
    },
    /// Many keys fail alike: from here on nothing escalates or cools for it.
    TroubleBegan(Trouble),
    /// They no longer do.
    TroubleEnded(Trouble),
    /// A stuck lease was taken from its holder.
    LeaseTakenBack(LeaseId),
    /// More changed than the pool keeps: read `Pool::views` and `Pool::budgets` anew.
    Overflowed,
}

/// A piece of state that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Key(KeyId),
    Credit(Owner),
    Bucket(Owner, Arc<str>),
}

/// An entry of the buffer.
#[derive(Debug)]
pub(crate) enum Pending {
    State(Subject),
    Event(Change),
}

/// The buffer, in the order in which things first changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pending: Vec<Pending>,
    known: HashSet<Subject>,
    has_overflowed: bool,
}

impl Changes {
    /// Notes that a piece of state has changed.
    pub(crate) fn mark(&mut self, subject: Subject) {
        if self.has_room() && self.known.insert(subject.clone()) {
            self.pending.push(Pending::State(subject));
        }
    }

    /// Notes something that happened once.
    pub(crate) fn tell(&mut self, event: Change) {
        if self.has_room() {
            self.pending.push(Pending::Event(event));
        }
    }

    /// Whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty() && !self.has_overflowed
    }

    /// Empties the buffer.
    pub(crate) fn take(&mut self) -> Vec<Pending> {
        let taken = std::mem::take(self);
        let overflow = taken.has_overflowed.then_some(Pending::Event(Change::Overflowed));
        taken.pending.into_iter().chain(overflow).collect()
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.pending.len() < CHANGES_MAX;
        self.has_overflowed |= !has_room;
        has_room
    }
}

/// An entry as it stands now; nothing if its key is gone.
pub(crate) fn told(roster: &Roster, pending: Pending) -> Option<Change> {
    match pending {
        Pending::Event(event) => Some(event),
        Pending::State(Subject::Key(id)) => {
            let key = roster.keys().get(&id)?;
            Some(Change::Key(key.record(id)))
        }
        Pending::State(Subject::Credit(owner)) => {
            let no_credit = roster.credit(&owner);
            Some(Change::Credit { scope: owner.scope(), no_credit })
        }
        Pending::State(Subject::Bucket(owner, model)) => {
            let bucket = roster.bucket(&owner, &model).record(&model, roster.now());
            Some(Change::Bucket { scope: owner.scope(), bucket })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_same_thing_are_one_change() {
        let mut changes = Changes::default();
        for id in [1, 2, 1] {
            changes.mark(Subject::Key(KeyId(id)));
        }

        assert_eq!(changes.take().len(), 2);
        assert!(changes.take().is_empty());
    }

    #[test]
    fn a_full_buffer_says_that_something_is_missing() {
        let mut changes = Changes::default();
        for id in 0..=CHANGES_MAX as u64 {
            changes.mark(Subject::Key(KeyId(id)));
        }

        let taken = changes.take();

        assert_eq!(taken.len(), CHANGES_MAX + 1);
        assert!(matches!(taken.last(), Some(Pending::Event(Change::Overflowed))));
    }
}
