//! How long a failure lasts: the settings of the operator and the constants of the house.

use crate::random::Random;

/// A wait that the upstream has stated is never taken for less than this.
pub(crate) const STATED_WAIT_MS_MIN: u64 = 1_000;
/// A wait that the upstream has stated is never taken for more than this (24 h).
pub(crate) const STATED_WAIT_MS_MAX: u64 = 24 * HOUR_MS;
/// A cooled bucket that must pass a health check first serves without one after this many intervals: a probe
/// that fails for reasons of its own must not keep a key away for good.
pub(crate) const PROVING_INTERVALS_MAX: u64 = 3;

const HOUR_MS: u64 = 3_600_000;
/// First and longest rest of a project whose credit is gone.
const NO_CREDIT_MS: (u64, u64) = (HOUR_MS, 12 * HOUR_MS);
/// First and longest time between two probes of a key that was turned away.
const PROBE_MS: (u64, u64) = (HOUR_MS, 12 * HOUR_MS);

/// What an operator may set. A change counts for what happens from then on; rests in force keep their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Upstream faults in a row after which a bucket cools; 0 counts as 1.
    pub failure_threshold: u32,
    /// The first cool-down after faults, in milliseconds; it doubles with each further one.
    pub cool_down_ms: u64,
    /// The longest cool-down the pool decides by itself, in milliseconds.
    pub cool_down_ms_max: u64,
    /// The first wait after a 429 that says nothing about its length, in milliseconds; it doubles with repeats.
    pub rate_limit_wait_ms: u64,
    /// Leases one key may have out at a time; 0 means any number.
    pub key_concurrency_max: u32,
    /// A lease that was not renewed for longer than this is overdue, in milliseconds.
    pub lease_idle_ms_max: u64,
    /// Whether a cooled bucket must pass a health check before it serves.
    pub check_health_after_cool_down: bool,
    /// Time between two health checks of a cooled bucket, and between two probes during common trouble.
    pub health_check_interval_ms: u64,
}

impl Default for Policy {
    /// The defaults that operators of the Python version know.
    fn default() -> Self {
        Self {
            failure_threshold: 3,
            cool_down_ms: 300_000,
            cool_down_ms_max: 43_200_000,
            rate_limit_wait_ms: 90_000,
            key_concurrency_max: 0,
            lease_idle_ms_max: 300_000,
            check_health_after_cool_down: false,
            health_check_interval_ms: 5_000,
        }
    }
}

impl Policy {
    /// How long the `level`-th cool-down in a row lasts after faults, jittered, never above the maximum.
    pub(crate) fn cool_down_wait_ms(&self, level: u32, random: &mut Random) -> u64 {
        jittered_below(self.cool_down_ms, level, self.cool_down_ms_max, random)
    }

    /// How long the `level`-th rest in a row lasts after a 429 without details, likewise.
    pub(crate) fn rate_limit_wait_ms(&self, level: u32, random: &mut Random) -> u64 {
        jittered_below(self.rate_limit_wait_ms, level, self.cool_down_ms_max, random)
    }

    /// How long a cooled bucket may be kept for a health check; 0 if none is wanted.
    pub(crate) fn proving_ms_max(&self) -> u64 {
        match self.check_health_after_cool_down {
            true => self.health_check_interval_ms.saturating_mul(PROVING_INTERVALS_MAX),
            false => 0,
        }
    }

    /// Whether a key with so many leases out may take one more.
    pub(crate) fn has_free_slot(&self, leases: u32) -> bool {
        self.key_concurrency_max == 0 || leases < self.key_concurrency_max
    }
}

/// How long the `level`-th refusal in a row for lack of credit lasts.
pub(crate) fn no_credit_wait_ms(level: u32, random: &mut Random) -> u64 {
    jittered_below(NO_CREDIT_MS.0, level, NO_CREDIT_MS.1, random)
}

/// How long the pool waits before the `turn`-th probe (1 is the first) of a key that was turned away.
pub(crate) fn probe_wait_ms(turn: u32, random: &mut Random) -> u64 {
    jittered_below(PROBE_MS.0, turn, PROBE_MS.1, random)
}

/// `base_ms` doubled `level - 1` times, moved by up to a tenth, and at most `cap_ms`.
fn jittered_below(base_ms: u64, level: u32, cap_ms: u64, random: &mut Random) -> u64 {
    let factor = 1_u64.checked_shl(level.saturating_sub(1)).unwrap_or(u64::MAX);
    let wait_ms = base_ms.saturating_mul(factor).min(cap_ms);
    random.jittered(wait_ms).min(cap_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cool_downs_double_up_to_the_cap_and_never_above() {
        let policy = Policy::default();
        let mut random = Random::new(1);

        for (level, expected_s) in [(1, 300), (2, 600), (3, 1_200), (8, 38_400), (9, 43_200)] {
            check(policy.cool_down_wait_ms(level, &mut random), expected_s * 1_000);
        }
        for level in [10, 63, 64, 65, u32::MAX] {
            let wait_ms = policy.cool_down_wait_ms(level, &mut random);
            check(wait_ms, 43_200_000);
            assert!(wait_ms <= 43_200_000, "level {level} waits {wait_ms}");
        }
    }

    #[test]
    fn each_reason_to_wait_has_its_own_first_step() {
        let mut random = Random::new(1);

        check(Policy::default().rate_limit_wait_ms(2, &mut random), 180_000);
        check(no_credit_wait_ms(1, &mut random), 3_600_000);
        check(no_credit_wait_ms(5, &mut random), 43_200_000);
        check(probe_wait_ms(3, &mut random), 14_400_000);
    }

    #[test]
    fn no_limit_means_there_is_always_a_slot() {
        let limited = Policy { key_concurrency_max: 2, ..Policy::default() };

        assert!(Policy::default().has_free_slot(u32::MAX));
        assert!(limited.has_free_slot(1) && !limited.has_free_slot(2));
    }

    fn check(wait_ms: u64, expected_ms: u64) {
        let tenth = expected_ms / 10;
        assert!(
            expected_ms - tenth <= wait_ms && wait_ms <= expected_ms + tenth,
            "{wait_ms} is not {expected_ms} +- 10 %"
        );
    }
}
