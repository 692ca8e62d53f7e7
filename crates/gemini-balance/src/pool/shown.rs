//! What people and metrics see of the pool.

use std::collections::BTreeSet;
use std::sync::Arc;

use keypool::{Counts, KeyId, KeyView, Kin, Time, Trouble};

use super::refusals::RefusedAttempt;
use super::{KeyPool, ServiceKey};

/// Keys that are looked at before requests get their turn again.
const KEYS_PER_LOCK: usize = 128;

impl KeyPool {
    /// The key behind an id.
    pub fn key(&self, id: KeyId) -> Option<Arc<ServiceKey>> {
        self.state.lock().keys.get(&id).cloned()
    }

    /// A key of this kin: the one it is named after, or if that is gone, another of its project.
    pub fn key_of_kin(&self, kin: &Kin) -> Option<Arc<ServiceKey>> {
        let is_kindred = |key: &Arc<ServiceKey>| {
            self.kin(key.id).is_some_and(|other| self.are_kindred(kin, &other))
        };
        let of_project = || self.views().into_iter().map(|(key, _)| key).find(is_kindred);
        self.key(kin.key).or_else(of_project)
    }

    /// What a person sees of one key.
    pub fn view(&self, id: KeyId) -> Option<KeyView> {
        let now = self.now();
        self.state.lock().pool.view(id, now)
    }

    /// What a person sees of all keys, by id, with the keys themselves. A handful is looked at under
    /// each lock, so that no request waits for all.
    pub fn views(&self) -> Vec<(Arc<ServiceKey>, KeyView)> {
        let now = self.now();
        let mut ids: Vec<KeyId> = self.state.lock().keys.keys().copied().collect();
        ids.sort_unstable();
        let mut views = Vec::with_capacity(ids.len());
        for some in ids.chunks(KEYS_PER_LOCK) {
            let state = self.state.lock();
            views.extend(some.iter().filter_map(|id| {
                Some((Arc::clone(state.keys.get(id)?), state.pool.view(*id, now)?))
            }));
        }
        views
    }

    /// The names of the keys that the upstream has locked or does not know. Looks at all keys.
    pub fn lost(&self) -> BTreeSet<String> {
        let is_lost = |word: &str| ["suspended", "invalid"].contains(&word);
        let views = self.views().into_iter();
        views
            .filter(|(_, view)| is_lost(view.word()))
            .map(|(key, _)| key.identifier.clone())
            .collect()
    }

    /// How many keys are in which state.
    pub fn counts(&self) -> Counts {
        let now = self.now();
        self.state.lock().pool.counts(now)
    }

    /// What the upstream has said of a key last, latest first.
    pub fn refusals(&self, id: KeyId, max: usize) -> Vec<RefusedAttempt> {
        self.state.lock().refusals.of_key(id, max)
    }

    /// When the first bucket or credit that rests returns by time.
    pub fn soonest_return(&self) -> Option<Time> {
        self.state.lock().pool.soonest_return()
    }

    /// How many requests wait in line for a key.
    pub fn waiting(&self) -> usize {
        self.state.lock().line.len()
    }

    /// How many leases were taken back because nothing moved under them.
    pub fn leases_taken_back(&self) -> u64 {
        self.state.lock().leases_taken_back
    }

    /// The trouble that many keys share, if there is one.
    pub fn trouble(&self) -> Option<Trouble> {
        self.state.lock().pool.trouble()
    }
}
