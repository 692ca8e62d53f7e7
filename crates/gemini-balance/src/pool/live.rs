//! The core: `keypool`'s state machine behind one short lock, and the ways to a lease.
//!
//! Whatever frees a key serves the line before the lock is let go, so nobody waits for a key that
//! is free. The folder `interleavings` compiles this file, the line and the lease anew and tries
//! the steps of its threads in many orders.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keypool::{KeyId, Kin, LeaseId, Policy, Pool, Refusal, Time, Verdict};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::line::{Line, Place, Waiting};
use super::memory::Unsaved;
use super::refusals::{RefusedAttempt, RefusedAttempts, cut};
use super::{Lease, ServiceKey, lease};
use crate::clock::Clock;
use crate::events::Teller;

/// The shared, live pool.
#[derive(Debug)]
pub struct KeyPool {
    pub(super) state: Mutex<State>,
    pub(super) clock: Clock,
    /// Where the pool's line of time begins: at the wall time of the start, from where it runs
    /// with the monotonic clock and never jumps.
    origin_ms: u64,
    /// Wakes the keeper: an earlier deadline, or changes to store.
    pub(super) keeper: Notify,
    /// Wakes the task that writes changes to the store.
    pub(super) remember: Notify,
    /// What the store does not have yet; held while it is written.
    pub(super) unsaved: tokio::sync::Mutex<Unsaved>,
    /// Tells changes to whoever has a page open.
    pub(super) teller: Teller,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) pool: Pool,
    pub(super) keys: HashMap<KeyId, Arc<ServiceKey>>,
    pub(super) leases: HashMap<LeaseId, Arc<lease::Activity>>,
    pub(super) leases_taken_back: u64,
    pub(super) line: Line,
    pub(super) refusals: RefusedAttempts,
    pub(super) lease_idle_ms_max: u64,
    /// Until when the keeper sleeps.
    pub(super) keeper_until: Option<Time>,
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
                refusals: RefusedAttempts::default(),
                keeper_until: None,
            }),
            origin_ms: wall_ms(&clock).saturating_sub(clock.monotonic_ms()),
            clock,
            keeper: Notify::new(),
            remember: Notify::new(),
            unsaved: tokio::sync::Mutex::default(),
            teller: Teller::default(),
        })
    }

    /// Other rules for everything that happens from here on.
    pub fn set_policy(&self, policy: Policy) {
        let mut state = self.state.lock();
        state.lease_idle_ms_max = policy.lease_idle_ms_max;
        state.pool.set_policy(policy);
        drop(state);
        self.keeper.notify_one();
    }

    /// The current moment on the pool's line of time.
    pub fn now(&self) -> Time {
        self.time_of_monotonic(self.clock.monotonic_ms())
    }

    /// A reading of the monotonic clock on the pool's line of time.
    pub(super) fn time_of_monotonic(&self, now_ms: u64) -> Time {
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
        self.lease_for(Want { kin: None, model, tried }, patience).await
    }

    /// As [`KeyPool::lease`], a key of this kin alone.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with the times of this kin.
    ///
    /// # Cancellation
    ///
    /// As of any lease.
    pub async fn lease_kin(
        self: &Arc<Self>,
        kin: &Kin,
        model: &str,
        tried: &[KeyId],
        patience: Duration,
    ) -> Result<Lease, Refusal> {
        self.lease_for(Want { kin: Some(kin), model, tried }, patience).await
    }

    async fn lease_for(
        self: &Arc<Self>,
        want: Want<'_>,
        patience: Duration,
    ) -> Result<Lease, Refusal> {
        let now = self.now();
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let waiting = {
            let mut state = self.state.lock();
            let refusal = match want.take(&mut state.pool, now) {
                Ok(id) => {
                    let lease = self.guard(&mut state, id);
                    drop(state);
                    return lease.ok_or(Refusal::NoUsableKey);
                }
                Err(refusal) => refusal,
            };
            let hope = want.hope(&mut state.pool, &refusal, now);
            let is_soon = |at: Time| patience_ms > 0 && at.millis_since(now) <= patience_ms;
            if !hope.is_some_and(is_soon) {
                return Err(refusal);
            }
            let Some(waiting) = state.line.join(want.kin, want.model, want.tried) else {
                return Err(refusal);
            };
            self.plan(&mut state);
            waiting
        };
        self.wait_in_line(waiting, want, patience).await
    }

    async fn wait_in_line(
        self: &Arc<Self>,
        waiting: Waiting,
        want: Want<'_>,
        patience: Duration,
    ) -> Result<Lease, Refusal> {
        let _place = Place { pool: self, ticket: waiting.ticket, model: want.model };
        // Bound to a name, so that a lease which arrives too late is given back before the lock
        // below is taken.
        let outcome = tokio::time::timeout(patience, waiting.lease).await;
        match outcome {
            Ok(Ok(lease)) => Ok(lease),
            // Too late, or the line was dissolved: say how things are at this moment.
            Ok(Err(oneshot::error::RecvError { .. })) | Err(_) => {
                let now = self.now();
                let mut state = self.state.lock();
                let id = want.take(&mut state.pool, now)?;
                let lease = self.guard(&mut state, id);
                drop(state);
                lease.ok_or(Refusal::NoUsableKey)
            }
        }
    }

    /// Whether whoever belongs to the one kin belongs to the other.
    pub fn are_kindred(&self, one: &Kin, other: &Kin) -> bool {
        let [one, other] = [one, other].map(|kin| self.kin(kin.key).unwrap_or_else(|| kin.clone()));
        one.key == other.key || (one.project.is_some() && one.project == other.project)
    }

    /// The kin of a key that is there.
    pub fn kin(&self, id: KeyId) -> Option<Kin> {
        self.state.lock().pool.kin(id)
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

    pub(super) fn settle(self: &Arc<Self>, id: LeaseId, verdict: Verdict, reason: &str) {
        let words = (!reason.is_empty()).then(|| cut(reason));
        self.change(|state, now| {
            state.leases.remove(&id);
            if let (Some(words), Some(model)) = (words, state.pool.leased_model(id)) {
                let model = Arc::clone(model);
                state.refusals.note(RefusedAttempt { key: id.key, model, at: now, verdict, words });
            }
            state.pool.settle(id, verdict, reason, now);
        });
    }

    /// Does something to the pool, then everything that may follow from it: waiters are served,
    /// changes are kept for the store, the keeper learns of an earlier deadline.
    pub(super) fn change<T>(self: &Arc<Self>, act: impl FnOnce(&mut State, Time) -> T) -> T {
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
        let served = line.serve(|kin, model, tried| {
            let id = Want { kin, model, tried }.take(&mut state.pool, now).ok()?;
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

/// Which key a request may take.
#[derive(Clone, Copy)]
struct Want<'a> {
    /// Whose keys alone will do, if any other will not.
    kin: Option<&'a Kin>,
    model: &'a str,
    tried: &'a [KeyId],
}

impl Want<'_> {
    fn take(self, pool: &mut Pool, now: Time) -> Result<LeaseId, Refusal> {
        match self.kin {
            Some(kin) => pool.lease_kin(kin, self.model, self.tried, now),
            None => pool.lease(self.model, self.tried, now),
        }
    }

    /// When a request that was refused may be served after all, if it waits.
    fn hope(self, pool: &mut Pool, refusal: &Refusal, now: Time) -> Option<Time> {
        match refusal {
            Refusal::NoUsableKey | Refusal::NotEntitled => None,
            // A busy key may be given back at any moment.
            Refusal::Busy { .. } => Some(now),
            Refusal::Resting { .. } | Refusal::Exhausted { .. } => match self.kin {
                Some(kin) => pool.next_return_of_kin(kin, self.model, self.tried, now),
                None => pool.next_return(self.model, self.tried, now),
            },
        }
    }
}

/// Wall time without a sign: a clock set before 1970 reads as 1970.
fn wall_ms(clock: &Clock) -> u64 {
    u64::try_from(clock.wall_ms()).unwrap_or(0)
}

fn shifted(from_ms: u64, by_ms: i128) -> u64 {
    u64::try_from(i128::from(from_ms) + by_ms).unwrap_or(0)
}
