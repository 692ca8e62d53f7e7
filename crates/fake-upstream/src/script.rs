//! Rules: which requests get which answer. The latest rule that matches and is not used up wins.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use serde::Deserialize;

use crate::{answer::Answer, call::Call};

/// The most rules kept; the oldest goes when one more is added.
const RULES_MAX: usize = 10_000;

/// One line of a script: these requests get this answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    #[serde(default)]
    pub when: When,
    /// What they get.
    pub answer: Answer,
}

/// Which requests a rule is for. Everything that is set must match.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    key: Option<String>,
    model: Option<String>,
    path_contains: Option<String>,
    method: Option<String>,
    nth: Option<u64>,
    times: Option<u64>,
}

impl When {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Only requests that carry this credential, in any place.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only requests for this model, named without `models/`.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Only requests whose path or query contains this text.
    pub fn path_contains(mut self, text: impl Into<String>) -> Self {
        self.path_contains = Some(text.into());
        self
    }

    /// Only requests with this method, in capitals.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only the `nth` matching request, counted from 1 among those that no later rule took.
    /// Together with [`When::times`]: from that one on.
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// The rule is used up after so many answers.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, call: &Call<'_>) -> bool {
        let is_key = |key: &String| call.credentials.iter().any(|seen| seen.value == *key);
        self.key.as_ref().is_none_or(is_key)
            && self.method.as_ref().is_none_or(|method| call.request.method == *method)
            && self.path_contains.as_ref().is_none_or(|text| call.request.target.contains(text))
            && self.model.as_ref().is_none_or(|model| call.model().as_ref() == Some(model))
    }

    /// Whether the `reached`th matching request, counted from 1, is one this rule answers.
    fn covers(&self, reached: u64) -> bool {
        let first = self.nth.unwrap_or(1);
        let times = self.times.unwrap_or(if self.nth.is_some() { 1 } else { u64::MAX });
        first <= reached && reached - first < times
    }
}

/// The rules of one upstream.
#[derive(Default)]
pub(crate) struct Rules(Mutex<VecDeque<Held>>);

struct Held {
    when: When,
    answer: Arc<Answer>,
    /// Matching requests that reached this rule so far.
    reached: u64,
}

impl Rules {
    pub(crate) fn add(&self, rule: Rule) {
        let mut rules = self.0.lock();
        if rules.len() == RULES_MAX {
            rules.pop_back();
        }
        rules.push_front(Held { when: rule.when, answer: Arc::new(rule.answer), reached: 0 });
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// The answer of the latest rule that is for this call; counts the rules it reached.
    pub(crate) fn take(&self, call: &Call<'_>) -> Option<Arc<Answer>> {
        self.0.lock().iter_mut().find_map(|held| {
            if !held.when.matches(call) {
                return None;
            }
            held.reached += 1;
            held.when.covers(held.reached).then(|| Arc::clone(&held.answer))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_the_requests_its_counts_name() {
        let covered = |when: When| (1..=5).filter(|n| when.covers(*n)).collect::<Vec<_>>();

        assert_eq!(covered(When::any()), [1, 2, 3, 4, 5]);
        assert_eq!(covered(When::any().times(2)), [1, 2]);
        assert_eq!(covered(When::any().nth(3)), [3]);
        assert_eq!(covered(When::any().nth(3).times(2)), [3, 4]);
    }

    #[test]
    fn a_rule_reads_from_json() {
        let rule: Rule = serde_json::from_str(
            r#"{"when":{"key":"k","times":1},"answer":{"refusal":{"quota_per_minute":{"seconds":7}}}}"#,
        )
        .unwrap();

        assert_eq!(rule.when.key.as_deref(), Some("k"));
        assert!(serde_json::from_str::<Rule>(r#"{"answer":{"no_such":1}}"#).is_err());
    }
}
