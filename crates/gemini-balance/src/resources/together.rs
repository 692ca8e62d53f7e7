//! Where a user key has made its last file, cache, store or interaction.
//!
//! Things of different projects cannot be used in one request, and files that are brought one after
//! the other, or into a conversation, are mostly meant for one. So they go to the project of what was
//! made last, for a while, if it is free.

use std::collections::HashMap;

use keypool::Kin;
use parking_lot::Mutex;

/// The kinds that are made where something was made before.
const KINDS: [&str; 3] = ["files", "cachedContents", "fileSearchStores"];
/// The kind that these are made beside. It is not kept together itself: interactions are the
/// requests, and all keys should serve them.
const CONVERSATIONS: &str = "interactions";

/// The last place of each user key.
#[derive(Debug, Default)]
pub(super) struct Together(Mutex<HashMap<i64, Last>>);

#[derive(Debug)]
struct Last {
    kin: Kin,
    /// On the monotonic clock.
    at_ms: u64,
}

impl Together {
    /// Something of this name or kind was made, or begun.
    pub(super) fn note(&self, name: &str, user: i64, kin: &Kin, now_ms: u64) {
        let is_conversation = kind_of(name) == CONVERSATIONS;
        if is_conversation || KINDS.contains(&kind_of(name)) {
            self.0.lock().insert(user, Last { kin: kin.clone(), at_ms: now_ms });
        }
    }

    /// Where the next one of this kind is best made.
    pub(super) fn preferred(
        &self,
        kind: &str,
        user: i64,
        now_ms: u64,
        together_ms: u64,
    ) -> Option<Kin> {
        if !KINDS.contains(&kind) {
            return None;
        }
        let places = self.0.lock();
        let last = places.get(&user)?;
        (now_ms.saturating_sub(last.at_ms) < together_ms).then(|| last.kin.clone())
    }

    /// Forgets what counts no more.
    pub(super) fn prune(&self, now_ms: u64, together_ms: u64) {
        self.0.lock().retain(|_, last| now_ms.saturating_sub(last.at_ms) < together_ms);
    }
}

fn kind_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use keypool::KeyId;

    use super::*;

    #[test]
    fn what_a_user_key_makes_is_kept_together_for_its_time() {
        let together = Together::default();
        let kin = Kin { key: KeyId(1), project: None };
        together.note("files/a", 7, &kin, 1_000);
        together.note("interactions/i", 8, &kin, 1_000);
        together.note("batches/b", 9, &kin, 1_000);

        assert_eq!(together.preferred("cachedContents", 7, 1_999, 1_000), Some(kin.clone()));
        assert_eq!(together.preferred("files", 8, 1_000, 1_000), Some(kin));
        assert_eq!(together.preferred("interactions", 7, 1_000, 1_000), None);
        assert_eq!(together.preferred("files", 9, 1_000, 1_000), None);
        assert_eq!(together.preferred("files", 7, 2_000, 1_000), None);
        assert_eq!(together.preferred("files", 7, 1_000, 0), None);
        together.prune(2_000, 1_000);
        assert!(together.0.lock().is_empty());
    }
}
