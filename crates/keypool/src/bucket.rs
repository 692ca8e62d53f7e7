//! The state of one bucket and the step it makes for each kind of answer. Values in, values out.
//!
//! Two rules hold for every step. A bucket that rests already is not punished again for attempts that were
//! under way when the rest began: its level rises by one step at most. And no failure makes a rest shorter,
//! except that the end of a day's quota, which the upstream has stated, replaces any wait.

use crate::budget::{BucketRecord, BucketState};
use crate::policy::{Policy, STATED_WAIT_MS_MAX, STATED_WAIT_MS_MIN};
use crate::random::Random;
use crate::time::Time;

/// Why a bucket does not serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    #[default]
    None,
    Cooling {
        until: Time,
        /// From `until` to here it serves only if a health check was passed; from here on in any case.
        serves_at: Time,
        /// When the next health check is due, if one is wanted.
        check_at: Time,
    },
    Exhausted {
        until: Time,
    },
    NotEntitled,
    ModelDenied,
}

/// What one budget remembers of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) rest: Rest,
    pub(crate) level: u32,
    pub(crate) failures: u32,
}

impl Bucket {
    /// What the store has remembered, as it stands now.
    pub(crate) fn from_record(record: &BucketRecord, policy: &Policy, now: Time) -> Self {
        let rest = match record.state {
            BucketState::Ready => Rest::None,
            BucketState::Cooling { until, .. } => cooling(until, policy),
            BucketState::ExhaustedUntil { until } => Rest::Exhausted { until },
            BucketState::NotEntitled => Rest::NotEntitled,
            BucketState::ModelDenied => Rest::ModelDenied,
            BucketState::Proving => cooling(now, policy),
        };
        Self { rest, level: record.level, failures: record.failures }.settled(now)
    }

    /// The bucket of a key that may not use the model.
    pub(crate) fn denied(self) -> Self {
        Self { rest: Rest::ModelDenied, ..self }
    }

    /// Content came.
    pub(crate) fn healed(self) -> Self {
        Self { level: 0, failures: 0, ..self }
    }

    /// The upstream failed once more.
    pub(crate) fn after_fault(self, policy: &Policy, random: &mut Random, now: Time) -> Self {
        let failures = self.failures.saturating_add(1);
        if self.rests_at(now) || failures < policy.failure_threshold {
            return Self { failures, ..self };
        }
        let level = self.level.saturating_add(1);
        let until = now.plus_millis(policy.cool_down_wait_ms(level, random));
        Self { rest: cooling(until, policy), level, failures }
    }

    /// A 429 that says nothing about its length.
    pub(crate) fn after_rate_limit(self, policy: &Policy, random: &mut Random, now: Time) -> Self {
        if self.rests_at(now) {
            return self;
        }
        let level = self.level.saturating_add(1);
        let until = now.plus_millis(policy.rate_limit_wait_ms(level, random));
        Self { rest: cooling(until, policy), level, ..self }
    }

    /// A 429 that names its wait.
    pub(crate) fn after_stated_wait(self, wait_ms: u64, policy: &Policy, now: Time) -> Self {
        let until = now.plus_millis(wait_ms.clamp(STATED_WAIT_MS_MIN, STATED_WAIT_MS_MAX));
        let is_longer = match self.rest {
            Rest::None => true,
            Rest::Cooling { until: current, .. } | Rest::Exhausted { until: current } => {
                current < until
            }
            Rest::NotEntitled | Rest::ModelDenied => false,
        };
        match is_longer {
            true => Self { rest: cooling(until, policy), ..self },
            false => self,
        }
    }

    /// The day's quota is gone.
    pub(crate) fn after_exhaustion(self, until: Time) -> Self {
        match self.rest {
            Rest::None | Rest::Cooling { .. } | Rest::Exhausted { .. } => {
                Self { rest: Rest::Exhausted { until }, ..self }
            }
            Rest::NotEntitled | Rest::ModelDenied => self,
        }
    }

    /// There is no quota at all.
    pub(crate) fn after_zero_quota(self) -> Self {
        match self.rest {
            Rest::ModelDenied => self,
            Rest::None | Rest::Cooling { .. } | Rest::Exhausted { .. } | Rest::NotEntitled => {
                Self { rest: Rest::NotEntitled, ..self }
            }
        }
    }

    /// The bucket serves again; level and failures stay until content comes.
    pub(crate) fn released(self) -> Self {
        Self { rest: Rest::None, ..self }
    }

    /// The bucket without a rest that is over.
    pub(crate) fn settled(self, now: Time) -> Self {
        match self.rests_at(now) {
            true => self,
            false => self.released(),
        }
    }

    /// The health check that is due is under way: the next one is an interval away.
    pub(crate) fn checked(self, interval_ms: u64, now: Time) -> Self {
        match self.rest {
            Rest::Cooling { until, serves_at, .. } => {
                let check_at = now.plus_millis(interval_ms.max(1));
                Self { rest: Rest::Cooling { until, serves_at, check_at }, ..self }
            }
            Rest::None | Rest::Exhausted { .. } | Rest::NotEntitled | Rest::ModelDenied => self,
        }
    }

    /// Nothing to remember.
    pub(crate) fn is_blank(self) -> bool {
        self == Self::default()
    }

    /// Whether its key may not use the model.
    pub(crate) fn is_denied(self) -> bool {
        self.rest == Rest::ModelDenied
    }

    /// Whether it has a rest, be it over or not.
    pub(crate) fn has_rest(self) -> bool {
        self.rest != Rest::None
    }

    /// Whether it rests at a time.
    pub(crate) fn rests_at(self, now: Time) -> bool {
        self.has_rest() && self.returns_at().is_none_or(|returns_at| now < returns_at)
    }

    /// When it serves again by itself; never after a denial.
    pub(crate) fn returns_at(self) -> Option<Time> {
        match self.rest {
            Rest::Cooling { serves_at, .. } => Some(serves_at),
            Rest::Exhausted { until } => Some(until),
            Rest::None | Rest::NotEntitled | Rest::ModelDenied => None,
        }
    }

    /// When a health check is due that could bring it back sooner.
    pub(crate) fn check_at(self) -> Option<Time> {
        match self.rest {
            Rest::Cooling { serves_at, check_at, .. } => (check_at < serves_at).then_some(check_at),
            Rest::None | Rest::Exhausted { .. } | Rest::NotEntitled | Rest::ModelDenied => None,
        }
    }

    /// What people and the store are told.
    pub(crate) fn state(self, now: Time) -> BucketState {
        match self.settled(now).rest {
            Rest::None => BucketState::Ready,
            Rest::Cooling { until, .. } if until <= now => BucketState::Proving,
            Rest::Cooling { until, .. } => BucketState::Cooling { until, level: self.level },
            Rest::Exhausted { until } => BucketState::ExhaustedUntil { until },
            Rest::NotEntitled => BucketState::NotEntitled,
            Rest::ModelDenied => BucketState::ModelDenied,
        }
    }

    pub(crate) fn record(self, model: &str, now: Time) -> BucketRecord {
        BucketRecord {
            model: model.to_owned(),
            state: self.state(now),
            level: self.level,
            failures: self.failures,
        }
    }
}

fn cooling(until: Time, policy: &Policy) -> Rest {
    let serves_at = until.plus_millis(policy.proving_ms_max());
    Rest::Cooling { until, serves_at, check_at: until }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000_000);

    #[test]
    fn faults_below_the_threshold_are_only_counted() {
        let bucket = faults(2);

        assert_eq!((bucket.failures, bucket.state(NOW)), (2, BucketState::Ready));
    }

    #[test]
    fn faults_at_the_threshold_cool_and_a_sick_bucket_cools_again_at_its_first_fault() {
        let bucket = faults(3);
        let back = bucket.returns_at().unwrap();
        let again = bucket.settled(back).after_fault(&Policy::default(), &mut random(), back);

        waits(bucket, NOW, 300_000);
        waits(again, back, 600_000);
        assert_eq!((again.level, again.failures), (2, 4));
    }

    #[test]
    fn a_threshold_of_zero_means_one() {
        let policy = Policy { failure_threshold: 0, ..Policy::default() };

        waits(Bucket::default().after_fault(&policy, &mut random(), NOW), NOW, 300_000);
    }

    #[test]
    fn a_resting_bucket_does_not_escalate() {
        let policy = Policy::default();
        let bucket = Bucket::default().after_rate_limit(&policy, &mut random(), NOW);

        assert_eq!(bucket.after_rate_limit(&policy, &mut random(), NOW), bucket);
        assert_eq!(bucket.after_fault(&policy, &mut random(), NOW).rest, bucket.rest);
    }

    #[test]
    fn a_rate_limit_without_details_doubles_with_repeats_until_content_comes() {
        let policy = Policy::default();
        let first = Bucket::default().after_rate_limit(&policy, &mut random(), NOW);
        let second = first.released().after_rate_limit(&policy, &mut random(), NOW);
        let healed = second.released().healed();

        waits(first, NOW, 90_000);
        waits(second, NOW, 180_000);
        assert!(healed.is_blank());
    }

    #[test]
    fn a_stated_wait_is_taken_between_a_second_and_a_day() {
        let stated =
            |wait_ms| Bucket::default().after_stated_wait(wait_ms, &Policy::default(), NOW);

        for (wait_ms, expected_ms) in [(7_000, 7_000), (0, 1_000), (u64::MAX, 86_400_000)] {
            assert_eq!(stated(wait_ms).returns_at(), Some(NOW.plus_millis(expected_ms)));
        }
        assert_eq!(stated(7_000).level, 0);
    }

    #[test]
    fn no_failure_makes_a_rest_shorter() {
        let policy = Policy::default();
        let bucket = Bucket::default().after_stated_wait(60_000, &policy, NOW);

        assert_eq!(bucket.after_stated_wait(7_000, &policy, NOW), bucket);
        let denied = Bucket::default().denied();
        for other in [
            denied.after_stated_wait(7_000, &policy, NOW),
            denied.after_exhaustion(NOW),
            denied.after_zero_quota(),
        ] {
            assert_eq!(other, denied);
        }
    }

    #[test]
    fn the_end_of_the_days_quota_is_taken_literally() {
        let midnight = NOW.plus_millis(12_345);
        let cooling = Bucket::default().after_stated_wait(60_000, &Policy::default(), NOW);

        let exhausted = cooling.after_exhaustion(midnight);

        assert_eq!(exhausted.state(NOW), BucketState::ExhaustedUntil { until: midnight });
        assert_eq!(exhausted.state(midnight), BucketState::Ready);
    }

    #[test]
    fn a_zero_quota_has_no_end() {
        let bucket = Bucket::default().after_zero_quota();

        assert!(bucket.rests_at(Time::from_millis(u64::MAX)));
        assert_eq!(bucket.returns_at(), None);
    }

    #[test]
    fn a_bucket_that_must_prove_itself_serves_after_three_intervals_at_the_latest() {
        let policy = Policy { check_health_after_cool_down: true, ..Policy::default() };
        let bucket = Bucket::default().after_stated_wait(10_000, &policy, NOW);
        let until = NOW.plus_millis(10_000);

        assert_eq!(bucket.check_at(), Some(until));
        assert_eq!(bucket.state(until), BucketState::Proving);
        assert_eq!(bucket.returns_at(), Some(until.plus_millis(15_000)));
        assert_eq!(bucket.checked(5_000, until).check_at(), Some(until.plus_millis(5_000)));
        assert_eq!(bucket.checked(15_000, until).check_at(), None);
    }

    #[test]
    fn a_bucket_survives_the_store() {
        let policy = Policy::default();
        for bucket in [
            faults(2),
            faults(3),
            faults(3).after_exhaustion(NOW.plus_millis(5)),
            faults(1).denied(),
        ] {
            let record = bucket.record("m", NOW);
            assert_eq!(Bucket::from_record(&record, &policy, NOW), bucket);
        }
    }

    fn faults(count: u32) -> Bucket {
        let mut random = random();
        (0..count).fold(Bucket::default(), |bucket, _| {
            bucket.after_fault(&Policy::default(), &mut random, NOW)
        })
    }

    fn waits(bucket: Bucket, now: Time, expected_ms: u64) {
        let wait_ms = bucket.returns_at().unwrap().millis_since(now);
        let tenth = expected_ms / 10;
        assert!((expected_ms - tenth..=expected_ms + tenth).contains(&wait_ms), "{wait_ms} ms");
    }

    fn random() -> Random {
        Random::new(1)
    }
}
