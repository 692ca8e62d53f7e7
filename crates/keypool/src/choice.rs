//! Who serves a model; and if nobody does, why, and until when.
//!
//! A key is *usable* when the upstream and the admin let it in. A usable key is *ready* for a model when its
//! budget has credit and neither the budget's bucket nor the key itself rests for the model. A ready key is
//! given if it has a free slot and was not tried. Everything here only looks.

use crate::bucket::Bucket;
use crate::budget::Owner;
use crate::key::{Key, KeyId, Kin};
use crate::order::Rank;
use crate::policy::Policy;
use crate::roster::Roster;
use crate::time::Time;

/// Why no key was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no key, or every key is disabled, invalid or suspended.
    NoUsableKey,
    /// There are usable keys, and every one rests for this model.
    Resting {
        /// When the first of them returns, tried or not.
        until: Time,
    },
    /// There are usable keys, but none may use this model until an admin resets it.
    NotEntitled,
    /// A key that was not tried lacks only a free slot.
    Busy {
        /// When the first resting key that was not tried returns.
        until: Option<Time>,
    },
    /// The keys that could serve were all tried by this request.
    Exhausted {
        /// When the first resting key that was not tried returns.
        until: Option<Time>,
    },
}

/// The best key for a model that was not tried.
pub(crate) fn best(
    roster: &Roster,
    policy: &Policy,
    model: &str,
    tried: &[KeyId],
) -> Result<KeyId, Refusal> {
    let ready = |is_wanted: &dyn Fn(Rank) -> bool| {
        let resting = roster.models().resting(model);
        roster.order().first(is_wanted, resting, |id| !tried.contains(&id))
    };
    if let Some(id) = ready(&|rank| policy.has_free_slot(rank.leases)) {
        return Ok(id);
    }
    if roster.usable() == 0 {
        return Err(Refusal::NoUsableKey);
    }
    if ready(&|rank| !policy.has_free_slot(rank.leases)).is_some() {
        return Err(Refusal::Busy { until: soonest_return(roster, model, tried) });
    }
    if tried.iter().any(|id| is_ready(roster, *id, model)) {
        return Err(Refusal::Exhausted { until: soonest_return(roster, model, tried) });
    }
    match soonest_return(roster, model, &[]) {
        Some(until) => Err(Refusal::Resting { until }),
        None => Err(Refusal::NotEntitled),
    }
}

/// That key, if it may serve the model now.
pub(crate) fn particular(
    roster: &Roster,
    policy: &Policy,
    id: KeyId,
    model: &str,
) -> Result<(), Refusal> {
    let key = roster.keys().get(&id).filter(|key| key.is_usable());
    let Some(key) = key else {
        return Err(Refusal::NoUsableKey);
    };
    if !is_ready(roster, id, model) {
        let until = return_of(roster, id, &key.owner(id), model);
        return Err(until.map_or(Refusal::NotEntitled, |until| Refusal::Resting { until }));
    }
    match policy.has_free_slot(key.leases) {
        true => Ok(()),
        false => Err(Refusal::Busy { until: None }),
    }
}

/// The best key for a model, that was not tried, among those that see what one of them has made.
pub(crate) fn kindred(
    roster: &Roster,
    policy: &Policy,
    kin: &Kin,
    model: &str,
    tried: &[KeyId],
) -> Result<KeyId, Refusal> {
    let members = usable_kin(roster, kin);
    let is_ready = |id: &KeyId| is_ready(roster, *id, model);
    let has_free_slot =
        |id: &KeyId| roster.keys().get(id).is_some_and(|key| policy.has_free_slot(key.leases));
    let ready = || members.iter().filter(|id| is_ready(id));
    let rank = |id: &&KeyId| {
        roster.keys().get(*id).map(|key| (key.tier, key.leases, key.last_used, key.position))
    };
    let free = ready().filter(|id| !tried.contains(id) && has_free_slot(id));
    if let Some(id) = free.min_by_key(rank) {
        return Ok(*id);
    }
    if members.is_empty() {
        return Err(Refusal::NoUsableKey);
    }
    if ready().any(|id| !tried.contains(id)) {
        return Err(Refusal::Busy { until: kin_return(roster, kin, model, tried) });
    }
    if ready().next().is_some() {
        return Err(Refusal::Exhausted { until: kin_return(roster, kin, model, tried) });
    }
    match kin_return(roster, kin, model, &[]) {
        Some(until) => Err(Refusal::Resting { until }),
        None => Err(Refusal::NotEntitled),
    }
}

/// When the first usable key of a kin that was not tried returns to a model.
pub(crate) fn kin_return(roster: &Roster, kin: &Kin, model: &str, tried: &[KeyId]) -> Option<Time> {
    let resting = usable_kin(roster, kin)
        .into_iter()
        .filter(|id| !tried.contains(id) && !is_ready(roster, *id, model));
    resting.filter_map(|id| return_of(roster, id, &roster.owner(id)?, model)).min()
}

fn usable_kin(roster: &Roster, kin: &Kin) -> Vec<KeyId> {
    let label = || Some(Owner::Project(kin.project.clone()?));
    let Some(owner) = roster.owner(kin.key).or_else(label) else { return Vec::new() };
    let mut members = roster.members(&owner);
    members.retain(|id| roster.keys().get(id).is_some_and(Key::is_usable));
    members
}

/// A usable key of a budget that may use the model.
pub(crate) fn usable_member(roster: &Roster, owner: &Owner, model: &str) -> Option<KeyId> {
    roster.members(owner).into_iter().find(|id| {
        let is_usable = roster.keys().get(id).is_some_and(Key::is_usable);
        is_usable && !is_denied(roster, *id, model)
    })
}

fn is_ready(roster: &Roster, id: KeyId, model: &str) -> bool {
    let resting = roster.models().resting(model);
    roster.keys().get(&id).is_some_and(|key| {
        key.rank.is_some() && !resting.is_some_and(|resting| resting.contains(key.position))
    })
}

/// When the first usable key that was not tried returns to a model.
pub(crate) fn soonest_return(roster: &Roster, model: &str, tried: &[KeyId]) -> Option<Time> {
    let returning = |owner: &Owner| {
        roster.members(owner).into_iter().find_map(|id| {
            let is_usable = roster.keys().get(&id).is_some_and(Key::is_usable);
            let is_wanted = is_usable && !tried.contains(&id);
            is_wanted.then(|| return_of(roster, id, owner, model)).flatten()
        })
    };
    let mut soonest = roster.models().returns(model).find_map(|(_, owner)| returning(owner));
    for (until, owner) in roster.credit_returns() {
        // Nobody returns before the credit is back, so nothing sooner follows.
        if soonest.is_some_and(|soonest| soonest <= *until) {
            break;
        }
        soonest = [soonest, returning(owner)].into_iter().flatten().min();
    }
    soonest
}

/// When a key that is not ready for a model returns to it by time: when its credit is back and its bucket's
/// rest is over.
fn return_of(roster: &Roster, id: KeyId, owner: &Owner, model: &str) -> Option<Time> {
    let bucket: Bucket = roster.bucket(owner, model);
    let has_end = !bucket.has_rest() || bucket.returns_at().is_some();
    if !has_end || is_denied(roster, id, model) {
        return None;
    }
    bucket.returns_at().max(roster.credit(owner).map(|credit| credit.until))
}

fn is_denied(roster: &Roster, id: KeyId, model: &str) -> bool {
    roster.bucket(&Owner::Key(id), model).is_denied()
}
