//! Is it the keys, or is it the upstream (or our way to it)?
//!
//! The watch looks at the distinct keys that were tried within the last ten seconds, each by its latest
//! answer. If at least three of them, and at least half, failed alike, the trouble is common: blaming keys
//! one after the other would lock the whole pool away. It lasts until that is no longer so.
//! The watch also remembers the steps that buckets made shortly before the trouble was recognised, so that
//! the pool can take back what it has done in error.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::budget::Owner;
use crate::key::KeyId;
use crate::time::Time;

const WINDOW_MS: u64 = 10_000;
const KEYS_ALIKE_MIN: usize = 3;
/// Steps that can be taken back; when more happen in ten seconds the oldest stay as they are.
const STEPS_MAX: usize = 4_096;

/// Stale entries are not worth a look before there are so many.
const NOTED_MIN: usize = 64;

/// What many keys have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// The upstream fails.
    Faulty,
    /// The upstream answers 429 without details.
    RateLimited,
}

/// A trouble in force: nothing escalates or cools for faults and undetailed 429s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// What the keys have in common.
    pub kind: TroubleKind,
    /// When it was recognised.
    pub since: Time,
}

/// What an answer says about the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symptom {
    Faulty,
    RateLimited,
    /// Anything that is about this key alone, and success.
    Other,
}

/// How the picture has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Began(Trouble),
    Ended(Trouble),
}

/// One step of a bucket that was the key's fault as far as we knew.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) at: Time,
    pub(crate) kind: TroubleKind,
    pub(crate) owner: Owner,
    pub(crate) model: Arc<str>,
    pub(crate) before: Bucket,
    pub(crate) after: Bucket,
}

/// The sliding window.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    latest: HashMap<KeyId, (Time, Symptom)>,
    /// Every answer noted, oldest first. An entry that is not the latest of its key is stale; the first never
    /// is, and at most about half are.
    noted: VecDeque<(Time, KeyId)>,
    faulty: usize,
    rate_limited: usize,
    /// Oldest first.
    steps: VecDeque<Step>,
    trouble: Option<Trouble>,
    /// When the next probe is due; counts only during trouble.
    probe_at: Time,
}

impl Watch {
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Notes how a key fared.
    pub(crate) fn note(&mut self, id: KeyId, symptom: Symptom, now: Time) {
        let known = self.latest.insert(id, (now, symptom));
        if let Some((_, symptom)) = known {
            self.count(symptom, -1);
        }
        self.count(symptom, 1);
        if known.is_none_or(|(at, _)| at != now) {
            self.noted.push_back((now, id));
        }
        self.drop_stale();
    }

    /// Drops a key that is gone.
    pub(crate) fn forget(&mut self, id: KeyId) {
        if let Some((_, symptom)) = self.latest.remove(&id) {
            self.count(symptom, -1);
            self.drop_stale();
        }
    }

    /// Remembers a step that may have to be taken back.
    pub(crate) fn remember(&mut self, step: Step) {
        let now = step.at;
        while self.steps.front().is_some_and(|oldest| is_past(oldest.at, now)) {
            self.steps.pop_front();
        }
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// The steps of the last ten seconds that were due to this kind of trouble, newest first.
    pub(crate) fn take_steps(&mut self, kind: TroubleKind, now: Time) -> Vec<Step> {
        std::mem::take(&mut self.steps)
            .into_iter()
            .rev()
            .filter(|step| step.kind == kind && !is_past(step.at, now))
            .collect()
    }

    /// Lets time pass. Time alone can end a trouble, never begin one.
    pub(crate) fn expire(&mut self, now: Time) -> Option<Turn> {
        while let Some((at, id)) = self.noted.front().copied()
            && is_past(at, now)
        {
            self.forget(id);
        }
        match self.trouble {
            Some(trouble) if !self.is_common(trouble.kind) => self.end(),
            Some(_) | None => None,
        }
    }

    /// Looks at the window after an answer was noted.
    pub(crate) fn judge(&mut self, interval_ms: u64, now: Time) -> Option<Turn> {
        match self.trouble {
            Some(trouble) if self.is_common(trouble.kind) => None,
            Some(_) => self.end(),
            None => {
                let kinds = [TroubleKind::Faulty, TroubleKind::RateLimited];
                let kind = kinds.into_iter().find(|kind| self.is_common(*kind))?;
                let trouble = Trouble { kind, since: now };
                self.trouble = Some(trouble);
                self.probe_at = now.plus_millis(interval_ms);
                Some(Turn::Began(trouble))
            }
        }
    }

    /// A probe was served: the upstream is back, whatever the window says.
    pub(crate) fn clear(&mut self) -> Option<Turn> {
        let trouble = self.trouble;
        *self = Self::default();
        trouble.map(Turn::Ended)
    }

    /// Whether the one probe of this interval is due; if so the next one is an interval away.
    pub(crate) fn is_probe_due(&mut self, interval_ms: u64, now: Time) -> bool {
        let is_due = self.trouble.is_some() && self.probe_at <= now;
        if is_due {
            self.probe_at = now.plus_millis(interval_ms.max(1));
        }
        is_due
    }

    /// When a probe is due or the window changes, during trouble.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.trouble?;
        let oldest = self.noted.front().map(|(at, _)| at.plus_millis(WINDOW_MS));
        [Some(self.probe_at), oldest].into_iter().flatten().min()
    }

    fn drop_stale(&mut self) {
        let latest = &self.latest;
        let is_latest =
            |(at, id): &(Time, KeyId)| latest.get(id).is_some_and(|(latest_at, _)| latest_at == at);
        while self.noted.front().is_some_and(|oldest| !is_latest(oldest)) {
            self.noted.pop_front();
        }
        if 2 * latest.len() + NOTED_MIN < self.noted.len() {
            self.noted.retain(is_latest);
        }
    }

    fn end(&mut self) -> Option<Turn> {
        self.trouble.take().map(Turn::Ended)
    }

    fn is_common(&self, kind: TroubleKind) -> bool {
        let alike = match kind {
            TroubleKind::Faulty => self.faulty,
            TroubleKind::RateLimited => self.rate_limited,
        };
        KEYS_ALIKE_MIN <= alike && self.latest.len() <= 2 * alike
    }

    fn count(&mut self, symptom: Symptom, by: isize) {
        let counter = match symptom {
            Symptom::Faulty => &mut self.faulty,
            Symptom::RateLimited => &mut self.rate_limited,
            Symptom::Other => return,
        };
        *counter = counter.saturating_add_signed(by);
    }
}

fn is_past(at: Time, now: Time) -> bool {
    WINDOW_MS <= now.millis_since(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_MS: u64 = 5_000;

    #[test]
    fn three_keys_that_fail_alike_are_trouble_and_two_are_not() {
        let mut watch = Watch::default();

        assert_eq!(note(&mut watch, 1, Symptom::Faulty, 0), None);
        assert_eq!(note(&mut watch, 2, Symptom::Faulty, 1), None);
        assert_eq!(note(&mut watch, 2, Symptom::Faulty, 2), None);
        assert_eq!(note(&mut watch, 3, Symptom::Faulty, 3), Some(Turn::Began(faulty_since(3))));
    }

    #[test]
    fn failures_of_different_kinds_are_not_alike() {
        let mut watch = Watch::default();
        for (id, symptom) in [(1, Symptom::Faulty), (2, Symptom::Faulty), (3, Symptom::RateLimited)]
        {
            assert_eq!(note(&mut watch, id, symptom, 0), None);
        }

        assert_eq!(note(&mut watch, 4, Symptom::RateLimited, 0), None);
        let turn = note(&mut watch, 5, Symptom::RateLimited, 0);
        assert!(matches!(turn, Some(Turn::Began(Trouble { kind: TroubleKind::RateLimited, .. }))));
    }

    #[test]
    fn less_than_half_of_the_keys_is_not_common() {
        let mut watch = Watch::default();
        for id in 0..4 {
            note(&mut watch, id, Symptom::Other, 0);
        }

        for id in 4..7 {
            assert_eq!(note(&mut watch, id, Symptom::Faulty, 0), None);
        }
        assert!(note(&mut watch, 7, Symptom::Faulty, 0).is_some());
    }

    #[test]
    fn successes_end_the_trouble_when_they_outweigh_the_failures() {
        let mut watch = in_trouble();

        assert_eq!(note(&mut watch, 1, Symptom::Other, 1), Some(Turn::Ended(faulty_since(0))));
        assert_eq!(watch.trouble(), None);
    }

    #[test]
    fn the_window_empties_by_itself() {
        let mut watch = in_trouble();

        assert_eq!(watch.next_deadline(), Some(Time::from_millis(INTERVAL_MS)));
        assert_eq!(watch.expire(Time::from_millis(9_999)), None);
        assert_eq!(watch.expire(Time::from_millis(10_000)), Some(Turn::Ended(faulty_since(0))));
        assert_eq!(watch.next_deadline(), None);
    }

    #[test]
    fn a_busy_key_does_not_fill_the_window_and_the_quiet_ones_still_expire() {
        let mut watch = in_trouble();
        for at in 0..9_000 {
            note(&mut watch, 3, Symptom::Faulty, at);
        }

        assert!(watch.noted.len() <= 2 * 3 + NOTED_MIN, "{} entries", watch.noted.len());
        assert_eq!(watch.expire(Time::from_millis(9_999)), None);
        assert!(watch.expire(Time::from_millis(10_000)).is_some());
        assert_eq!(watch.latest.len(), 1);
    }

    #[test]
    fn one_probe_is_due_per_interval() {
        let mut watch = in_trouble();

        let due = |watch: &mut Watch, at| watch.is_probe_due(INTERVAL_MS, Time::from_millis(at));

        assert!(!due(&mut watch, 4_999));
        assert!(due(&mut watch, 5_000) && !due(&mut watch, 5_000));
        assert!(due(&mut watch, 10_000));
    }

    #[test]
    fn a_served_probe_clears_the_window() {
        let mut watch = in_trouble();

        assert_eq!(watch.clear(), Some(Turn::Ended(faulty_since(0))));
        assert_eq!(note(&mut watch, 9, Symptom::Faulty, 1), None);
    }

    fn in_trouble() -> Watch {
        let mut watch = Watch::default();
        for id in 1..=3 {
            note(&mut watch, id, Symptom::Faulty, 0);
        }
        watch
    }

    fn note(watch: &mut Watch, id: u64, symptom: Symptom, at: u64) -> Option<Turn> {
        watch.note(KeyId(id), symptom, Time::from_millis(at));
        watch.judge(INTERVAL_MS, Time::from_millis(at))
    }

    fn faulty_since(at: u64) -> Trouble {
        Trouble { kind: TroubleKind::Faulty, since: Time::from_millis(at) }
    }
}
