//! The pool once more, written as plainly as possible: vectors, scans, nothing kept that can be computed.
//!
//! Jitter is the one thing it does not compute: it says what a wait is before jitter, and adopts the end that
//! the pool has chosen once it has seen that the end lies within ten per cent.

use keypool::{
    BucketState, KeyId, KeyRecord, LeaseId, NoCredit, Policy, ProbePlan, Refusal, Scope, Standing,
    Time, Trouble, TroubleKind, Verdict,
};

pub(crate) const HOUR_MS: u64 = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    None,
    Cooling { until: Time, serves_at: Time, check_at: Time },
    Exhausted { until: Time },
    NotEntitled,
    ModelDenied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) rest: Rest,
    pub(crate) level: u32,
    pub(crate) failures: u32,
}

pub(crate) const BLANK: Bucket = Bucket { rest: Rest::None, level: 0, failures: 0 };

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) record: KeyRecord,
    pub(crate) leases: u32,
    pub(crate) last_used: Option<(u64, Time)>,
    pub(crate) added: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) model: String,
    pub(crate) touched: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symptom {
    Faulty,
    RateLimited,
    Other,
}

#[derive(Debug, Clone)]
struct Step {
    at: Time,
    kind: TroubleKind,
    scope: Scope,
    model: String,
    before: Bucket,
    after: Bucket,
}

/// A wait of the pool's own choosing: what it is before jitter, and where the pool's choice is to be seen.
#[derive(Debug)]
pub(crate) enum Chosen {
    Cooling { scope: Scope, model: String, nominal_ms: u64, cap_ms: u64 },
    NoCredit { scope: Scope, nominal_ms: u64 },
    Probe { id: KeyId, nominal_ms: u64 },
}

#[derive(Debug, Default)]
pub(crate) struct Naive {
    pub(crate) policy: Policy,
    pub(crate) now: Time,
    pub(crate) keys: Vec<Key>,
    pub(crate) buckets: Vec<(Scope, String, Bucket)>,
    pub(crate) credits: Vec<(Scope, NoCredit)>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) turns: Vec<(bool, Trouble)>,
    pub(crate) latest: Vec<(KeyId, Time, Symptom)>,
    steps: Vec<Step>,
    pub(crate) trouble_probe_at: Time,
    clock: u64,
}

impl Naive {
    pub(crate) fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        let now = self.now;
        self.latest.retain(|(_, at, _)| now.millis_since(*at) < 10_000);
        self.steps.retain(|step| now.millis_since(step.at) < 10_000);
        if let Some(trouble) = self.trouble
            && !self.is_common(trouble.kind)
        {
            self.end_trouble();
        }
        now
    }

    pub(crate) fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.record.id == id)
    }

    pub(crate) fn key_mut(&mut self, id: KeyId) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.record.id == id)
    }

    pub(crate) fn scope(&self, id: KeyId) -> Scope {
        match self.key(id).and_then(|key| key.record.project.clone()) {
            Some(label) => Scope::Project(label),
            None => Scope::Key(id),
        }
    }

    pub(crate) fn bucket(&self, scope: &Scope, model: &str) -> Bucket {
        let found = self.buckets.iter().find(|(owner, name, _)| owner == scope && name == model);
        self.settled(found.map_or(BLANK, |(_, _, bucket)| *bucket))
    }

    pub(crate) fn settled(&self, bucket: Bucket) -> Bucket {
        match returns_at(bucket) {
            Some(at) if at <= self.now => Bucket { rest: Rest::None, ..bucket },
            _ => bucket,
        }
    }

    pub(crate) fn put(&mut self, scope: &Scope, model: &str, bucket: Bucket) {
        self.buckets.retain(|(owner, name, _)| !(owner == scope && name == model));
        let bucket = self.settled(bucket);
        if bucket != BLANK {
            self.buckets.push((scope.clone(), model.to_owned(), bucket));
        }
    }

    pub(crate) fn credit(&self, scope: &Scope) -> Option<NoCredit> {
        self.credits.iter().find(|(owner, _)| owner == scope).map(|(_, credit)| *credit)
    }

    pub(crate) fn set_credit(&mut self, scope: &Scope, credit: Option<NoCredit>) {
        self.credits.retain(|(owner, _)| owner != scope);
        self.credits.extend(credit.map(|credit| (scope.clone(), credit)));
    }

    pub(crate) fn broke_until(&self, scope: &Scope) -> Option<Time> {
        self.credit(scope).map(|credit| credit.until).filter(|until| self.now < *until)
    }

    pub(crate) fn is_usable(key: &Key) -> bool {
        key.record.is_enabled && key.record.standing == Standing::Active
    }

    pub(crate) fn is_live(&self, scope: &Scope) -> bool {
        self.keys.iter().any(|key| Self::is_usable(key) && self.scope(key.record.id) == *scope)
    }

    pub(crate) fn is_denied(&self, id: KeyId, model: &str) -> bool {
        self.bucket(&Scope::Key(id), model).rest == Rest::ModelDenied
    }

    fn is_ready(&self, key: &Key, model: &str) -> bool {
        let scope = self.scope(key.record.id);
        Self::is_usable(key)
            && self.broke_until(&scope).is_none()
            && self.bucket(&scope, model).rest == Rest::None
            && !self.is_denied(key.record.id, model)
    }

    /// When a key that is not ready returns.
    fn returns(&self, key: &Key, model: &str) -> Option<Time> {
        let scope = self.scope(key.record.id);
        let bucket = self.bucket(&scope, model);
        if self.is_denied(key.record.id, model) {
            return None;
        }
        if bucket.rest != Rest::None && returns_at(bucket).is_none() {
            return None;
        }
        returns_at(bucket).max(self.broke_until(&scope))
    }

    fn soonest(&self, model: &str, tried: &[KeyId]) -> Option<Time> {
        self.keys
            .iter()
            .filter(|key| Self::is_usable(key) && !self.is_ready(key, model))
            .filter(|key| !tried.contains(&key.record.id))
            .filter_map(|key| self.returns(key, model))
            .min()
    }

    fn has_slot(&self, key: &Key) -> bool {
        let max = self.policy.key_concurrency_max;
        max == 0 || key.leases < max
    }

    pub(crate) fn choose(&self, model: &str, tried: &[KeyId]) -> Result<KeyId, Refusal> {
        if !self.keys.iter().any(Self::is_usable) {
            return Err(Refusal::NoUsableKey);
        }
        let is_tried = |key: &&Key| tried.contains(&key.record.id);
        let ready: Vec<&Key> = self.keys.iter().filter(|key| self.is_ready(key, model)).collect();
        let untried: Vec<&Key> = ready.iter().copied().filter(|key| !is_tried(key)).collect();
        let best = untried.iter().filter(|key| self.has_slot(key)).min_by_key(|key| {
            let used = key.last_used.map(|(moment, _)| moment);
            (key.record.tier, key.leases, used, key.added)
        });
        if let Some(best) = best {
            return Ok(best.record.id);
        }
        if !untried.is_empty() {
            return Err(Refusal::Busy { until: self.soonest(model, tried) });
        }
        if !ready.is_empty() {
            return Err(Refusal::Exhausted { until: self.soonest(model, tried) });
        }
        match self.soonest(model, &[]) {
            Some(until) => Err(Refusal::Resting { until }),
            None => Err(Refusal::NotEntitled),
        }
    }

    pub(crate) fn choose_key(&self, id: KeyId, model: &str) -> Result<KeyId, Refusal> {
        let Some(key) = self.key(id).filter(|key| Self::is_usable(key)) else {
            return Err(Refusal::NoUsableKey);
        };
        if !self.is_ready(key, model) {
            let until = self.returns(key, model);
            return Err(until.map_or(Refusal::NotEntitled, |until| Refusal::Resting { until }));
        }
        match self.has_slot(key) {
            true => Ok(id),
            false => Err(Refusal::Busy { until: None }),
        }
    }

    pub(crate) fn lend(&mut self, lease: LeaseId, model: &str) {
        self.clock += 1;
        let used = (self.clock, self.now);
        let key = self.key_mut(lease.key).unwrap();
        key.leases += 1;
        key.last_used = Some(used);
        self.leases.push(Lease { id: lease, model: model.to_owned(), touched: self.now });
    }

    pub(crate) fn close(&mut self, lease: LeaseId) -> Option<Lease> {
        let index = self.leases.iter().position(|open| open.id == lease)?;
        let lease = self.leases.remove(index);
        self.key_mut(lease.id.key).unwrap().leases -= 1;
        Some(lease)
    }

    pub(crate) fn settle(
        &mut self,
        lease: &Lease,
        verdict: Verdict,
        reason: &str,
    ) -> Option<Chosen> {
        let id = lease.id.key;
        let (symptom, suspicion) = match verdict {
            Verdict::Blameless => (None, None),
            Verdict::Faulty | Verdict::Unreached => {
                (Some(Symptom::Faulty), Some(TroubleKind::Faulty))
            }
            Verdict::RateLimited => (Some(Symptom::RateLimited), Some(TroubleKind::RateLimited)),
            _ => (Some(Symptom::Other), None),
        };
        if let Some(symptom) = symptom {
            self.latest.retain(|(known, _, _)| *known != id);
            self.latest.push((id, self.now, symptom));
            self.judge();
        }
        if suspicion.is_some() && self.trouble.is_some() {
            return None;
        }
        let scope = self.scope(id);
        let model = &lease.model;
        let before = self.bucket(&scope, model);
        let mut after = before;
        let mut chosen = None;
        let cooling = |nominal_ms: u64, level: u32, cap_ms: u64| {
            let doubled = nominal_ms.saturating_mul(1 << (level - 1).min(40)).min(cap_ms);
            Some(Chosen::Cooling {
                scope: scope.clone(),
                model: model.clone(),
                nominal_ms: doubled,
                cap_ms,
            })
        };
        match verdict {
            Verdict::Blameless | Verdict::Unreached => {}
            Verdict::Healthy => {
                let credit = self.broke_until(&scope).map(|until| NoCredit { until, level: 0 });
                self.set_credit(&scope, credit);
                after = Bucket { level: 0, failures: 0, ..before };
            }
            Verdict::Faulty => {
                after.failures += 1;
                let threshold = self.policy.failure_threshold.max(1);
                if before.rest == Rest::None && threshold <= after.failures {
                    after.level += 1;
                    let policy = &self.policy;
                    chosen = cooling(policy.cool_down_ms, after.level, policy.cool_down_ms_max);
                }
            }
            Verdict::RateLimited if before.rest == Rest::None => {
                after.level += 1;
                let policy = &self.policy;
                chosen = cooling(policy.rate_limit_wait_ms, after.level, policy.cool_down_ms_max);
            }
            Verdict::RateLimited => {}
            Verdict::Cooling { wait_ms } => {
                let until = self.now.plus_millis(wait_ms.clamp(1_000, 24 * HOUR_MS));
                let is_longer = match before.rest {
                    Rest::None => true,
                    Rest::Cooling { until: known, .. } | Rest::Exhausted { until: known } => {
                        known < until
                    }
                    Rest::NotEntitled | Rest::ModelDenied => false,
                };
                if is_longer {
                    after.rest = self.cooling(until);
                }
            }
            Verdict::ExhaustedUntil { until } => {
                if !matches!(before.rest, Rest::NotEntitled | Rest::ModelDenied) {
                    after.rest = Rest::Exhausted { until };
                }
            }
            Verdict::NotEntitled => {
                if before.rest != Rest::ModelDenied {
                    after.rest = Rest::NotEntitled;
                }
            }
            Verdict::ModelDenied => {
                let own = Scope::Key(id);
                let bucket = self.bucket(&own, model);
                self.put(&own, model, Bucket { rest: Rest::ModelDenied, ..bucket });
                return None;
            }
            Verdict::NoCredit => {
                if self.broke_until(&scope).is_some() {
                    return None;
                }
                let level = self.credit(&scope).map_or(0, |credit| credit.level) + 1;
                self.set_credit(&scope, Some(NoCredit { until: self.now, level }));
                let nominal_ms = (HOUR_MS << (level - 1).min(10)).min(12 * HOUR_MS);
                return Some(Chosen::NoCredit { scope, nominal_ms });
            }
            Verdict::Invalid => return self.turn_away(id, Standing::Invalid, reason),
            Verdict::Suspended => return self.turn_away(id, Standing::Suspended, reason),
        }
        self.put(&scope, model, after);
        if let Some(kind) = suspicion {
            let after = self.settled(after);
            let (at, model) = (self.now, model.clone());
            self.steps.push(Step { at, kind, scope, model, before, after });
        }
        chosen
    }

    /// Takes over the end that the pool has chosen for a cool-down.
    pub(crate) fn adopt_cooling(&mut self, scope: &Scope, model: &str, until: Time) {
        let rest = self.cooling(until);
        let bucket = Bucket { rest, ..self.bucket(scope, model) };
        self.put(scope, model, bucket);
        self.steps.last_mut().unwrap().after = self.settled(bucket);
    }

    pub(crate) fn adopt_credit(&mut self, scope: &Scope, until: Time) {
        let level = self.credit(scope).unwrap().level;
        self.set_credit(scope, Some(NoCredit { until, level }));
    }

    pub(crate) fn adopt_probe(&mut self, id: KeyId, at: Time) {
        self.key_mut(id).unwrap().record.probe.as_mut().unwrap().at = at;
    }

    pub(crate) fn cooling(&self, until: Time) -> Rest {
        let proving_ms = match self.policy.check_health_after_cool_down {
            true => 3 * self.policy.health_check_interval_ms,
            false => 0,
        };
        Rest::Cooling { until, serves_at: until.plus_millis(proving_ms), check_at: until }
    }

    fn turn_away(&mut self, id: KeyId, standing: Standing, reason: &str) -> Option<Chosen> {
        let now = self.now;
        let record = &mut self.key_mut(id).unwrap().record;
        if record.standing == standing {
            return None;
        }
        record.standing = standing;
        record.since = now;
        record.reason = reason.chars().take(500).collect();
        record.probe = Some(ProbePlan { at: now, turn: 1 });
        Some(Chosen::Probe { id, nominal_ms: HOUR_MS })
    }

    fn judge(&mut self) {
        match self.trouble {
            Some(trouble) if self.is_common(trouble.kind) => {}
            Some(_) => self.end_trouble(),
            None => {
                let kinds = [TroubleKind::Faulty, TroubleKind::RateLimited];
                if let Some(kind) = kinds.into_iter().find(|kind| self.is_common(*kind)) {
                    self.begin_trouble(kind);
                }
            }
        }
    }

    fn begin_trouble(&mut self, kind: TroubleKind) {
        let trouble = Trouble { kind, since: self.now };
        self.trouble = Some(trouble);
        self.turns.push((true, trouble));
        self.trouble_probe_at = self.now.plus_millis(self.policy.health_check_interval_ms);
        let steps = std::mem::take(&mut self.steps);
        for step in steps.into_iter().rev().filter(|step| step.kind == kind) {
            if self.bucket(&step.scope, &step.model) == step.after {
                self.put(&step.scope, &step.model, step.before);
            }
        }
    }

    pub(crate) fn end_trouble(&mut self) {
        self.turns.extend(self.trouble.take().map(|trouble| (false, trouble)));
    }

    pub(crate) fn clear_watch(&mut self) {
        self.latest.clear();
        self.steps.clear();
        self.end_trouble();
    }

    fn is_common(&self, kind: TroubleKind) -> bool {
        let symptom = match kind {
            TroubleKind::Faulty => Symptom::Faulty,
            TroubleKind::RateLimited => Symptom::RateLimited,
        };
        let alike = self.latest.iter().filter(|(_, _, known)| *known == symptom).count();
        3 <= alike && self.latest.len() <= 2 * alike
    }

    pub(crate) fn add(&mut self, record: KeyRecord) {
        let id = record.id;
        let project = record.project.clone().filter(|label| !label.is_empty());
        if self.key(id).is_none() {
            self.clock += 1;
            let record = KeyRecord { project: None, ..record.clone() };
            self.keys.push(Key { record, leases: 0, last_used: None, added: self.clock });
        }
        self.assign(id, project.as_deref());
        self.key_mut(id).unwrap().record = KeyRecord { project, ..record };
    }

    pub(crate) fn assign(&mut self, id: KeyId, project: Option<&str>) {
        let project = project.filter(|label| !label.is_empty()).map(str::to_owned);
        let old = self.scope(id);
        let Some(key) = self.key_mut(id) else { return };
        if key.record.project == project {
            return;
        }
        key.record.project = project;
        match old {
            Scope::Key(_) => {
                self.set_credit(&old, None);
                self.buckets
                    .retain(|(scope, _, bucket)| *scope != old || bucket.rest == Rest::ModelDenied);
                let own = self.buckets.iter_mut().filter(|(scope, _, _)| *scope == old);
                own.for_each(|(_, _, bucket)| (bucket.level, bucket.failures) = (0, 0));
            }
            Scope::Project(_) => self.forget_if_abandoned(&old),
        }
    }

    pub(crate) fn remove(&mut self, id: KeyId) -> bool {
        let scope = self.scope(id);
        let before = self.keys.len();
        self.keys.retain(|key| key.record.id != id);
        self.leases.retain(|lease| lease.id.key != id);
        self.latest.retain(|(known, _, _)| *known != id);
        self.forget(&Scope::Key(id));
        self.forget_if_abandoned(&scope);
        self.keys.len() < before
    }

    fn forget_if_abandoned(&mut self, scope: &Scope) {
        if !self.keys.iter().any(|key| self.scope(key.record.id) == *scope) {
            self.forget(scope);
        }
    }

    pub(crate) fn forget(&mut self, scope: &Scope) {
        self.set_credit(scope, None);
        self.buckets.retain(|(owner, _, _)| owner != scope);
    }

    pub(crate) fn restore_key(&mut self, id: KeyId) {
        let now = self.now;
        let Some(key) = self.key_mut(id) else { return };
        if key.record.standing != Standing::Active {
            key.record.since = now;
        }
        key.record.standing = Standing::Active;
        key.record.reason = String::new();
        key.record.probe = None;
    }

    pub(crate) fn change(&mut self, id: KeyId, change: impl FnOnce(&mut KeyRecord)) -> bool {
        let key = self.key_mut(id);
        key.map(|key| change(&mut key.record)).is_some()
    }

    pub(crate) fn state(&self, bucket: Bucket) -> BucketState {
        match self.settled(bucket).rest {
            Rest::None => BucketState::Ready,
            Rest::Cooling { until, .. } if self.now < until => {
                BucketState::Cooling { until, level: bucket.level }
            }
            Rest::Cooling { .. } => BucketState::Proving,
            Rest::Exhausted { until } => BucketState::ExhaustedUntil { until },
            Rest::NotEntitled => BucketState::NotEntitled,
            Rest::ModelDenied => BucketState::ModelDenied,
        }
    }
}

pub(crate) fn returns_at(bucket: Bucket) -> Option<Time> {
    match bucket.rest {
        Rest::Cooling { serves_at, .. } => Some(serves_at),
        Rest::Exhausted { until } => Some(until),
        Rest::None | Rest::NotEntitled | Rest::ModelDenied => None,
    }
}
