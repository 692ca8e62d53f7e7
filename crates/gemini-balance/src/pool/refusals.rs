//! What the upstream has said of service keys last, in its own words, for whoever looks at a key.
//!
//! In memory only, and bounded over all keys together: the log keeps the kind of each error for as
//! long as its rows, the words are kept here for as long as there is room.

use std::collections::VecDeque;
use std::sync::Arc;

use keypool::{KeyId, Time, Verdict};

/// RefusedAttempts that are kept: about a megabyte of words.
const REFUSALS_MAX: usize = 4_096;
/// Words that are kept of one; what follows is cut.
const WORDS_BYTES_MAX: usize = 300;

/// An attempt after which the upstream's words were noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAttempt {
    /// The key.
    pub key: KeyId,
    /// The model that was asked for.
    pub model: Arc<str>,
    /// When the attempt ended.
    pub at: Time,
    /// What it said about the key.
    pub verdict: Verdict,
    /// The upstream's words, redacted.
    pub words: String,
}

/// The last of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct RefusedAttempts(VecDeque<RefusedAttempt>);

impl RefusedAttempts {
    pub(super) fn note(&mut self, refusal: RefusedAttempt) {
        if self.0.len() == REFUSALS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(refusal);
    }

    /// The last `max` of a key, latest first.
    pub(super) fn of_key(&self, key: KeyId, max: usize) -> Vec<RefusedAttempt> {
        self.0.iter().rev().filter(|refusal| refusal.key == key).take(max).cloned().collect()
    }
}

/// Words as they are kept.
pub(super) fn cut(words: &str) -> String {
    let end = words.floor_char_boundary(WORDS_BYTES_MAX);
    words.get(..end).unwrap_or(words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_about_each_key_are_kept_as_long_as_there_is_room() {
        let mut refusals = RefusedAttempts::default();
        let refusal = |key: u64, at: u64| RefusedAttempt {
            key: KeyId(key),
            model: Arc::from("m"),
            at: Time::from_millis(at),
            verdict: Verdict::Faulty,
            words: String::new(),
        };
        let times = |refusals: &RefusedAttempts, key| -> Vec<u64> {
            refusals.of_key(KeyId(key), 3).into_iter().map(|it| it.at.as_millis()).collect()
        };

        (0..5).for_each(|at| refusals.note(refusal(1, at)));
        assert_eq!(times(&refusals, 1), [4, 3, 2]);
        (5..REFUSALS_MAX as u64 + 3).for_each(|at| refusals.note(refusal(2, at)));

        assert_eq!(times(&refusals, 1), [4, 3]);
        assert_eq!(times(&refusals, 2).len(), 3);
    }

    #[test]
    fn words_are_cut_at_the_end_of_a_character() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(400)).len(), 300);
        assert_eq!(cut(&format!("x{}", "é".repeat(400))).len(), 299);
    }
}
