//! What one attempt means: for the key that was used, and for the request that used it.
//!
//! This is the table of the pool's documentation as code, and nothing else decides: a new shape
//! of failure becomes a kind in `dialect::failure` and a row here.

use dialect::FailureKind;
use keypool::{Time, Verdict};

use crate::proxy::attempt::{Fault, Outcome};

/// What happens to the request after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The answer goes to the caller.
    Deliver,
    /// The upstream's refusal goes to the caller as it came: another key would not change it.
    PassOn,
    /// Another key is tried at once; this try cost the request nothing.
    OtherKey,
    /// Another try, which counts: the upstream itself is at fault.
    OtherTry,
    /// The fault is the gateway's own; trying again would repeat it.
    GiveUp,
}

/// What is known besides the answer itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// The next midnight in California, when daily quotas return.
    pub(super) quota_midnight: Time,
    /// How long a bucket cools when a quota per minute is named without a time, in ms.
    pub(super) minute_wait_ms: u64,
}

/// Judges an attempt; `circumstances` are looked up only for a refusal.
pub(super) fn judge(
    outcome: &Outcome,
    circumstances: impl FnOnce() -> Circumstances,
) -> (Verdict, Next) {
    match outcome {
        // The verdict on an accepted answer is spoken at its end.
        Outcome::Accepted(_) => (Verdict::Healthy, Next::Deliver),
        Outcome::Refused(refused) => {
            judge_failure(refused.failure.kind, refused.wait_ms(), circumstances())
        }
        Outcome::Fault(fault) => judge_fault(*fault),
    }
}

/// Judges an attempt without a usable answer.
pub(super) fn judge_fault(fault: Fault) -> (Verdict, Next) {
    match fault {
        // The way is at fault, or the base URL: no key has been looked at.
        Fault::ConnectTimeout | Fault::Connect | Fault::Proxy | Fault::Tls | Fault::Redirect => {
            (Verdict::Unreached, Next::OtherTry)
        }
        Fault::Lost
        | Fault::Protocol
        | Fault::HeadTimeout
        | Fault::ContentTimeout
        | Fault::Empty
        | Fault::Malformed
        | Fault::Truncated
        | Fault::StreamIdle => (Verdict::Faulty, Next::OtherTry),
        Fault::OwnRequest => (Verdict::Blameless, Next::GiveUp),
    }
}

/// Judges a refusal, be it the whole answer or the end of a stream; `stated` is how long the
/// upstream asks us to wait, in ms.
pub(super) fn judge_failure(
    kind: FailureKind,
    stated: Option<u64>,
    circumstances: Circumstances,
) -> (Verdict, Next) {
    match kind {
        FailureKind::KeyInvalid => (Verdict::Invalid, Next::OtherKey),
        FailureKind::KeySuspended => (Verdict::Suspended, Next::OtherKey),
        FailureKind::NoCredit => (Verdict::NoCredit, Next::OtherKey),
        FailureKind::ModelDenied => (Verdict::ModelDenied, Next::OtherKey),
        // The resource belongs to another key: that one may have it, and no key is to blame.
        FailureKind::ResourceDenied => (Verdict::Blameless, Next::OtherKey),
        FailureKind::QuotaPerDay => {
            (Verdict::ExhaustedUntil { until: circumstances.quota_midnight }, Next::OtherKey)
        }
        FailureKind::QuotaPerMinute => {
            let wait_ms = stated.unwrap_or(circumstances.minute_wait_ms);
            (Verdict::Cooling { wait_ms }, Next::OtherKey)
        }
        FailureKind::NotEntitled => (Verdict::NotEntitled, Next::OtherKey),
        FailureKind::RateLimited => match stated {
            Some(wait_ms) => (Verdict::Cooling { wait_ms }, Next::OtherKey),
            None => (Verdict::RateLimited, Next::OtherKey),
        },
        FailureKind::MultipleCredentials => (Verdict::Blameless, Next::GiveUp),
        FailureKind::LocationUnsupported | FailureKind::BadRequest => {
            (Verdict::Blameless, Next::PassOn)
        }
        FailureKind::Upstream => (Verdict::Faulty, Next::OtherTry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: Time = Time::from_millis(86_400_000);

    #[test]
    fn every_kind_of_refusal_has_its_row() {
        let rows = [
            (FailureKind::KeyInvalid, Verdict::Invalid, Next::OtherKey),
            (FailureKind::KeySuspended, Verdict::Suspended, Next::OtherKey),
            (FailureKind::NoCredit, Verdict::NoCredit, Next::OtherKey),
            (FailureKind::ModelDenied, Verdict::ModelDenied, Next::OtherKey),
            (FailureKind::ResourceDenied, Verdict::Blameless, Next::OtherKey),
            (FailureKind::NotEntitled, Verdict::NotEntitled, Next::OtherKey),
            (FailureKind::QuotaPerDay, Verdict::ExhaustedUntil { until: MIDNIGHT }, Next::OtherKey),
            (FailureKind::QuotaPerMinute, Verdict::Cooling { wait_ms: 90_000 }, Next::OtherKey),
            (FailureKind::RateLimited, Verdict::RateLimited, Next::OtherKey),
            (FailureKind::MultipleCredentials, Verdict::Blameless, Next::GiveUp),
            (FailureKind::LocationUnsupported, Verdict::Blameless, Next::PassOn),
            (FailureKind::BadRequest, Verdict::Blameless, Next::PassOn),
            (FailureKind::Upstream, Verdict::Faulty, Next::OtherTry),
        ];

        for (kind, verdict, next) in rows {
            assert_eq!(judged(kind, None), (verdict, next), "{kind:?}");
        }
    }

    #[test]
    fn a_stated_wait_counts_for_minutes_and_bare_limits_and_never_for_days() {
        let cooling = (Verdict::Cooling { wait_ms: 7_000 }, Next::OtherKey);
        let exhausted = (Verdict::ExhaustedUntil { until: MIDNIGHT }, Next::OtherKey);

        assert_eq!(judged(FailureKind::QuotaPerMinute, Some(7_000)), cooling);
        assert_eq!(judged(FailureKind::RateLimited, Some(7_000)), cooling);
        assert_eq!(judged(FailureKind::QuotaPerDay, Some(7_000)), exhausted);
    }

    #[test]
    fn a_fault_is_tried_again_unless_it_is_our_own() {
        assert_eq!(judge_fault(Fault::OwnRequest), (Verdict::Blameless, Next::GiveUp));
        assert_eq!(judge_fault(Fault::Lost), (Verdict::Faulty, Next::OtherTry));
    }

    #[test]
    fn a_key_that_was_not_shown_to_the_upstream_is_not_to_blame() {
        for fault in [Fault::Connect, Fault::ConnectTimeout, Fault::Tls, Fault::Proxy] {
            assert_eq!(judge_fault(fault), (Verdict::Unreached, Next::OtherTry), "{fault:?}");
        }
    }

    fn judged(kind: FailureKind, stated: Option<u64>) -> (Verdict, Next) {
        let circumstances = Circumstances { quota_midnight: MIDNIGHT, minute_wait_ms: 90_000 };
        judge_failure(kind, stated, circumstances)
    }
}
