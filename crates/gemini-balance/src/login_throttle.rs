//! How often a password may be tried: per address, and by all addresses together.
//!
//! Tries are forgotten exponentially, so there is no window to wait for and nothing to reset. The
//! number of addresses remembered is bounded; times are monotonic milliseconds and passed in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;

/// Tries that one address has before it must wait.
const ADDRESS_TRIES_MAX: f64 = 10.0;

/// Tries that all addresses have together before everybody without a session must wait.
const GLOBAL_TRIES_MAX: f64 = 100.0;

/// After this time half of the tries are forgotten; then about seven a minute remain per address.
const HALF_LIFE_MS: f64 = 60_000.0;

/// Addresses remembered one by one; the others share one count.
const ADDRESSES_MAX: usize = 10_000;

/// Too many tries: when the next one may be made, for `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many login attempts; try again in {} s", .retry_after.as_secs())]
pub struct Throttled {
    /// At least this long, in whole seconds.
    pub retry_after: Duration,
}

/// Counts password tries per address and overall.
#[derive(Debug, Default)]
pub struct LoginThrottle {
    tries: Mutex<Tries>,
}

#[derive(Debug, Default)]
struct Tries {
    by_address: HashMap<IpAddr, Score>,
    global: Score,
    swept_at_ms: u64,
}

impl LoginThrottle {
    /// Counts one try from `address`, or says how long it must wait. Every admitted try counts,
    /// also one whose caller leaves before the answer.
    ///
    /// # Errors
    ///
    /// [`Throttled`] when the address, or all of them together, tried too often.
    pub fn admit(&self, address: IpAddr, now_ms: u64) -> Result<(), Throttled> {
        let tries = &mut *self.tries.lock();
        tries.global.allows(GLOBAL_TRIES_MAX, now_ms)?;
        tries.score(address, now_ms).count(ADDRESS_TRIES_MAX, now_ms)?;
        tries.global.add(now_ms);
        Ok(())
    }

    /// Like [`LoginThrottle::admit`] for somebody with a living session (who changes the password,
    /// say): an attack from elsewhere does not lock them out.
    ///
    /// # Errors
    ///
    /// [`Throttled`] when this address tried too often.
    pub fn admit_session(&self, address: IpAddr, now_ms: u64) -> Result<(), Throttled> {
        self.tries.lock().score(address, now_ms).count(ADDRESS_TRIES_MAX, now_ms)
    }

    /// The password was right: the tries of this address are forgiven.
    pub fn succeeded(&self, address: IpAddr) {
        self.tries.lock().by_address.remove(&network(address));
    }
}

impl Tries {
    fn score(&mut self, address: IpAddr, now_ms: u64) -> &mut Score {
        let mut address = network(address);
        if self.by_address.len() >= ADDRESSES_MAX && !self.by_address.contains_key(&address) {
            self.sweep(now_ms);
            if self.by_address.len() >= ADDRESSES_MAX {
                // Nobody real comes from here, so it can stand for all who found no place.
                address = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        self.by_address.entry(address).or_default()
    }

    /// Drops who is as good as forgotten; at most once a second, for it visits all.
    fn sweep(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_at_ms) >= 1_000 {
            self.swept_at_ms = now_ms;
            self.by_address.retain(|_, score| score.at(now_ms) >= 0.5);
        }
    }
}

/// One subscriber of an IPv6 network owns all of its last 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

/// A number of tries that melts with time.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    tries: f64,
    as_of_ms: u64,
}

impl Score {
    fn at(self, now_ms: u64) -> f64 {
        let passed_ms = now_ms.saturating_sub(self.as_of_ms) as f64;
        self.tries * (-passed_ms / HALF_LIFE_MS).exp2()
    }

    fn allows(self, tries_max: f64, now_ms: u64) -> Result<(), Throttled> {
        let tries = self.at(now_ms);
        if tries + 1.0 <= tries_max {
            return Ok(());
        }
        let wait_ms = HALF_LIFE_MS * (tries / (tries_max - 1.0)).log2();
        let wait = Duration::try_from_secs_f64((wait_ms / 1_000.0).ceil()).unwrap_or_default();
        Err(Throttled { retry_after: wait.max(Duration::from_secs(1)) })
    }

    fn add(&mut self, now_ms: u64) {
        *self = Self { tries: self.at(now_ms) + 1.0, as_of_ms: now_ms };
    }

    fn count(&mut self, tries_max: f64, now_ms: u64) -> Result<(), Throttled> {
        self.allows(tries_max, now_ms)?;
        self.add(now_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_tries_an_address_must_wait_and_others_need_not() {
        let throttle = LoginThrottle::default();
        for _ in 0..10 {
            throttle.admit(address(1), 0).unwrap();
        }

        let refused = throttle.admit(address(1), 0).unwrap_err();

        assert_eq!(refused.retry_after, Duration::from_secs(10));
        assert!(throttle.admit(address(2), 0).is_ok());
    }

    #[test]
    fn who_waits_as_told_is_admitted() {
        let throttle = LoginThrottle::default();
        let mut now_ms = 0;
        for _ in 0..100 {
            if let Err(throttled) = throttle.admit(address(1), now_ms) {
                now_ms += u64::try_from(throttled.retry_after.as_millis()).unwrap();
                throttle.admit(address(1), now_ms).unwrap();
            }
        }
    }

    #[test]
    fn a_right_password_forgives_the_wrong_ones() {
        let throttle = LoginThrottle::default();
        for _ in 0..10 {
            throttle.admit(address(1), 0).unwrap();
        }

        throttle.succeeded(address(1));

        assert!(throttle.admit(address(1), 0).is_ok());
    }

    #[test]
    fn an_attack_from_many_addresses_is_slowed_but_leaves_sessions_alone() {
        let throttle = LoginThrottle::default();
        let admitted = (0..1_000).filter(|host| throttle.admit(address(*host), 0).is_ok()).count();

        assert_eq!(admitted, 100);
        assert!(throttle.admit_session(address(2_000), 0).is_ok());
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_count_as_one() {
        let throttle = LoginThrottle::default();
        let host = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host));
        for number in 0..10 {
            throttle.admit(host(number), 0).unwrap();
        }

        assert!(throttle.admit(host(11), 0).is_err());
    }

    #[test]
    fn memory_stays_bounded_and_newcomers_share_what_is_left() {
        let throttle = LoginThrottle::default();
        for host in 0..20_000 {
            let _ = throttle.admit_session(address(host), 5_000);
        }

        assert_eq!(throttle.tries.lock().by_address.len(), ADDRESSES_MAX + 1);
        assert!(throttle.admit_session(address(30_000), 5_000).is_err());
        assert!(throttle.admit_session(address(30_000), 3_600_000).is_ok());
        assert_eq!(throttle.tries.lock().by_address.len(), 1);
    }

    fn address(host: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + host).into())
    }
}
