//! How many second tries the whole pool may make while many keys fail alike: a fifth of its requests, and ten a
//! second beside.
//!
//! When the upstream is down every request wants its second try. The budget keeps the load we add to its
//! misery below 1.2 times what our callers send. Nothing is saved up: a quiet hour pays for one second.

use crate::time::Time;

/// The budget counts in thousandths of a retry.
const RETRY: u64 = 1_000;
const PER_REQUEST: u64 = RETRY / 5;
const PER_MILLISECOND: u64 = 10 * RETRY / 1_000;
const SAVED_MAX: u64 = 10 * RETRY;

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    saved: u64,
    filled_at: Time,
}

impl RetryBudget {
    pub(crate) const fn new() -> Self {
        Self { saved: SAVED_MAX, filled_at: Time::from_millis(0) }
    }

    /// A request of a caller pays its fifth in.
    pub(crate) fn count_request(&mut self, now: Time) {
        self.fill(now);
        self.saved = (self.saved + PER_REQUEST).min(SAVED_MAX);
    }

    /// Takes one retry out, if there is one.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        self.fill(now);
        match self.saved.checked_sub(RETRY) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }

    fn fill(&mut self, now: Time) {
        let earned = now.millis_since(self.filled_at).saturating_mul(PER_MILLISECOND);
        self.saved = self.saved.saturating_add(earned).min(SAVED_MAX);
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_failures_costs_a_fifth_of_the_requests_and_ten_a_second() {
        let mut budget = RetryBudget::new();
        let mut retries = 0;

        for millis in (0..60_000).step_by(2) {
            let now = Time::from_millis(millis);
            budget.count_request(now);
            retries += (0..2).filter(|_| budget.take(now)).count();
        }

        assert!((6_590..=6_610).contains(&retries), "{retries} retries for 30000 requests");
    }

    #[test]
    fn a_quiet_hour_saves_no_more_than_a_second() {
        let mut budget = RetryBudget::new();
        let now = Time::from_millis(3_600_000);

        assert_eq!((0..100).filter(|_| budget.take(now)).count(), 10);
        assert!(!budget.take(now.plus_millis(99)));
        assert!(budget.take(now.plus_millis(100)));
    }

    #[test]
    fn a_reading_from_the_past_earns_nothing() {
        let mut budget = RetryBudget::new();
        let now = Time::from_millis(5_000);
        while budget.take(now) {}

        assert!(!budget.take(Time::from_millis(0)));
        assert!(!budget.take(now));
    }
}
