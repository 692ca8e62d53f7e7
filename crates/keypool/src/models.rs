//! What is remembered per model: the buckets, who rests for it, and when they return.
//!
//! A caller may name any model, so only a failing verdict makes one known, and the number is bounded: when
//! there is no room, models for which nobody rests are forgotten with their counts.
//!
//! Invariant: a position is in `resting` exactly when the key there draws on a bucket of the model with a
//! rest, its project's or its own. `returns` holds the buckets that return by time, of budgets that could
//! serve otherwise; see [`crate::roster`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::bitmap::Bitmap;
use crate::bucket::Bucket;
use crate::budget::Owner;
use crate::time::Time;

/// Models that are remembered at a time.
pub(crate) const MODELS_MAX: usize = 256;
/// A model with a longer name is never remembered.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Everything about one model.
#[derive(Debug)]
struct Model {
    /// Holds no blank bucket.
    buckets: HashMap<Owner, Bucket>,
    resting: Bitmap,
    returns: BTreeSet<(Time, Owner)>,
}

/// All models that there is something to remember about.
#[derive(Debug, Default)]
pub(crate) struct Models(BTreeMap<Arc<str>, Model>);

impl Models {
    /// The name, shared with the table if the model is known.
    pub(crate) fn name(&self, model: &str) -> Arc<str> {
        self.0.get_key_value(model).map_or_else(|| model.into(), |(name, _)| Arc::clone(name))
    }

    pub(crate) fn bucket(&self, owner: &Owner, model: &str) -> Bucket {
        let bucket = self.0.get(model).and_then(|model| model.buckets.get(owner));
        bucket.copied().unwrap_or_default()
    }

    /// The buckets of one budget, by the model's name.
    pub(crate) fn buckets_of(&self, owner: &Owner) -> Vec<(Arc<str>, Bucket)> {
        self.0
            .iter()
            .filter_map(|(name, model)| Some((Arc::clone(name), *model.buckets.get(owner)?)))
            .collect()
    }

    /// All buckets, by the model's name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Owner, Bucket)> {
        self.0.iter().flat_map(|(name, model)| {
            model.buckets.iter().map(move |(owner, bucket)| (name, owner, *bucket))
        })
    }

    /// Writes a bucket down; false if the model cannot be remembered.
    pub(crate) fn put(
        &mut self,
        owner: &Owner,
        name: &Arc<str>,
        bucket: Bucket,
        blocks: usize,
    ) -> bool {
        if !self.0.contains_key(name) {
            if bucket.is_blank() {
                return true;
            }
            if MODELS_MAX <= self.0.len() || NAME_BYTES_MAX < name.len() {
                return false;
            }
        }
        let model = self.0.entry(Arc::clone(name)).or_insert_with(|| Model {
            buckets: HashMap::new(),
            resting: Bitmap::new(blocks),
            returns: BTreeSet::new(),
        });
        match bucket.is_blank() {
            true => model.buckets.remove(owner),
            false => model.buckets.insert(owner.clone(), bucket),
        };
        true
    }

    /// Forgets a model that there is nothing to remember about.
    pub(crate) fn tidy(&mut self, name: &str) {
        if self.0.get(name).is_some_and(|model| model.buckets.is_empty()) {
            self.0.remove(name);
        }
    }

    /// Forgets all models for which nobody rests, and tells which buckets that were.
    pub(crate) fn forget_idle(&mut self) -> Vec<(Owner, Arc<str>)> {
        let mut forgotten = Vec::new();
        self.0.retain(|name, model| {
            let is_kept = !model.resting.is_empty();
            if !is_kept {
                let owners = model.buckets.drain();
                forgotten.extend(owners.map(|(owner, _)| (owner, Arc::clone(name))));
            }
            is_kept
        });
        forgotten
    }

    /// The positions of the keys that rest for a model.
    pub(crate) fn resting(&self, model: &str) -> Option<&Bitmap> {
        self.0.get(model).map(|model| &model.resting)
    }

    pub(crate) fn set_resting(&mut self, model: &str, position: usize, is_resting: bool) {
        let Some(model) = self.0.get_mut(model) else {
            return;
        };
        match is_resting {
            true => model.resting.insert(position),
            false => model.resting.remove(position),
        };
    }

    /// A key has moved along the tape, or left it.
    pub(crate) fn move_key(&mut self, from: usize, to: Option<usize>) {
        for model in self.0.values_mut() {
            if model.resting.remove(from)
                && let Some(to) = to
            {
                model.resting.insert(to);
            }
        }
    }

    /// The tape was compacted.
    pub(crate) fn relocate(&mut self, blocks: usize, destinations: &[usize]) {
        for model in self.0.values_mut() {
            model.resting = model.resting.relocated(blocks, destinations);
        }
    }

    pub(crate) fn plan_return(&mut self, owner: &Owner, model: &str, at: Time) {
        if let Some(model) = self.0.get_mut(model) {
            model.returns.insert((at, owner.clone()));
        }
    }

    pub(crate) fn cancel_return(&mut self, owner: &Owner, model: &str, at: Time) {
        if let Some(model) = self.0.get_mut(model) {
            model.returns.remove(&(at, owner.clone()));
        }
    }

    /// The planned returns to a model, soonest first.
    pub(crate) fn returns(&self, model: &str) -> impl Iterator<Item = &(Time, Owner)> {
        self.0.get(model).into_iter().flat_map(|model| &model.returns)
    }

    /// The soonest return to any model.
    pub(crate) fn next_return(&self) -> Option<Time> {
        self.0.values().filter_map(|model| Some(model.returns.first()?.0)).min()
    }

    /// The buckets whose return is due.
    pub(crate) fn due(&self, now: Time) -> Vec<(Owner, Arc<str>)> {
        let mut due = Vec::new();
        for (name, model) in &self.0 {
            let returns = model.returns.iter().take_while(|(at, _)| *at <= now);
            due.extend(returns.map(|(_, owner)| (owner.clone(), Arc::clone(name))));
        }
        due
    }
}
