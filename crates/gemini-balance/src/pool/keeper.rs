//! The keeper: one task that does what only time can ask for, and one that remembers.
//!
//! [`keep`] sleeps to the pool's next deadline, returns what time has freed, takes back stuck
//! leases and starts probes. [`remember`] writes changes to the store within a second.

use std::sync::Arc;
use std::time::Duration;

use keypool::{LeaseId, Probe, Time};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::live::State;
use super::{KeyPool, Prober};
use crate::lifecycle::Lifecycle;
use crate::store::Store;

/// Longest sleep: stuck leases are looked for this often.
const SLEEP_MAX: Duration = Duration::from_secs(15);
/// Most probes under way at once.
const PROBES_MAX: usize = 4;
/// How long changes gather before they are written together.
const GATHER: Duration = Duration::from_millis(250);
/// Pause after the store refused a write, which is logged each time.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// Keeps the pool in step with time until the shutdown begins.
pub async fn keep(pool: Arc<KeyPool>, prober: Arc<Prober>, lifecycle: Lifecycle) {
    let mut probes: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pool.until_next_deadline()) => {}
            () = pool.keeper.notified() => {}
            Some(_) = probes.join_next(), if !probes.is_empty() => {}
            () = lifecycle.draining().cancelled() => return,
        }
        pool.pass_time();
        let due = pool.probes_due(PROBES_MAX.saturating_sub(probes.len()));
        for probe in due {
            let pool = Arc::clone(&pool);
            let prober = Arc::clone(&prober);
            probes.spawn(async move { pool.probe(&prober, probe).await });
        }
    }
}

/// Writes what the pool has learnt to the store, until the shutdown has drained and once more
/// at its end.
pub async fn remember(pool: Arc<KeyPool>, store: Store, lifecycle: Lifecycle) {
    let drained = lifecycle.drained();
    loop {
        tokio::select! {
            biased;
            () = drained.cancelled() => break,
            () = pool.remember.notified() => {}
        }
        pause(GATHER, drained).await;
        if let Err(error) = pool.save_learnt(&store).await {
            tracing::warn!(%error, "key states could not be stored; trying again");
            pause(STORE_PAUSE, drained).await;
            pool.remember.notify_one();
        }
    }
    if let Err(error) = pool.save_learnt(&store).await {
        tracing::error!(%error, "key states learnt last could not be stored");
    }
}

/// Waits for `time`, or for the signal if it comes first.
async fn pause(time: Duration, signal: &CancellationToken) {
    drop(tokio::time::timeout(time, signal.cancelled()).await);
}

impl KeyPool {
    fn until_next_deadline(&self) -> Duration {
        let now = self.now();
        let mut state = self.state.lock();
        state.keeper_until = state.pool.next_deadline();
        let wait_ms = state.keeper_until.map(|deadline| deadline.millis_since(now));
        wait_ms.map_or(SLEEP_MAX, |ms| Duration::from_millis(ms).min(SLEEP_MAX))
    }

    /// Returns what time has freed, and takes back leases under which nothing moves.
    fn pass_time(self: &Arc<Self>) {
        self.change(|state, now| {
            state.pool.tick(now);
            for lease in state.pool.overdue(now) {
                state.renew_or_take_back(lease, now);
            }
        });
    }

    fn probes_due(&self, room: usize) -> Vec<Probe> {
        let now = self.now();
        self.state.lock().pool.probes_due(now, room)
    }

    async fn probe(self: &Arc<Self>, prober: &Prober, probe: Probe) {
        let outcome = match self.key(probe.key) {
            Some(key) => prober.probe(&key, probe.model.as_deref()).await.outcome(),
            None => keypool::ProbeOutcome::Failed,
        };
        self.change(|state, now| state.pool.settle_probe(&probe, outcome, now));
    }
}

impl State {
    /// A lease is stuck only when no byte has moved: a living stream of two hours is not.
    fn renew_or_take_back(&mut self, lease: LeaseId, now: Time) {
        let last_moved = self.leases.get(&lease).map(|activity| activity.last());
        match last_moved {
            Some(last) if now.millis_since(last) < self.lease_idle_ms_max => {
                self.pool.renew(lease, last);
            }
            Some(_) | None => {
                self.leases.remove(&lease);
                self.leases_taken_back += u64::from(self.pool.take_back(lease, now));
            }
        }
    }
}
