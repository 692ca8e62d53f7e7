//! Who is in the pool, who rests, who may be chosen: the state, and the indexes that make choosing cheap.
//!
//! The roster decides nothing. It keeps, after every step and for the time it was last told:
//! - a key has a rank in the [`Order`] exactly when it is usable and its budget has credit;
//! - a budget is *live* when one of its keys is usable; only live budgets have planned returns: one for
//!   their credit while it is gone, else one for each bucket that returns by time, with its health check;
//! - a bucket of a budget that is not live is looked at when the budget becomes live again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::budget::{NoCredit, Owner, Scope};
use crate::change::{Changes, Subject};
use crate::key::{Key, KeyId};
use crate::models::Models;
use crate::order::{Order, Rank};
use crate::probe::{Schedule, Target};
use crate::time::Time;

/// The keys that carry one label.
#[derive(Debug, Default)]
struct Project {
    members: BTreeSet<KeyId>,
    usable: usize,
}

/// Keys, budgets and their indexes.
#[derive(Debug)]
pub(crate) struct Roster {
    keys: HashMap<KeyId, Key>,
    /// Holds no project without members.
    projects: HashMap<Arc<str>, Project>,
    credits: HashMap<Owner, NoCredit>,
    models: Models,
    order: Order,
    /// When live budgets get their credit back.
    credit_returns: BTreeSet<(Time, Owner)>,
    schedule: Schedule,
    changes: Changes,
    usable: usize,
    now: Time,
    /// Nothing returns before this time; it may be too early, never too late.
    quiet_until: Time,
}

impl Roster {
    pub(crate) fn new() -> Self {
        Self {
            keys: HashMap::new(),
            projects: HashMap::new(),
            credits: HashMap::new(),
            models: Models::default(),
            order: Order::new(),
            credit_returns: BTreeSet::new(),
            schedule: Schedule::default(),
            changes: Changes::default(),
            usable: 0,
            now: Time::default(),
            quiet_until: Time::default(),
        }
    }

    /// The latest time the roster was told.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn keys(&self) -> &HashMap<KeyId, Key> {
        &self.keys
    }

    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    pub(crate) fn credits(&self) -> &HashMap<Owner, NoCredit> {
        &self.credits
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) fn changes_mut(&mut self) -> &mut Changes {
        &mut self.changes
    }

    /// The owner that a scope names, and whether the budget of that owner is drawn on: a key with a project
    /// owns no more than what it was denied. Nothing if no such key or project is there.
    pub(crate) fn find_owner(&self, scope: &Scope) -> Option<(Owner, bool)> {
        match scope {
            Scope::Key(id) => {
                let key = self.keys.get(id)?;
                Some((Owner::Key(*id), key.project.is_none()))
            }
            Scope::Project(label) => {
                let (label, _) = self.projects.get_key_value(label.as_str())?;
                Some((Owner::Project(Arc::clone(label)), true))
            }
        }
    }

    /// Whose budget a key draws on.
    pub(crate) fn owner(&self, id: KeyId) -> Option<Owner> {
        self.keys.get(&id).map(|key| key.owner(id))
    }

    /// Keys that are let in by upstream and admin.
    pub(crate) fn usable(&self) -> usize {
        self.usable
    }

    /// What a budget remembers of a model.
    pub(crate) fn bucket(&self, owner: &Owner, model: &str) -> Bucket {
        self.models.bucket(owner, model).settled(self.now)
    }

    /// What a budget remembers of its credit.
    pub(crate) fn credit(&self, owner: &Owner) -> Option<NoCredit> {
        self.credits.get(owner).copied()
    }

    /// Whether a budget is known to lack credit.
    pub(crate) fn is_broke(&self, owner: &Owner) -> bool {
        self.credits.get(owner).is_some_and(|credit| self.now < credit.until)
    }

    /// The keys in the order in which they are chosen.
    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    /// When live budgets get their credit back, soonest first.
    pub(crate) fn credit_returns(&self) -> &BTreeSet<(Time, Owner)> {
        &self.credit_returns
    }

    /// When something returns next.
    pub(crate) fn next_return(&self) -> Option<Time> {
        let credit = self.credit_returns.first().map(|(at, _)| *at);
        [credit, self.models.next_return()].into_iter().flatten().min()
    }

    /// Lets time pass: what is due serves again. Tells the latest time known.
    pub(crate) fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        if self.now < self.quiet_until {
            return self.now;
        }
        while let Some((at, owner)) = self.credit_returns.first().cloned()
            && at <= self.now
        {
            self.credit_returns.pop_first();
            self.plan_returns(&owner);
            self.rank_members(&owner);
        }
        for (owner, model) in self.models.due(self.now) {
            let bucket = self.models.bucket(&owner, &model);
            self.write_bucket(&owner, &model, bucket);
        }
        self.quiet_until = self.next_return().unwrap_or(Time::from_millis(u64::MAX));
        self.now
    }

    /// Puts a key that is not there yet at the end of the tape, switched off and without a project.
    pub(crate) fn insert(&mut self, id: KeyId) {
        self.make_room();
        let position = self.order.push(id);
        self.keys.insert(id, Key::new(position, self.now));
    }

    /// Takes a key out, with everything only it has known.
    pub(crate) fn remove(&mut self, id: KeyId) -> bool {
        if !self.keys.contains_key(&id) {
            return false;
        }
        self.change(id, |key| key.is_enabled = false);
        self.leave(id);
        self.forget(&Owner::Key(id));
        if let Some(key) = self.keys.remove(&id) {
            self.models.move_key(key.position, None);
            self.order.vacate(key.position, key.rank);
        }
        true
    }

    /// Moves a key to the budget of another project, or to its own. The budget it leaves behind is forgotten
    /// with its last key; what the key alone was denied it takes along.
    pub(crate) fn assign(&mut self, id: KeyId, project: Option<&str>) {
        let project = project.filter(|label| !label.is_empty());
        let Some(key) = self.keys.get(&id) else {
            return;
        };
        if key.project.as_deref() == project {
            return;
        }
        let (is_enabled, position) = (key.is_enabled, key.position);
        self.change(id, |key| key.is_enabled = false);
        self.leave(id);
        if let Some(label) = project {
            let known = self.projects.get_key_value(label);
            let label: Arc<str> =
                known.map_or_else(|| label.into(), |(known, _)| Arc::clone(known));
            self.projects.entry(Arc::clone(&label)).or_default().members.insert(id);
            if let Some(key) = self.keys.get_mut(&id) {
                key.project = Some(label);
            }
        }
        self.models.move_key(position, None);
        for owner in [self.owner(id), Some(Owner::Key(id))].into_iter().flatten() {
            for (model, bucket) in self.models.buckets_of(&owner) {
                if bucket.has_rest() {
                    self.models.set_resting(&model, position, true);
                }
            }
        }
        self.change(id, |key| key.is_enabled = is_enabled);
    }

    /// Changes what a key says about itself, but for its project.
    pub(crate) fn change(&mut self, id: KeyId, change: impl FnOnce(&mut Key)) {
        let Some(key) = self.keys.get_mut(&id) else {
            return;
        };
        let (was_usable, was_due) = (key.is_usable(), key.probe_at());
        change(key);
        let (is_usable, is_due) = (key.is_usable(), key.probe_at());
        if was_due != is_due {
            if let Some(at) = was_due {
                self.schedule.cancel(at, Target::Key(id));
            }
            if let Some(at) = is_due {
                self.schedule.plan(at, Target::Key(id));
            }
        }
        if was_usable != is_usable {
            self.count_usable(id, is_usable);
        }
        self.rank(id);
    }

    /// Counts a lease and lays the key at the end of the tape.
    pub(crate) fn lend(&mut self, id: KeyId) {
        self.make_room();
        let Some(key) = self.keys.get_mut(&id) else {
            return;
        };
        let position = self.order.push(id);
        self.order.vacate(key.position, key.rank.take());
        self.models.move_key(key.position, Some(position));
        key.position = position;
        key.leases += 1;
        key.last_used = Some(self.now);
        self.rank(id);
    }

    /// Takes a lease off the count.
    pub(crate) fn give_back(&mut self, id: KeyId) {
        if let Some(key) = self.keys.get_mut(&id) {
            key.leases = key.leases.saturating_sub(1);
        }
        self.rank(id);
    }

    /// Writes down what has come to be known of a budget's credit.
    pub(crate) fn set_credit(&mut self, owner: &Owner, credit: Option<NoCredit>) {
        if self.credits.get(owner).copied() != credit {
            self.write_credit(owner, credit);
            self.changes.mark(Subject::Credit(owner.clone()));
        }
    }

    /// Writes down how a bucket has changed. If there are too many models, those for which nobody rests are
    /// forgotten; if that does not help, this one is.
    pub(crate) fn set_bucket(&mut self, owner: &Owner, model: &Arc<str>, bucket: Bucket) {
        if self.models.bucket(owner, model) == bucket {
            return;
        }
        if !self.write_bucket(owner, model, bucket) {
            for (owner, model) in self.models.forget_idle() {
                self.changes.mark(Subject::Bucket(owner, model));
            }
            if !self.write_bucket(owner, model, bucket) {
                return;
            }
        }
        self.changes.mark(Subject::Bucket(owner.clone(), Arc::clone(model)));
    }

    /// Forgets everything about a budget.
    pub(crate) fn forget(&mut self, owner: &Owner) {
        self.set_credit(owner, None);
        for (model, _) in self.models.buckets_of(owner) {
            self.set_bucket(owner, &model, Bucket::default());
        }
    }

    /// The keys that draw on a budget; for the own scope of a key with a project, that key.
    pub(crate) fn members(&self, owner: &Owner) -> Vec<KeyId> {
        match owner {
            Owner::Key(id) => vec![*id],
            Owner::Project(label) => self
                .projects
                .get(label)
                .map(|project| project.members.iter().copied().collect())
                .unwrap_or_default(),
        }
    }

    fn is_live(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Key(id) => {
                self.keys.get(id).is_some_and(|key| key.project.is_none() && key.is_usable())
            }
            Owner::Project(label) => {
                self.projects.get(label).is_some_and(|project| 0 < project.usable)
            }
        }
    }

    /// A key has become usable, or ceased to be; with the first or last of a budget the budget does so too.
    fn count_usable(&mut self, id: KeyId, is_usable: bool) {
        let Some(owner) = self.owner(id) else { return };
        let by = if is_usable { 1 } else { -1 };
        self.usable = self.usable.saturating_add_signed(by);
        if let Owner::Project(label) = &owner
            && let Some(project) = self.projects.get_mut(label)
        {
            let others = project.usable.min(project.usable.saturating_add_signed(by));
            project.usable = project.usable.saturating_add_signed(by);
            if 0 < others {
                return;
            }
        }
        match is_usable {
            true => self.plan_returns(&owner),
            false => self.cancel_returns(&owner),
        }
    }

    /// Takes a key out of its budget. Without its last key a budget is forgotten, denials of the key aside.
    fn leave(&mut self, id: KeyId) {
        let Some(key) = self.keys.get_mut(&id) else {
            return;
        };
        let Some(label) = key.project.take() else {
            let owner = Owner::Key(id);
            self.set_credit(&owner, None);
            for (model, bucket) in self.models.buckets_of(&owner) {
                let denial = Bucket::default().denied();
                let kept = if bucket.is_denied() { denial } else { Bucket::default() };
                self.set_bucket(&owner, &model, kept);
            }
            return;
        };
        let Some(project) = self.projects.get_mut(&label) else {
            return;
        };
        project.members.remove(&id);
        if project.members.is_empty() {
            self.projects.remove(&label);
            self.forget(&Owner::Project(label));
        }
    }

    /// Writes a bucket down with all that follows from it; false if its model cannot be remembered.
    pub(crate) fn write_bucket(&mut self, owner: &Owner, model: &Arc<str>, bucket: Bucket) -> bool {
        let before = self.models.bucket(owner, model);
        let after = bucket.settled(self.now);
        self.cancel_return(owner, model, before);
        if !self.models.put(owner, model, after, self.order.blocks()) {
            return false;
        }
        if before.has_rest() != after.has_rest() {
            for id in self.members(owner) {
                self.mask(id, model);
            }
        }
        if self.is_live(owner) && !self.is_broke(owner) {
            self.plan_return(owner, model, after);
        }
        self.models.tidy(model);
        true
    }

    /// Writes down what is known of a budget's credit, with all that follows from it.
    pub(crate) fn write_credit(&mut self, owner: &Owner, credit: Option<NoCredit>) {
        self.cancel_returns(owner);
        match credit {
            Some(credit) => self.credits.insert(owner.clone(), credit),
            None => self.credits.remove(owner),
        };
        self.plan_returns(owner);
        self.rank_members(owner);
    }

    /// Plans what a budget waits for, if it is live; what is over by then serves at once.
    fn plan_returns(&mut self, owner: &Owner) {
        if !self.is_live(owner) {
            return;
        }
        if let Some(credit) = self.credits.get(owner).filter(|credit| self.now < credit.until) {
            self.credit_returns.insert((credit.until, owner.clone()));
            self.quiet_until = self.quiet_until.min(credit.until);
            return;
        }
        for (model, bucket) in self.models.buckets_of(owner) {
            self.write_bucket(owner, &model, bucket);
        }
    }

    fn plan_return(&mut self, owner: &Owner, model: &Arc<str>, bucket: Bucket) {
        let Some(at) = bucket.returns_at() else {
            return;
        };
        self.models.plan_return(owner, model, at);
        self.quiet_until = self.quiet_until.min(at);
        if let Some(check_at) = bucket.check_at() {
            self.schedule.plan(check_at, Target::Bucket(owner.clone(), Arc::clone(model)));
        }
    }

    fn cancel_returns(&mut self, owner: &Owner) {
        if let Some(credit) = self.credits.get(owner) {
            self.credit_returns.remove(&(credit.until, owner.clone()));
        }
        for (model, bucket) in self.models.buckets_of(owner) {
            self.cancel_return(owner, &model, bucket);
        }
    }

    fn cancel_return(&mut self, owner: &Owner, model: &Arc<str>, bucket: Bucket) {
        if let Some(at) = bucket.returns_at() {
            self.models.cancel_return(owner, model, at);
        }
        if let Some(check_at) = bucket.check_at() {
            self.schedule.cancel(check_at, Target::Bucket(owner.clone(), Arc::clone(model)));
        }
    }

    /// Puts the resting bit of a key for a model right.
    fn mask(&mut self, id: KeyId, model: &str) {
        let Some(key) = self.keys.get(&id) else {
            return;
        };
        let owners = [key.owner(id), Owner::Key(id)];
        let is_resting = owners.iter().any(|owner| self.models.bucket(owner, model).has_rest());
        self.models.set_resting(model, key.position, is_resting);
    }

    /// Puts the rank of a key right.
    fn rank(&mut self, id: KeyId) {
        let Some(owner) = self.owner(id) else { return };
        let has_credit = !self.is_broke(&owner);
        let Some(key) = self.keys.get_mut(&id) else {
            return;
        };
        let rank = (has_credit && key.is_usable()).then_some(Rank {
            tier: key.tier,
            leases: key.leases,
            is_used: key.last_used.is_some(),
        });
        if key.rank != rank {
            self.order.shift(key.position, key.rank, rank);
            key.rank = rank;
        }
    }

    fn rank_members(&mut self, owner: &Owner) {
        for id in self.members(owner) {
            self.rank(id);
        }
    }

    /// Compacts the tape if nothing more fits on it.
    fn make_room(&mut self) {
        if !self.order.is_full() {
            return;
        }
        let relocation = self.order.compact();
        self.models.relocate(relocation.blocks, &relocation.destinations);
        for key in self.keys.values_mut() {
            if let Some(destination) = relocation.destinations.get(key.position) {
                key.position = *destination;
            }
        }
    }
}
