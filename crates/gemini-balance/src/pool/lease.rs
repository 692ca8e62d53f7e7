//! A lease: a service key in use, as a guard.
//!
//! It comes back exactly once: with a verdict, or on drop without one, which means that the
//! caller left and nothing was learnt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keypool::{LeaseId, Time, Verdict};

use super::{KeyPool, ServiceKey};

/// A service key in use.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<KeyPool>,
    id: LeaseId,
    key: Arc<ServiceKey>,
    activity: Arc<Activity>,
    is_settled: bool,
}

/// When a byte last moved under a lease, on the pool's line of time: written by the request without
/// a lock, read by the keeper before it declares a lease stuck.
#[derive(Debug)]
pub(super) struct Activity(AtomicU64);

impl Activity {
    pub(super) fn new(now: Time) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    pub(super) fn last(&self) -> Time {
        Time::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl Lease {
    pub(super) fn new(
        pool: Arc<KeyPool>,
        id: LeaseId,
        key: Arc<ServiceKey>,
        activity: Arc<Activity>,
    ) -> Self {
        Self { pool, id, key, activity, is_settled: false }
    }

    /// The key to send.
    pub fn key(&self) -> &Arc<ServiceKey> {
        &self.key
    }

    /// Notes that a byte has moved, so that the lease is not taken for stuck; `now_ms` is on the
    /// monotonic clock.
    pub fn touch(&self, now_ms: u64) {
        let now = self.pool.time_of_monotonic(now_ms);
        self.activity.0.store(now.as_millis(), Ordering::Relaxed);
    }

    /// Gives the key back with what the attempt has taught; `reason` is the upstream's words,
    /// redacted.
    pub fn settle(mut self, verdict: Verdict, reason: &str) {
        self.is_settled = true;
        self.pool.settle(self.id, verdict, reason);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_settled {
            self.pool.settle(self.id, Verdict::Blameless, "");
        }
    }
}
