//! Which keys are out, since when, for which model.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::key::KeyId;
use crate::time::Time;

/// A key on loan. It comes back once: by its verdict, or taken back. Whatever comes later has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId {
    /// The key that is out.
    pub key: KeyId,
    /// Tells this lease from every other that the pool has ever given.
    pub generation: u64,
}

/// What the pool knows about a lease.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) key: KeyId,
    pub(crate) model: Arc<str>,
    /// When it was given, or last seen alive.
    pub(crate) touched: Time,
}

/// All leases that are out.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    out: BTreeMap<u64, Lease>,
    generation: u64,
}

impl Leases {
    pub(crate) fn open(&mut self, key: KeyId, model: Arc<str>, now: Time) -> LeaseId {
        self.generation += 1;
        self.out.insert(self.generation, Lease { key, model, touched: now });
        LeaseId { key, generation: self.generation }
    }

    /// Ends a lease; nothing if it ended before.
    pub(crate) fn close(&mut self, lease: LeaseId) -> Option<Lease> {
        self.out.get(&lease.generation).filter(|open| open.key == lease.key)?;
        self.out.remove(&lease.generation)
    }

    pub(crate) fn model(&self, lease: LeaseId) -> Option<&Arc<str>> {
        let open = self.out.get(&lease.generation).filter(|open| open.key == lease.key)?;
        Some(&open.model)
    }

    pub(crate) fn touch(&mut self, lease: LeaseId, now: Time) {
        if let Some(open) = self.out.get_mut(&lease.generation) {
            open.touched = open.touched.max(now);
        }
    }

    /// Forgets the leases of a key that is gone.
    pub(crate) fn drop_key(&mut self, key: KeyId) {
        self.out.retain(|_, lease| lease.key != key);
    }

    pub(crate) fn overdue(&self, idle_ms_max: u64, now: Time) -> Vec<LeaseId> {
        self.out
            .iter()
            .filter(|(_, lease)| idle_ms_max < now.millis_since(lease.touched))
            .map(|(generation, lease)| LeaseId { key: lease.key, generation: *generation })
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_once() {
        let mut leases = Leases::default();
        let lease = leases.open(KeyId(1), "m".into(), Time::default());
        let forged = LeaseId { key: KeyId(2), ..lease };

        assert!(leases.close(forged).is_none());
        assert!(leases.close(lease).is_some());
        assert!(leases.close(lease).is_none());
    }

    #[test]
    fn a_living_lease_is_not_overdue() {
        let mut leases = Leases::default();
        let silent = leases.open(KeyId(1), "m".into(), Time::default());
        let living = leases.open(KeyId(1), "m".into(), Time::default());
        leases.touch(living, Time::from_millis(7_199_000));

        assert_eq!(leases.overdue(300_000, Time::from_millis(300_000)), []);
        assert_eq!(leases.overdue(300_000, Time::from_millis(7_200_000)), [silent]);
    }
}
