//! The key pool made live: `keypool`'s state machine behind one short lock, with a waiting line.
//!
//! A caller gets a [`Lease`] at once, or a place in a first-come line that the next freed key
//! serves, or a clear refusal. The lock is held for a few microseconds and never across an
//! await; what the pool has learnt is handed to the store by the [`keeper`], so that no request
//! waits for the disk.

mod announce;
mod keeper;
mod lease;
mod line;
mod memory;
mod probe;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use keeper::{keep, remember};
use keypool::{
    BudgetRecord, Change, Counts, KeyId, KeyRecord, KeyView, LeaseId, Policy, Pool, Probe,
    ProbeOutcome, ProbePurpose, Refusal, Standing, Time, Trouble, Verdict,
};
pub use lease::Lease;
use line::Line;
use memory::Unsaved;
pub use memory::{load, seal_context};
use parking_lot::Mutex;
pub use probe::{Probed, Prober};
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::config::Config;
use crate::secret::Secret;

/// Keys that one command changes before requests get their turn again.
const KEYS_PER_LOCK: usize = 64;

/// A service key as the data plane needs it.
#[derive(Debug)]
pub struct ServiceKey {
    /// Its row in the store.
    pub id: KeyId,
    /// First and last characters, for people.
    pub brief: String,
    /// The predecessor's name for it: `key_sha256_` and hexadecimal digits.
    pub identifier: String,
    /// The key itself.
    pub secret: Secret,
}

/// The pool's rules, as the settings have them.
///
/// No lease is stuck before the time-outs of its request are over: until then silence is waited
/// for.
pub fn policy(config: &Config) -> Policy {
    let (settings, limits) = (&config.pool, &config.limits);
    let silence_ms_max = limits.request_timeout_ms.saturating_add(limits.stream_idle_timeout_ms);
    Policy {
        failure_threshold: settings.failure_threshold,
        cool_down_ms: settings.cool_down_ms,
        cool_down_ms_max: settings.cool_down_ms_max,
        rate_limit_wait_ms: settings.rate_limit_wait_ms,
        key_concurrency_max: settings.key_concurrency_max,
        lease_idle_ms_max: settings.lease_idle_ms_max.max(silence_ms_max),
        check_health_after_cool_down: settings.check_after_cool_down,
        health_check_interval_ms: settings.check_interval_ms,
    }
}

/// The shared, live pool.
#[derive(Debug)]
pub struct KeyPool {
    state: Mutex<State>,
    clock: Clock,
    /// Where the pool's line of time begins: at the wall time of the start, from where it runs
    /// with the monotonic clock and never jumps.
    origin_ms: u64,
    /// Wakes the keeper: an earlier deadline, or changes to store.
    keeper: Notify,
    /// Wakes the task that writes changes to the store.
    remember: Notify,
    /// What the store does not have yet; held while it is written.
    unsaved: tokio::sync::Mutex<Unsaved>,
}

#[derive(Debug)]
struct State {
    pool: Pool,
    keys: HashMap<KeyId, Arc<ServiceKey>>,
    leases: HashMap<LeaseId, Arc<lease::Activity>>,
    leases_taken_back: u64,
    line: Line,
    lease_idle_ms_max: u64,
    /// Until when the keeper sleeps.
    keeper_until: Option<Time>,
}

impl KeyPool {
    /// Makes an empty pool.
    pub fn new(policy: Policy, seed: u64, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                lease_idle_ms_max: policy.lease_idle_ms_max,
                pool: Pool::new(policy, seed),
                keys: HashMap::new(),
                leases: HashMap::new(),
                leases_taken_back: 0,
                line: Line::default(),
                keeper_until: None,
            }),
            origin_ms: wall_ms(&clock).saturating_sub(clock.monotonic_ms()),
            clock,
            keeper: Notify::new(),
            remember: Notify::new(),
            unsaved: tokio::sync::Mutex::default(),
        })
    }

    /// The current moment on the pool's line of time.
    pub fn now(&self) -> Time {
        self.time_of_monotonic(self.clock.monotonic_ms())
    }

    /// A reading of the monotonic clock on the pool's line of time.
    fn time_of_monotonic(&self, now_ms: u64) -> Time {
        Time::from_millis(self.origin_ms.saturating_add(now_ms))
    }

    /// A wall time, in ms since the epoch, on the pool's line of time.
    pub fn time_of_wall(&self, at_ms: u64) -> Time {
        let ahead_ms = i128::from(at_ms) - i128::from(wall_ms(&self.clock));
        Time::from_millis(shifted(self.now().as_millis(), ahead_ms))
    }

    /// A time of the pool as wall time, in ms since the epoch.
    pub fn wall_of_time(&self, at: Time) -> u64 {
        let ahead_ms = i128::from(at.as_millis()) - i128::from(self.now().as_millis());
        shifted(wall_ms(&self.clock), ahead_ms)
    }

    /// Leases a key for `model`, waiting in line for up to `patience` when one will be free
    /// within that time.
    ///
    /// Keys in `tried` are left out.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: nobody is free now or soon enough.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the line; a lease already on its way goes back to the pool.
    pub async fn lease(
        self: &Arc<Self>,
        model: &str,
        tried: &[KeyId],
        patience: Duration,
    ) -> Result<Lease, Refusal> {
        let now = self.now();
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let waiting = {
            let mut state = self.state.lock();
            let refusal = match state.pool.lease(model, tried, now) {
                Ok(id) => {
                    let lease = self.guard(&mut state, id);
                    drop(state);
                    return lease.ok_or(Refusal::NoUsableKey);
                }
                Err(refusal) => refusal,
            };
            let hope = hope(&mut state.pool, &refusal, model, tried, now);
            let is_soon = |at: Time| patience_ms > 0 && at.millis_since(now) <= patience_ms;
            if !hope.is_some_and(is_soon) {
                return Err(refusal);
            }
            let Some(waiting) = state.line.join(model, tried) else {
                return Err(refusal);
            };
            self.plan(&mut state);
            waiting
        };
        self.wait_in_line(waiting, model, tried, patience).await
    }

    async fn wait_in_line(
        self: &Arc<Self>,
        waiting: line::Waiting,
        model: &str,
        tried: &[KeyId],
        patience: Duration,
    ) -> Result<Lease, Refusal> {
        let _place = line::Place { pool: self, ticket: waiting.ticket, model };
        // Bound to a name, so that a lease which arrives too late is given back before the lock
        // below is taken.
        let outcome = tokio::time::timeout(patience, waiting.lease).await;
        match outcome {
            Ok(Ok(lease)) => Ok(lease),
            // Too late, or the line was dissolved: say how things are at this moment.
            Ok(Err(oneshot::error::RecvError { .. })) | Err(_) => {
                let now = self.now();
                let mut state = self.state.lock();
                let id = state.pool.lease(model, tried, now)?;
                let lease = self.guard(&mut state, id);
                drop(state);
                lease.ok_or(Refusal::NoUsableKey)
            }
        }
    }

    /// Leases this one key for `model`, or says why not; never waits.
    ///
    /// # Errors
    ///
    /// [`Refusal`], as for any lease.
    pub fn lease_key(self: &Arc<Self>, id: KeyId, model: &str) -> Result<Lease, Refusal> {
        let now = self.now();
        let mut state = self.state.lock();
        let id = state.pool.lease_key(id, model, now)?;
        let lease = self.guard(&mut state, id);
        drop(state);
        lease.ok_or(Refusal::NoUsableKey)
    }

    /// Counts one admitted request towards the retry budget.
    pub fn count_request(&self) {
        let now = self.now();
        self.state.lock().pool.count_request(now);
    }

    /// Takes one retry from the pool-wide budget, if there is one.
    pub fn may_retry(&self) -> bool {
        let now = self.now();
        self.state.lock().pool.may_retry(now)
    }

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

    /// The key behind an id.
    pub fn key(&self, id: KeyId) -> Option<Arc<ServiceKey>> {
        self.state.lock().keys.get(&id).cloned()
    }

    /// What a person sees of one key.
    pub fn view(&self, id: KeyId) -> Option<KeyView> {
        let now = self.now();
        self.state.lock().pool.view(id, now)
    }

    /// What a person sees of all keys, with the keys themselves.
    pub fn views(&self) -> Vec<(Arc<ServiceKey>, KeyView)> {
        let now = self.now();
        let state = self.state.lock();
        let views = state.pool.views(now);
        views
            .into_iter()
            .filter_map(|view| Some((Arc::clone(state.keys.get(&view.id)?), view)))
            .collect()
    }

    /// How many keys are in which state.
    pub fn counts(&self) -> Counts {
        let now = self.now();
        self.state.lock().pool.counts(now)
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

    /// Everything that is known, for the store.
    fn snapshot(&self) -> (Vec<KeyRecord>, Vec<BudgetRecord>) {
        let now = self.now();
        let state = self.state.lock();
        let records = state.pool.views(now).into_iter().map(KeyRecord::from).collect();
        (records, state.pool.budgets(now))
    }

    /// Takes what has changed since the last call, and tells it to people.
    fn take_changes(&self) -> Vec<Change> {
        let changes = self.state.lock().pool.take_changes();
        for change in &changes {
            announce::announce(self, change);
        }
        changes
    }

    fn settle(self: &Arc<Self>, id: LeaseId, verdict: Verdict, reason: &str) {
        self.change(|state, now| {
            state.leases.remove(&id);
            state.pool.settle(id, verdict, reason, now);
        });
    }

    /// Does something to the pool, then everything that may follow from it: waiters are served,
    /// changes are kept for the store, the keeper learns of an earlier deadline.
    fn change<T>(self: &Arc<Self>, act: impl FnOnce(&mut State, Time) -> T) -> T {
        let now = self.now();
        let mut state = self.state.lock();
        let result = act(&mut state, now);
        let served = self.serve_line(&mut state, now);
        self.plan(&mut state);
        drop(state);
        // Outside the lock: a waiter that has left hands its lease back, which locks again.
        for (waiter, lease) in served {
            drop(waiter.send(lease));
        }
        result
    }

    fn serve_line(
        self: &Arc<Self>,
        state: &mut State,
        now: Time,
    ) -> Vec<(oneshot::Sender<Lease>, Lease)> {
        if state.line.is_empty() {
            return Vec::new();
        }
        let mut line = std::mem::take(&mut state.line);
        let served = line.serve(|model, tried| {
            let id = state.pool.lease(model, tried, now).ok()?;
            self.guard(state, id)
        });
        state.line = line;
        served
    }

    /// Wakes whoever must act on what has happened.
    fn plan(&self, state: &mut State) {
        if state.pool.has_changes() {
            self.remember.notify_one();
        }
        let deadline = state.pool.next_deadline();
        let is_earlier = match (deadline, state.keeper_until) {
            (Some(deadline), Some(until)) => deadline < until,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_earlier {
            state.keeper_until = deadline;
            self.keeper.notify_one();
        }
    }

    /// Wraps a lease of the state machine into its guard.
    fn guard(self: &Arc<Self>, state: &mut State, id: LeaseId) -> Option<Lease> {
        let key = Arc::clone(state.keys.get(&id.key)?);
        let activity = Arc::new(lease::Activity::new(self.now()));
        state.leases.insert(id, Arc::clone(&activity));
        Some(Lease::new(Arc::clone(self), id, key, activity))
    }
}

/// When a request that was refused may be served after all, if it waits.
fn hope(
    pool: &mut Pool,
    refusal: &Refusal,
    model: &str,
    tried: &[KeyId],
    now: Time,
) -> Option<Time> {
    match refusal {
        Refusal::NoUsableKey | Refusal::NotEntitled => None,
        // A busy key may be given back at any moment.
        Refusal::Busy { .. } => Some(now),
        Refusal::Resting { .. } | Refusal::Exhausted { .. } => pool.next_return(model, tried, now),
    }
}

/// Wall time without a sign: a clock set before 1970 reads as 1970.
fn wall_ms(clock: &Clock) -> u64 {
    u64::try_from(clock.wall_ms()).unwrap_or(0)
}

fn shifted(from_ms: u64, by_ms: i128) -> u64 {
    u64::try_from(i128::from(from_ms) + by_ms).unwrap_or(0)
}
