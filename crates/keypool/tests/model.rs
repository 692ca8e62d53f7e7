//! A million random operations on the pool and on a naive model of it: every answer must be the same.
//!
//! On the way the invariants of the crate's documentation are checked: a key never has more leases out than
//! its limit, a lease ends once, refusals name the future, and a store that applies every change knows at any
//! moment what the pool knows.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and its numbers are small"
)]

#[path = "model/dice.rs"]
mod dice;
#[path = "model/naive.rs"]
mod naive;
#[path = "model/probing.rs"]
mod probing;
#[path = "model/shown.rs"]
mod shown;

use std::collections::BTreeMap;

use keypool::{
    BucketRecord, BucketState, BudgetRecord, Change, KeyId, KeyRecord, LeaseId, NoCredit, Policy,
    Pool, Probe, ProbeOutcome, ProbePurpose, Refusal, Scope, Standing, Time,
};

use crate::dice::Dice;
use crate::naive::{Bucket, Chosen, Naive, Rest};

#[test]
fn small_pools_do_what_the_model_does() {
    for seed in 0..90 {
        run(seed, 2 + seed % 9, 10_000);
    }
}

#[test]
fn pools_of_many_blocks_do_what_the_model_does() {
    for seed in 1_000..1_010 {
        run(seed, 700, 2_000);
    }
}

#[test]
fn long_lives_do_what_the_model_does() {
    for seed in 2_000..2_004 {
        run(seed, 5, 25_000);
    }
}

fn run(seed: u64, keys: u64, steps: u64) {
    let mut world = World::new(seed, keys);
    for step in 0..steps {
        world.context = format!("seed {seed}, {keys} keys, step {step}");
        world.step();
        world.check_cheaply();
        if step % (8 + keys) == 0 {
            world.check_wholly();
        }
    }
}

struct World {
    context: String,
    dice: Dice,
    keys: u64,
    now: Time,
    pool: Pool,
    naive: Naive,
    /// Leases that have ended, to be brought back late.
    ended: Vec<LeaseId>,
    probes: Vec<Probe>,
    stored_keys: BTreeMap<KeyId, KeyRecord>,
    stored_credits: BTreeMap<Scope, NoCredit>,
    stored_buckets: BTreeMap<(Scope, String), BucketRecord>,
}

impl World {
    fn new(seed: u64, keys: u64) -> Self {
        let mut world = Self {
            context: String::new(),
            dice: Dice::new(seed, keys),
            keys,
            now: Time::from_millis(1_000_000),
            pool: Pool::new(Policy::default(), seed),
            naive: Naive::default(),
            ended: Vec::new(),
            probes: Vec::new(),
            stored_keys: BTreeMap::new(),
            stored_credits: BTreeMap::new(),
            stored_buckets: BTreeMap::new(),
        };
        world.set_policy();
        for id in 0..keys {
            let mut record = world.dice.record(KeyId(id), world.now);
            (record.is_enabled, record.standing) = (true, Standing::Active);
            (record.reason, record.probe) = (String::new(), None);
            world.add(record);
        }
        world
    }

    fn step(&mut self) {
        self.pass_time();
        match self.dice.below(100) {
            0..35 => self.lease(),
            35..41 => self.lease_key(),
            41..75 => self.settle(),
            75..77 => self.settle_late(),
            77..79 => self.renew_or_take_back(),
            79..83 => self.take_probes(),
            83..87 => self.settle_probe(),
            87..88 => self.tick(),
            88..89 => self.retry(),
            89..98 => self.administer(),
            98..99 if self.dice.below(20) == 0 => self.set_policy(),
            _ => self.restore_budget(),
        }
    }

    fn pass_time(&mut self) {
        let millis = match self.dice.below(100) {
            0..50 => 0,
            50..80 => self.dice.below(200),
            80..93 => self.dice.below(15_000),
            93..97 => self.dice.below(600_000),
            97..98 => self.dice.below(14 * 3_600_000),
            _ => {
                // A thread that read the clock before it waited for the lock comes with an earlier time.
                let earlier = self.now.as_millis().saturating_sub(self.dice.below(500));
                self.now = Time::from_millis(earlier);
                return;
            }
        };
        self.now = self.now.plus_millis(millis);
        if self.dice.below(50) == 0
            && let Some(deadline) = self.pool.next_deadline()
        {
            self.now = self.now.max(deadline);
        }
    }

    fn lease(&mut self) {
        let model = self.dice.model();
        let tried = (0..self.dice.below(4)).map(|_| self.dice.id()).collect::<Vec<_>>();
        self.naive.advance(self.now);
        let expected = self.naive.choose(model, &tried);

        let lease = self.pool.lease(model, &tried, self.now);

        self.check_lease(lease, expected, model);
    }

    fn lease_key(&mut self) {
        let (id, model) = (self.dice.id(), self.dice.model());
        self.naive.advance(self.now);
        let expected = self.naive.choose_key(id, model);

        let lease = self.pool.lease_key(id, model, self.now);

        self.check_lease(lease, expected, model);
    }

    fn check_lease(
        &mut self,
        lease: Result<LeaseId, Refusal>,
        expected: Result<KeyId, Refusal>,
        model: &str,
    ) {
        let now = self.naive.now;
        assert_eq!(lease.map(|lease| lease.key), expected, "{} at {now:?}", self.context);
        match lease {
            Ok(lease) => {
                assert!(!self.ended.contains(&lease), "{}: a lease came twice", self.context);
                self.naive.lend(lease, model);
                let leases = self.naive.key(lease.key).unwrap().leases;
                let max = self.naive.policy.key_concurrency_max;
                assert!(max == 0 || leases <= max, "{}: {leases} leases", self.context);
            }
            Err(Refusal::Resting { until }) => assert!(now < until, "{}", self.context),
            Err(Refusal::Busy { until } | Refusal::Exhausted { until }) => {
                assert!(until.is_none_or(|until| now < until), "{}", self.context);
            }
            Err(Refusal::NoUsableKey | Refusal::NotEntitled) => {}
        }
    }

    fn settle(&mut self) {
        let Some(lease) = self.open_lease() else {
            return;
        };
        let verdict = self.dice.verdict(self.now);
        let reason = "leaked ".repeat(self.dice.below(100) as usize);
        self.naive.advance(self.now);
        let closed = self.naive.close(lease).unwrap();
        let chosen = self.naive.settle(&closed, verdict, &reason);
        self.ended.push(lease);

        let is_settled = self.pool.settle(lease, verdict, &reason, self.now);

        assert!(is_settled, "{}", self.context);
        chosen.into_iter().for_each(|chosen| self.adopt(&chosen, lease.key));
    }

    /// Compares a wait with what the model wanted, and lets the model know.
    fn adopt(&mut self, chosen: &Chosen, id: KeyId) {
        let now = self.naive.now;
        let view = self.pool.view(id, now).unwrap();
        let (until, nominal_ms, cap_ms) = match chosen {
            Chosen::Cooling { scope, model, nominal_ms, cap_ms } => {
                // A denial of the key hides the bucket from its view, so the budgets are asked.
                let budgets = self.pool.budgets(now);
                let budget = budgets.into_iter().find(|budget| budget.scope == *scope).unwrap();
                let bucket = budget.buckets.into_iter().find(|bucket| bucket.model == *model);
                let until = bucket.unwrap().state.until().unwrap();
                self.naive.adopt_cooling(scope, model, until);
                (until, *nominal_ms, *cap_ms)
            }
            Chosen::NoCredit { scope, nominal_ms } => {
                let until = view.no_credit.unwrap().until;
                self.naive.adopt_credit(scope, until);
                (until, *nominal_ms, 12 * 3_600_000)
            }
            Chosen::Probe { id, nominal_ms } => {
                let at = view.probe.unwrap().at;
                self.naive.adopt_probe(*id, at);
                (at, *nominal_ms, 12 * 3_600_000)
            }
        };
        let (wait_ms, tenth) = (until.millis_since(now), nominal_ms / 10);
        let is_fair = nominal_ms - tenth <= wait_ms && wait_ms <= (nominal_ms + tenth).min(cap_ms);
        assert!(is_fair, "{}: {wait_ms} ms for {chosen:?}", self.context);
    }

    fn settle_late(&mut self) {
        let lease = match self.dice.below(3) {
            0 => {
                LeaseId { key: self.dice.id(), generation: self.dice.below(1_000_000) + 1_000_000 }
            }
            1 => match self.open_lease() {
                Some(lease) => LeaseId { key: KeyId(lease.key.0 + 1), ..lease },
                None => return,
            },
            _ if self.ended.is_empty() => return,
            _ => {
                let index = self.dice.below(self.ended.len() as u64) as usize;
                self.ended[index]
            }
        };
        let verdict = self.dice.verdict(self.now);
        self.naive.advance(self.now);

        assert!(!self.pool.settle(lease, verdict, "late", self.now), "{}", self.context);
        assert!(!self.pool.take_back(lease, self.now), "{}", self.context);
    }

    fn renew_or_take_back(&mut self) {
        let Some(lease) = self.open_lease() else {
            return;
        };
        if self.dice.below(2) == 0 {
            self.pool.renew(lease, self.now);
            let now = self.now;
            let open = self.naive.leases.iter_mut().find(|open| open.id == lease).unwrap();
            open.touched = open.touched.max(now);
            return;
        }
        self.naive.advance(self.now);
        self.naive.close(lease).unwrap();
        self.ended.push(lease);

        assert!(self.pool.take_back(lease, self.now), "{}", self.context);
    }

    fn take_probes(&mut self) {
        let max = self.dice.below(4) as usize;
        self.naive.advance(self.now);
        let (expected, chosen) = probing::probes_due(&mut self.naive, max);

        let probes = self.pool.probes_due(self.now, max);

        assert_eq!(probes, expected, "{}", self.context);
        for chosen in chosen {
            let Chosen::Probe { id, .. } = chosen else { unreachable!() };
            self.adopt(&chosen, id);
        }
        self.probes.extend(probes);
    }

    fn settle_probe(&mut self) {
        let Some(probe) = self.probes.pop() else {
            return;
        };
        let outcome = match self.dice.below(2) {
            0 => ProbeOutcome::Served,
            _ => ProbeOutcome::Failed,
        };
        self.naive.advance(self.now);
        match (outcome, probe.purpose) {
            (ProbeOutcome::Failed, _) => {}
            (_, ProbePurpose::Trouble) => self.naive.clear_watch(),
            (_, ProbePurpose::Standing) => self.naive.restore_key(probe.key),
            (_, ProbePurpose::Cooled) => {
                let (scope, model) = (self.naive.scope(probe.key), probe.model.as_deref().unwrap());
                let bucket = self.naive.bucket(&scope, model);
                let is_proving = self.naive.state(bucket) == BucketState::Proving;
                if is_proving && self.naive.key(probe.key).is_some() {
                    self.naive.put(&scope, model, Bucket { rest: Rest::None, ..bucket });
                }
            }
        }

        self.pool.settle_probe(&probe, outcome, self.now);
    }

    fn tick(&mut self) {
        self.naive.advance(self.now);
        self.pool.tick(self.now);
    }

    fn retry(&mut self) {
        self.pool.count_request(self.now);
        self.pool.may_retry(self.now);
    }

    fn administer(&mut self) {
        let id = self.dice.id();
        let is_known = self.naive.key(id).is_some();
        let operation = self.dice.below(16);
        if operation == 0 {
            self.naive.remove(id);
            self.stored_keys.remove(&id);
            assert_eq!(self.pool.remove(id), is_known, "{}", self.context);
            return;
        }
        self.naive.advance(self.now);
        let is_done = match operation {
            1..3 => {
                let record = self.dice.record(id, self.now);
                self.add(record);
                return;
            }
            3 => {
                let (project, tier) = (self.dice.project(), self.dice.below(3) as u8);
                self.naive.assign(id, project);
                self.naive.change(id, |record| record.tier = tier);
                self.pool.assign(id, project, tier, self.now)
            }
            4..7 => {
                self.naive.change(id, |record| record.is_enabled = false);
                self.pool.disable(id, self.now)
            }
            7..12 => {
                self.naive.change(id, |record| record.is_enabled = true);
                self.pool.enable(id, self.now)
            }
            _ => {
                if is_known {
                    self.naive.restore_key(id);
                    self.naive.forget(&self.naive.scope(id));
                    self.naive.forget(&Scope::Key(id));
                }
                self.pool.reset(id, self.now)
            }
        };
        assert_eq!(is_done, is_known, "{}", self.context);
    }

    fn add(&mut self, record: KeyRecord) {
        self.naive.advance(self.now);
        self.naive.add(record.clone());
        self.stored_keys.insert(record.id, self.naive.key(record.id).unwrap().record.clone());
        self.pool.add(record, self.now);
    }

    fn set_policy(&mut self) {
        let policy = self.dice.policy();
        self.naive.policy = policy.clone();
        self.pool.set_policy(policy);
    }

    fn restore_budget(&mut self) {
        if self.dice.below(8) != 0 {
            return;
        }
        let scope = match self.dice.below(2) {
            0 => Scope::Key(self.dice.id()),
            _ => Scope::Project(self.dice.project().unwrap_or_default().to_owned()),
        };
        let until = self.now.plus_millis(self.dice.below(100_000));
        let no_credit = (self.dice.below(4) == 0)
            .then_some(NoCredit { until, level: self.dice.below(3) as u32 });
        let (level, failures) = (self.dice.below(3) as u32, self.dice.below(3) as u32);
        let state = match self.dice.below(6) {
            0 => BucketState::Ready,
            1 => BucketState::ExhaustedUntil { until },
            2 => BucketState::NotEntitled,
            3 => BucketState::Proving,
            _ => BucketState::Cooling { until, level },
        };
        let bucket = BucketRecord { model: self.dice.model().to_owned(), state, level, failures };
        self.naive.advance(self.now);
        let draws = |id: KeyId| self.naive.key(id).is_some() && self.naive.scope(id) == scope;
        let is_drawn_on = (0..self.keys).any(|id| draws(KeyId(id)));
        if is_drawn_on {
            self.naive.set_credit(&scope, no_credit);
            let rest = match state {
                BucketState::Ready | BucketState::ModelDenied => Rest::None,
                BucketState::ExhaustedUntil { until } => Rest::Exhausted { until },
                BucketState::NotEntitled => Rest::NotEntitled,
                BucketState::Proving => self.naive.cooling(self.naive.now),
                BucketState::Cooling { until, .. } => self.naive.cooling(until),
            };
            self.naive.put(&scope, &bucket.model, Bucket { rest, level, failures });
            // What is read from the store is in the store.
            self.stored_credits.remove(&scope);
            self.stored_credits.extend(no_credit.map(|credit| (scope.clone(), credit)));
            let place = (scope.clone(), bucket.model.clone());
            self.stored_buckets.insert(place, bucket.clone());
        }

        let record = BudgetRecord { scope, no_credit, buckets: vec![bucket] };
        self.pool.restore_budget(record, self.now);
    }

    fn check_cheaply(&mut self) {
        let now = self.naive.now;
        let id = self.dice.id();
        assert_eq!(
            self.pool.view(id, now),
            shown::view(&self.naive, id),
            "{} at {now:?}",
            self.context
        );
        assert_eq!(self.pool.trouble(), self.naive.trouble, "{} at {now:?}", self.context);
    }

    fn check_wholly(&mut self) {
        let now = self.naive.now;
        assert_eq!(self.pool.views(now), shown::views(&self.naive), "{} at {now:?}", self.context);
        assert_eq!(self.pool.counts(now), shown::counts(&self.naive), "{}", self.context);
        assert_eq!(
            self.pool.next_deadline(),
            shown::next_deadline(&self.naive),
            "{}",
            self.context
        );
        let idle_ms_max = self.naive.policy.lease_idle_ms_max;
        let leases = self.naive.leases.iter();
        let overdue: Vec<LeaseId> = leases
            .filter(|lease| idle_ms_max < now.millis_since(lease.touched))
            .map(|lease| lease.id)
            .collect();
        assert_eq!(self.pool.overdue(now), overdue, "{}", self.context);
        self.store_changes();
        self.check_store();
    }

    fn store_changes(&mut self) {
        let mut turns = Vec::new();
        for change in self.pool.take_changes() {
            match change {
                Change::Key(record) => {
                    self.stored_keys.insert(record.id, record);
                }
                Change::Credit { scope, no_credit: None } => {
                    self.stored_credits.remove(&scope);
                }
                Change::Credit { scope, no_credit: Some(no_credit) } => {
                    self.stored_credits.insert(scope, no_credit);
                }
                Change::Bucket { scope, bucket } => {
                    self.stored_buckets.insert((scope, bucket.model.clone()), bucket);
                }
                Change::TroubleBegan(trouble) => turns.push((true, trouble)),
                Change::TroubleEnded(trouble) => turns.push((false, trouble)),
                Change::LeaseTakenBack(_) => {}
                Change::Overflowed => panic!("{}", self.context),
            }
        }
        assert_eq!(turns, std::mem::take(&mut self.naive.turns), "{}", self.context);
    }

    /// The store knows every key, every credit and every count; what has ended by time it may still show.
    fn check_store(&self) {
        let now = self.naive.now;
        for key in &self.naive.keys {
            assert_eq!(self.stored_keys.get(&key.record.id), Some(&key.record), "{}", self.context);
        }
        let credits: BTreeMap<_, _> = self.naive.credits.iter().cloned().collect();
        assert_eq!(self.stored_credits, credits, "{}", self.context);
        for ((scope, model), stored) in &self.stored_buckets {
            let known = self.naive.bucket(scope, model);
            let counts = (stored.level, stored.failures);
            assert_eq!(counts, (known.level, known.failures), "{} {scope:?}", self.context);
            let state = self.naive.state(known);
            let has_ended = stored.state.until().is_some_and(|until| until <= now);
            let is_proving = stored.state == BucketState::Proving;
            assert!(has_ended || is_proving || stored.state == state, "{} {scope:?}", self.context);
        }
        let remembered = self.naive.buckets.iter();
        let counted = remembered.filter(|(_, _, bucket)| bucket.level + bucket.failures > 0);
        for (scope, model, _) in counted {
            let place = (scope.clone(), model.clone());
            assert!(self.stored_buckets.contains_key(&place), "{} {place:?}", self.context);
        }
    }

    fn open_lease(&mut self) -> Option<LeaseId> {
        let index = self.dice.below(self.naive.leases.len() as u64) as usize;
        self.naive.leases.get(index).map(|lease| lease.id)
    }
}
