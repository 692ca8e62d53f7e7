//! What an admin has sent to be looked at, until it is taken over or forgotten.
//!
//! It holds keys in clear, so it stays in memory, one at a time, and not for long.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// How long it is kept.
const KEPT_MS: i64 = 30 * 60 * 1_000;

/// What was sent last.
#[derive(Debug, Default)]
pub struct Imports(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    upload: Upload,
    until_ms: i64,
}

/// What was sent.
#[derive(Clone)]
pub struct Upload {
    /// Names it.
    pub id: Arc<str>,
    /// All of it.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({}, {} bytes)", self.id, self.bytes.len())
    }
}

impl Imports {
    /// Keeps it in place of what was there; answers until when, in ms since the epoch.
    pub fn keep(&self, upload: Upload, now_ms: i64) -> i64 {
        let until_ms = now_ms.saturating_add(KEPT_MS);
        *self.0.lock() = Some(Kept { upload, until_ms });
        until_ms
    }

    /// What was sent under this name, if it is still there.
    pub fn find(&self, id: &str, now_ms: i64) -> Option<Upload> {
        self.forget_old(now_ms);
        let kept = self.0.lock();
        kept.as_ref().filter(|kept| *kept.upload.id == *id).map(|kept| kept.upload.clone())
    }

    /// Forgets what was sent under this name; false if it is not there.
    pub fn forget(&self, id: &str) -> bool {
        let mut kept = self.0.lock();
        let is_there = kept.as_ref().is_some_and(|kept| *kept.upload.id == *id);
        if is_there {
            *kept = None;
        }
        is_there
    }

    /// Forgets what is older than it may be.
    pub fn forget_old(&self, now_ms: i64) {
        let mut kept = self.0.lock();
        if kept.as_ref().is_some_and(|kept| kept.until_ms <= now_ms) {
            *kept = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_kept_for_a_while_and_alone() {
        let imports = Imports::default();
        let upload = |id: &str| Upload { id: id.into(), bytes: Bytes::from_static(b"x") };

        let until_ms = imports.keep(upload("one"), 0);
        assert!(imports.find("one", until_ms - 1).is_some());
        imports.keep(upload("two"), 0);

        assert!(imports.find("one", 1).is_none());
        assert!(imports.find("two", 1).is_some());
        assert!(imports.find("two", until_ms).is_none());
        assert!(!imports.forget("two"));
    }
}
