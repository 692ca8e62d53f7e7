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
mod live;
mod members;
mod memory;
mod news;
mod probe;
mod refusals;
mod shown;

pub use keeper::{keep, remember};
use keypool::{KeyId, Policy};
pub use lease::Lease;
pub use live::KeyPool;
pub use memory::{load, seal_context, take_in};
pub use news::{BucketNews, KeyNews, PoolNews, ProjectNews, TroubleNews};
pub use probe::{Probed, Prober};
pub use refusals::RefusedAttempt;

use crate::config::Config;
use crate::secret::Secret;

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
