//! The pool: what it is told, and what it decides.
//!
//! Every call that brings a time first lets that time pass, so no answer depends on when [`Pool::tick`] was
//! called last; a time earlier than one already told counts as that one.

use std::sync::Arc;

use crate::bucket::Bucket;
use crate::budget::{BucketState, BudgetRecord, NoCredit, Owner};
use crate::change::{self, Change, Subject};
use crate::choice::{self, Refusal};
use crate::key::{Key, KeyId, KeyRecord, Kin, ProbePlan, Standing};
use crate::lease::{Lease, LeaseId, Leases};
use crate::policy::{self, Policy};
use crate::probe::{Probe, ProbeOutcome, ProbePurpose, Target};
use crate::random::Random;
use crate::retry_budget::RetryBudget;
use crate::roster::Roster;
use crate::time::Time;
use crate::trouble::{Step, Trouble, Turn, Watch};
use crate::verdict::Verdict;
use crate::view::{self, Counts, KeyView};

/// All service keys and what is known about them.
#[derive(Debug)]
pub struct Pool {
    policy: Policy,
    random: Random,
    roster: Roster,
    leases: Leases,
    watch: Watch,
    retry_budget: RetryBudget,
}

impl Pool {
    /// An empty pool. The seed decides the jitter of all waits.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            random: Random::new(seed),
            roster: Roster::new(),
            leases: Leases::default(),
            watch: Watch::default(),
            retry_budget: RetryBudget::new(),
        }
    }

    /// Replaces the policy for everything that happens from here on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Adds a key behind all that were never used. A key that is there already gets the record's settings and
    /// keeps its leases and its last use.
    pub fn add(&mut self, record: KeyRecord, now: Time) {
        let now = self.advance(now);
        let KeyRecord { id, project, tier, is_enabled, standing, since, reason, probe } = record;
        let plan = probe.unwrap_or_else(|| self.first_probe(now));
        if !self.roster.keys().contains_key(&id) {
            self.roster.insert(id);
        }
        self.roster.change(id, |key| {
            match standing {
                Standing::Active => key.restore(since),
                Standing::Invalid | Standing::Suspended => {
                    key.lapse(standing, &reason, since, plan);
                }
            }
            key.since = since;
            key.tier = tier;
            key.is_enabled = is_enabled;
        });
        self.roster.assign(id, project.as_deref());
    }

    /// Restores what the store remembers of a budget; false if no key in the pool draws on it, so keys come
    /// first. For a key with a project only the models it was denied are restored.
    pub fn restore_budget(&mut self, record: BudgetRecord, now: Time) -> bool {
        let now = self.advance(now);
        let Some((owner, is_drawn_on)) = self.roster.find_owner(&record.scope) else {
            return false;
        };
        if is_drawn_on {
            self.roster.write_credit(&owner, record.no_credit);
        }
        for bucket in record.buckets {
            let model = self.roster.models().name(&bucket.model);
            let bucket = Bucket::from_record(&bucket, &self.policy, now);
            if is_drawn_on || bucket.is_denied() {
                self.roster.write_bucket(&owner, &model, bucket);
            }
        }
        true
    }

    /// Removes a key; whatever its leases bring back later has no effect. False if there is no such key.
    pub fn remove(&mut self, id: KeyId) -> bool {
        self.leases.drop_key(id);
        self.watch.forget(id);
        self.roster.remove(id)
    }

    /// Gives a key a project (or none) and a tier; false if there is no such key. The key leaves its budget
    /// behind, and keeps its place in the order.
    pub fn assign(&mut self, id: KeyId, project: Option<&str>, tier: u8, now: Time) -> bool {
        self.advance(now);
        self.roster.assign(id, project);
        self.command(id, now, |key| key.tier = tier)
    }

    /// Switches a key on; false if there is no such key.
    pub fn enable(&mut self, id: KeyId, now: Time) -> bool {
        self.command(id, now, |key| key.is_enabled = true)
    }

    /// Switches a key off; leases that are out go on. False if there is no such key.
    pub fn disable(&mut self, id: KeyId, now: Time) -> bool {
        self.command(id, now, |key| key.is_enabled = false)
    }

    /// Forgets all that speaks against a key, be it its own or its budget's; a key that is switched off stays
    /// so. False if there is no such key.
    pub fn reset(&mut self, id: KeyId, now: Time) -> bool {
        let now = self.advance(now);
        let Some(owner) = self.roster.owner(id) else {
            return false;
        };
        self.roster.forget(&owner);
        self.roster.forget(&Owner::Key(id));
        self.command(id, now, |key| key.restore(now))
    }

    /// Lends the best key for a model that was not tried: of the lowest tier, then with the fewest leases out,
    /// then the one whose last use is longest ago, the never used before all others in the order they came.
    ///
    /// # Errors
    /// Says why there is none; see [`Refusal`].
    pub fn lease(&mut self, model: &str, tried: &[KeyId], now: Time) -> Result<LeaseId, Refusal> {
        let now = self.advance(now);
        let id = choice::best(&self.roster, &self.policy, model, tried)?;
        Ok(self.lend(id, model, now))
    }

    /// When the first key may return that may serve the model and was not tried; nothing if time alone brings
    /// none back. A key that must pass a health check first may return as soon as its rest is over.
    pub fn next_return(&mut self, model: &str, tried: &[KeyId], now: Time) -> Option<Time> {
        self.advance(now);
        let at = choice::soonest_return(&self.roster, model, tried)?;
        Some(Time::from_millis(at.as_millis().saturating_sub(self.policy.proving_ms_max())))
    }

    /// Lends one particular key, under the same conditions.
    ///
    /// # Errors
    /// Says why it cannot be had; a missing key is no usable key, and `Busy` has no time.
    pub fn lease_key(&mut self, id: KeyId, model: &str, now: Time) -> Result<LeaseId, Refusal> {
        let now = self.advance(now);
        choice::particular(&self.roster, &self.policy, id, model)?;
        Ok(self.lend(id, model, now))
    }

    /// Lends the best key for a model that was not tried, of one kin alone; see [`Pool::lease`]. It costs a step
    /// per key of the project.
    ///
    /// # Errors
    /// As for any lease, with the times of this kin; without a usable key in it there is none.
    pub fn lease_kin(
        &mut self,
        kin: &Kin,
        model: &str,
        tried: &[KeyId],
        now: Time,
    ) -> Result<LeaseId, Refusal> {
        let now = self.advance(now);
        let id = choice::kindred(&self.roster, &self.policy, kin, model, tried)?;
        Ok(self.lend(id, model, now))
    }

    /// As [`Pool::next_return`], of one kin alone.
    pub fn next_return_of_kin(
        &mut self,
        kin: &Kin,
        model: &str,
        tried: &[KeyId],
        now: Time,
    ) -> Option<Time> {
        self.advance(now);
        let at = choice::kin_return(&self.roster, kin, model, tried)?;
        Some(Time::from_millis(at.as_millis().saturating_sub(self.policy.proving_ms_max())))
    }

    /// The kin of a key that is there.
    pub fn kin(&self, id: KeyId) -> Option<Kin> {
        let project = self.roster.keys().get(&id)?.project.clone();
        Some(Kin { key: id, project })
    }

    /// Ends a lease with what it has taught, in the upstream's words; false if it had ended before, and then
    /// nothing happens.
    pub fn settle(&mut self, lease: LeaseId, verdict: Verdict, reason: &str, now: Time) -> bool {
        let now = self.advance(now);
        let Some(lease) = self.leases.close(lease) else {
            return false;
        };
        self.roster.give_back(lease.key);
        if let Some(symptom) = verdict.symptom() {
            self.watch.note(lease.key, symptom, now);
            let turn = self.watch.judge(self.policy.health_check_interval_ms, now);
            self.take_turn(turn);
        }
        let is_common = verdict.suspicion().is_some() && self.watch.trouble().is_some();
        if !is_common {
            self.learn(&lease, verdict, reason, now);
        }
        true
    }

    /// The model for which a key is lent; nothing if the lease has ended.
    pub fn leased_model(&self, lease: LeaseId) -> Option<&Arc<str>> {
        self.leases.model(lease)
    }

    /// Leases that were not renewed for too long. Only the holder knows whether bytes still move: it renews
    /// the living and takes back the dead.
    pub fn overdue(&self, now: Time) -> Vec<LeaseId> {
        self.leases.overdue(self.policy.lease_idle_ms_max, now)
    }

    /// Says that a lease is alive.
    pub fn renew(&mut self, lease: LeaseId, now: Time) {
        self.leases.touch(lease, now);
    }

    /// Takes a stuck lease from its holder; false if it had ended before.
    pub fn take_back(&mut self, lease: LeaseId, now: Time) -> bool {
        self.advance(now);
        let Some(closed) = self.leases.close(lease) else {
            return false;
        };
        self.roster.give_back(closed.key);
        self.roster.changes_mut().tell(Change::LeaseTakenBack(lease));
        true
    }

    /// Gives back into service what time has freed, and ends a trouble that is over.
    pub fn tick(&mut self, now: Time) {
        self.advance(now);
    }

    /// When [`Pool::tick`] or [`Pool::probes_due`] has something to do next. A time that has come stays the
    /// answer until both were called.
    pub fn next_deadline(&self) -> Option<Time> {
        let check = match self.watch.trouble() {
            Some(_) => self.watch.next_deadline(),
            None => self.roster.schedule().next(),
        };
        [check, self.roster.next_return()].into_iter().flatten().min()
    }

    /// Whether there is anything for [`Pool::take_changes`] to take.
    pub fn has_changes(&self) -> bool {
        !self.roster.changes().is_empty()
    }

    /// Takes what has changed since the last call; see [`Change`] for what that may leave out.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let pending = self.roster.changes_mut().take();
        pending.into_iter().filter_map(|pending| change::told(&self.roster, pending)).collect()
    }

    /// The probes to make now, at most `max`. During trouble that is one with any key per health check
    /// interval, and all others wait.
    pub fn probes_due(&mut self, now: Time, max: usize) -> Vec<Probe> {
        let now = self.advance(now);
        let mut probes = Vec::new();
        if self.watch.trouble().is_some() {
            let interval_ms = self.policy.health_check_interval_ms;
            if 0 < max && self.watch.is_probe_due(interval_ms, now) {
                let key = self.roster.order().first(|_| true, None, |_| true);
                let purpose = ProbePurpose::Trouble;
                probes.extend(key.map(|key| Probe { key, model: None, purpose }));
            }
            return probes;
        }
        while probes.len() < max
            && let Some(target) = self.roster.schedule().due(now)
        {
            probes.extend(match target {
                Target::Key(id) => self.probe_key(id, now),
                Target::Bucket(owner, model) => self.probe_bucket(&owner, &model, now),
            });
        }
        probes
    }

    /// Ends a probe. Served, it brings back what it was about; failed, it changes nothing.
    pub fn settle_probe(&mut self, probe: &Probe, outcome: ProbeOutcome, now: Time) {
        let now = self.advance(now);
        match (outcome, probe.purpose) {
            (ProbeOutcome::Failed, _) => {}
            (ProbeOutcome::Served, ProbePurpose::Trouble) => {
                let turn = self.watch.clear();
                self.take_turn(turn);
            }
            (ProbeOutcome::Served, ProbePurpose::Standing) => {
                self.command(probe.key, now, |key| key.restore(now));
            }
            (ProbeOutcome::Served, ProbePurpose::Cooled) => self.prove(probe, now),
        }
    }

    /// Counts a request of a caller towards the retries the pool may make.
    pub fn count_request(&mut self, now: Time) {
        self.retry_budget.count_request(now);
    }

    /// Whether a request may make one more try after a fault of the upstream. While many keys fail alike this
    /// takes one retry from the pool's budget; a sick key among healthy ones costs the callers of others nothing.
    pub fn may_retry(&mut self, now: Time) -> bool {
        self.watch.trouble().is_none() || self.retry_budget.take(now)
    }

    /// One key as people see it.
    pub fn view(&self, id: KeyId, now: Time) -> Option<KeyView> {
        view::of_key(&self.roster, id, now)
    }

    /// All keys as people see them, by id.
    pub fn views(&self, now: Time) -> Vec<KeyView> {
        view::of_keys(&self.roster, now)
    }

    /// Every budget that there is something to remember about, by its scope.
    pub fn budgets(&self, now: Time) -> Vec<BudgetRecord> {
        view::of_budgets(&self.roster, now)
    }

    /// How many keys are in which state.
    pub fn counts(&self, now: Time) -> Counts {
        Counts { leases: self.leases.len(), ..view::count(&self.roster, now) }
    }

    /// When the first bucket or credit that rests returns by time; nothing if none does. Only those of usable
    /// keys count.
    pub fn soonest_return(&self) -> Option<Time> {
        self.roster.next_return()
    }

    /// The common trouble in force as of the last call that brought a time.
    pub fn trouble(&self) -> Option<Trouble> {
        self.watch.trouble()
    }

    fn advance(&mut self, now: Time) -> Time {
        let now = self.roster.advance(now);
        let turn = self.watch.expire(now);
        self.take_turn(turn);
        now
    }

    /// Carries out what an admin or a probe has decided about a key.
    fn command(&mut self, id: KeyId, now: Time, change: impl FnOnce(&mut Key)) -> bool {
        self.advance(now);
        if !self.roster.keys().contains_key(&id) {
            return false;
        }
        self.roster.change(id, change);
        self.roster.changes_mut().mark(Subject::Key(id));
        true
    }

    fn lend(&mut self, id: KeyId, model: &str, now: Time) -> LeaseId {
        self.roster.lend(id);
        self.leases.open(id, self.roster.models().name(model), now)
    }

    /// Applies a verdict to the scope it is about.
    fn learn(&mut self, lease: &Lease, verdict: Verdict, reason: &str, now: Time) {
        let Some(owner) = self.roster.owner(lease.key) else {
            return;
        };
        let before = self.roster.bucket(&owner, &lease.model);
        let after = match verdict {
            Verdict::Blameless | Verdict::Unreached => before,
            Verdict::Healthy => {
                self.trust_credit(&owner, now);
                before.healed()
            }
            Verdict::Faulty => before.after_fault(&self.policy, &mut self.random, now),
            Verdict::RateLimited => before.after_rate_limit(&self.policy, &mut self.random, now),
            Verdict::Cooling { wait_ms } => before.after_stated_wait(wait_ms, &self.policy, now),
            Verdict::ExhaustedUntil { until } => before.after_exhaustion(until),
            Verdict::NotEntitled => before.after_zero_quota(),
            Verdict::ModelDenied => return self.deny(lease),
            Verdict::NoCredit => return self.doubt_credit(&owner, now),
            Verdict::Invalid => return self.turn_away(lease.key, Standing::Invalid, reason, now),
            Verdict::Suspended => {
                return self.turn_away(lease.key, Standing::Suspended, reason, now);
            }
        };
        let after = after.settled(now);
        self.roster.set_bucket(&owner, &lease.model, after);
        if let Some(kind) = verdict.suspicion() {
            let model = Arc::clone(&lease.model);
            self.watch.remember(Step { at: now, kind, owner, model, before, after });
        }
    }

    fn deny(&mut self, lease: &Lease) {
        let own = Owner::Key(lease.key);
        let denied = self.roster.bucket(&own, &lease.model).denied();
        self.roster.set_bucket(&own, &lease.model, denied);
    }

    /// The credit of a budget is gone. Attempts that were under way do not count again.
    fn doubt_credit(&mut self, owner: &Owner, now: Time) {
        if self.roster.is_broke(owner) {
            return;
        }
        let before = self.roster.credit(owner).map_or(0, |credit| credit.level);
        let level = before.saturating_add(1);
        let until = now.plus_millis(policy::no_credit_wait_ms(level, &mut self.random));
        self.roster.set_credit(owner, Some(NoCredit { until, level }));
    }

    /// Content came, so the next refusal for lack of credit is a first one; a rest in force keeps its end.
    fn trust_credit(&mut self, owner: &Owner, now: Time) {
        let in_force = self.roster.credit(owner).filter(|credit| now < credit.until);
        self.roster.set_credit(owner, in_force.map(|credit| NoCredit { level: 0, ..credit }));
    }

    /// The upstream does not let a key in. Hearing the same again changes nothing.
    fn turn_away(&mut self, id: KeyId, standing: Standing, reason: &str, now: Time) {
        if self.roster.keys().get(&id).is_some_and(|key| key.standing == standing) {
            return;
        }
        let plan = self.first_probe(now);
        self.roster.change(id, |key| key.lapse(standing, reason, now, plan));
        self.roster.changes_mut().mark(Subject::Key(id));
    }

    fn first_probe(&mut self, now: Time) -> ProbePlan {
        ProbePlan { at: now.plus_millis(policy::probe_wait_ms(1, &mut self.random)), turn: 1 }
    }

    /// Hands out the probe of a key that was turned away and plans the next one.
    fn probe_key(&mut self, id: KeyId, now: Time) -> Option<Probe> {
        let turn = self.roster.keys().get(&id)?.probe?.turn.saturating_add(1);
        let at = now.plus_millis(policy::probe_wait_ms(turn, &mut self.random));
        self.roster.change(id, |key| key.probe = Some(ProbePlan { at, turn }));
        self.roster.changes_mut().mark(Subject::Key(id));
        Some(Probe { key: id, model: None, purpose: ProbePurpose::Standing })
    }

    /// Hands out the health check of a cooled bucket and plans the next one.
    fn probe_bucket(&mut self, owner: &Owner, model: &Arc<str>, now: Time) -> Option<Probe> {
        let interval_ms = self.policy.health_check_interval_ms;
        let checked = self.roster.bucket(owner, model).checked(interval_ms, now);
        self.roster.write_bucket(owner, model, checked);
        let key = choice::usable_member(&self.roster, owner, model)?;
        Some(Probe { key, model: Some(model.to_string()), purpose: ProbePurpose::Cooled })
    }

    /// A health check was passed: the bucket serves, if that is what it waits for.
    fn prove(&mut self, probe: &Probe, now: Time) {
        let (Some(owner), Some(model)) = (self.roster.owner(probe.key), &probe.model) else {
            return;
        };
        let bucket = self.roster.bucket(&owner, model);
        if bucket.state(now) == BucketState::Proving {
            let model = self.roster.models().name(model);
            self.roster.set_bucket(&owner, &model, bucket.released());
        }
    }

    /// Tells how the picture of the upstream has changed. When a trouble is recognised, the steps that its
    /// first failures have cost buckets are taken back, unless something else has happened to them since.
    fn take_turn(&mut self, turn: Option<Turn>) {
        let event = match turn {
            None => return,
            Some(Turn::Ended(trouble)) => Change::TroubleEnded(trouble),
            Some(Turn::Began(trouble)) => {
                for step in self.watch.take_steps(trouble.kind, trouble.since) {
                    if self.roster.bucket(&step.owner, &step.model) == step.after {
                        self.roster.set_bucket(&step.owner, &step.model, step.before);
                    }
                }
                Change::TroubleBegan(trouble)
            }
        };
        self.roster.changes_mut().tell(event);
    }
}
