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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use keypool::{KeyId, KeyRecord, Policy, Verdict};
    use tracing_subscriber::layer::{Context, SubscriberExt};
    use tracing_subscriber::{Layer, Registry};

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::pool::{ServiceKey, policy};
    use crate::secret::Secret;
    use crate::store::tests::TestStore;

    const MINUTE_MS: u32 = 60_000;

    #[tokio::test]
    async fn a_stream_of_two_hours_is_never_stuck_and_one_that_stops_is_after_its_time() {
        let clock = Clock::manual(1_800_043_200_000);
        let pool = pool(&clock);
        let lease = pool.lease_key(KeyId(1), "m").unwrap();

        for _ in 0..120 {
            clock.advance(MINUTE_MS);
            lease.touch(clock.monotonic_ms());
            pool.pass_time();
        }
        assert_eq!(pool.counts().leases, 1);
        clock.advance(5 * MINUTE_MS);
        pool.pass_time();
        assert_eq!(pool.counts().leases, 1);
        clock.advance(1);
        pool.pass_time();

        assert_eq!((pool.counts().leases, pool.leases_taken_back()), (0, 1));
        drop(lease);
        assert_eq!(pool.counts().leases, 0, "a late return changes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_is_asked_again_and_again_and_complained_of_seldom() {
        let complaints = Arc::<AtomicUsize>::default();
        let ear = Registry::default().with(Complaints(Arc::clone(&complaints)));
        let _listening = tracing::subscriber::set_default(ear);
        let store = TestStore::new();
        store.close().await;
        let pool = pool(&Clock::manual(0));
        let lifecycle = Lifecycle::default();
        let remembering = remember(Arc::clone(&pool), (*store).clone(), lifecycle.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(remembering);
        pool.lease_key(KeyId(1), "m").unwrap().settle(Verdict::Cooling { wait_ms: 7_000 }, "");

        for spans in 1..=60 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let said = complaints.load(Ordering::Relaxed);
            assert!(0 < said && said <= spans, "{said} lines in {spans}0 seconds");
        }
        let began = tokio::time::Instant::now();
        lifecycle.end_drain();
        tasks.join_next().await.unwrap().unwrap();

        assert_eq!(began.elapsed(), Duration::ZERO, "the end does not wait for the next attempt");
    }

    #[test]
    fn a_lease_is_not_stuck_while_its_request_may_still_be_waited_for() {
        let idle_ms_max = |settings: [(&str, &str); 3]| {
            let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let directory = tempfile::tempdir().unwrap();
            let config = Config::load(settings.into_iter(), directory.path()).unwrap();
            policy(&config).lease_idle_ms_max
        };
        let [key, request, idle] = [
            "KEY_IN_USE_TIMEOUT_SECONDS",
            "REQUEST_TIMEOUT_SECONDS",
            "STREAM_IDLE_TIMEOUT_SECONDS",
        ];

        assert_eq!(idle_ms_max([(key, "300"), (request, "120"), (idle, "120")]), 300_000);
        assert_eq!(idle_ms_max([(key, "300"), (request, "900"), (idle, "600")]), 1_500_000);
    }

    /// A pool with one key.
    fn pool(clock: &Clock) -> Arc<KeyPool> {
        let pool = KeyPool::new(Policy::default(), 1, clock.clone());
        let key = ServiceKey {
            id: KeyId(1),
            brief: String::new(),
            identifier: String::new(),
            secret: Secret::new("service-key-1".to_owned()),
        };
        pool.add(key, KeyRecord::new(KeyId(1), pool.now()));
        pool
    }

    /// Counts warnings and worse.
    struct Complaints(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> Layer<S> for Complaints {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            if *event.metadata().level() <= tracing::Level::WARN {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
