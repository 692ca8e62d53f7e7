//! Which keys there are, and what an admin says of them; each command serves whoever waits.

use std::sync::Arc;

use keypool::{BudgetRecord, KeyId, KeyRecord, Probe, ProbeOutcome, ProbePurpose, Standing, Time};

use super::live::State;
use super::{KeyPool, ServiceKey};

/// Keys that one command changes before requests get their turn again.
const KEYS_PER_LOCK: usize = 64;

impl KeyPool {
    /// Adds a service key, or replaces its settings.
    pub fn add(self: &Arc<Self>, key: ServiceKey, record: KeyRecord) {
        self.add_all(vec![(key, record)]);
    }

    /// Adds many service keys under one lock.
    pub fn add_all(self: &Arc<Self>, keys: Vec<(ServiceKey, KeyRecord)>) {
        self.change(|state, now| {
            for (key, record) in keys {
                state.pool.add(record, now);
                state.keys.insert(key.id, Arc::new(key));
            }
        });
    }

    /// Puts back what the store remembers of a budget; false if no key draws on it any more.
    pub fn restore_budget(self: &Arc<Self>, record: BudgetRecord) -> bool {
        self.change(|state, now| state.pool.restore_budget(record, now))
    }

    /// Forgets a key; a request that holds it goes on undisturbed.
    pub fn remove(self: &Arc<Self>, id: KeyId) -> bool {
        self.change(|state, _| {
            state.keys.remove(&id);
            state.pool.remove(id)
        })
    }

    /// Moves a key to a project and tier.
    pub fn assign(self: &Arc<Self>, id: KeyId, project: Option<&str>, tier: u8) -> bool {
        self.change(|state, now| state.pool.assign(id, project, tier, now))
    }

    /// Lets a key serve again after [`KeyPool::disable`].
    pub fn enable(self: &Arc<Self>, id: KeyId) -> bool {
        self.change(|state, now| state.pool.enable(id, now))
    }

    /// Takes a key out of service on an admin's word.
    pub fn disable(self: &Arc<Self>, id: KeyId) -> bool {
        self.change(|state, now| state.pool.disable(id, now))
    }

    /// Forgets everything bad about a key and its project.
    pub fn reset(self: &Arc<Self>, id: KeyId) -> bool {
        self.change(|state, now| state.pool.reset(id, now))
    }

    /// Forgets everything bad about every key.
    pub fn reset_all(self: &Arc<Self>) {
        let ids: Vec<KeyId> = self.state.lock().keys.keys().copied().collect();
        self.reset_each(&ids);
    }

    /// [`KeyPool::reset`] for many keys.
    pub fn reset_each(self: &Arc<Self>, ids: &[KeyId]) {
        self.each(ids, |state, id, now| state.pool.reset(id, now));
    }

    /// [`KeyPool::enable`] for many keys.
    pub fn enable_all(self: &Arc<Self>, ids: &[KeyId]) {
        self.each(ids, |state, id, now| state.pool.enable(id, now));
    }

    /// [`KeyPool::disable`] for many keys.
    pub fn disable_all(self: &Arc<Self>, ids: &[KeyId]) {
        self.each(ids, |state, id, now| state.pool.disable(id, now));
    }

    /// [`KeyPool::remove`] for many keys.
    pub fn remove_all(self: &Arc<Self>, ids: &[KeyId]) {
        self.each(ids, |state, id, _| {
            state.keys.remove(&id);
            state.pool.remove(id)
        });
    }

    /// Does the same to many keys, a handful under each lock, so that no request waits for all.
    fn each(self: &Arc<Self>, ids: &[KeyId], act: impl Fn(&mut State, KeyId, Time) -> bool) {
        for some in ids.chunks(KEYS_PER_LOCK) {
            self.change(|state, now| {
                for id in some {
                    act(state, *id, now);
                }
            });
        }
    }

    /// Lets a key in again that the upstream had turned away; false if it had not.
    pub fn restore(self: &Arc<Self>, id: KeyId) -> bool {
        self.change(|state, now| {
            let view = state.pool.view(id, now);
            let is_away = view.is_some_and(|view| view.standing != Standing::Active);
            if is_away {
                let probe = Probe { key: id, model: None, purpose: ProbePurpose::Standing };
                state.pool.settle_probe(&probe, ProbeOutcome::Served, now);
            }
            is_away
        })
    }
}
