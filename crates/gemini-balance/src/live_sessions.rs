//! The Live sessions that are open: how many there may be, and what each of them is.
//!
//! A session holds its place as a guard and says there what becomes known of it. Whoever looks sees
//! numbers that may be a moment old; the sessions never wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keypool::KeyId;
use parking_lot::Mutex;

use crate::random::RequestId;

/// The places of Live sessions, apart from those of requests: a session lasts for minutes and mostly
/// says nothing, so neither may take the other's room.
#[derive(Debug)]
pub struct LiveSessions {
    open: Mutex<Open>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    /// In the order in which they were opened.
    sessions: BTreeMap<u64, Arc<Known>>,
}

/// What is known of one session.
#[derive(Debug)]
struct Known {
    request_id: RequestId,
    user: i64,
    since_ms: i64,
    /// What becomes known only later: the model, and the key that serves.
    later: Mutex<(String, Option<KeyId>)>,
    frames: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// A Live session as it was when somebody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Names it in the logs.
    pub request_id: RequestId,
    /// The user key that has opened it.
    pub user: i64,
    /// When that was, in ms since 1970.
    pub since_ms: i64,
    /// The model that its first message asks for; empty before that has come.
    pub model: String,
    /// The service key that serves it; `None` while one is looked for.
    pub key: Option<KeyId>,
    /// Frames of both sides.
    pub frames: u64,
    /// Bytes that the caller has sent.
    pub bytes_in: u64,
    /// Bytes that the upstream has sent.
    pub bytes_out: u64,
}

/// The place of a Live session, open until it is dropped.
#[derive(Debug)]
pub struct LivePlace {
    all: Arc<LiveSessions>,
    number: u64,
    known: Arc<Known>,
}

impl LiveSessions {
    /// Allows `limit` sessions at once; nobody waits for a place.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), limit })
    }

    /// How many may be open.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.lock().sessions.len()
    }

    /// Takes a place for a session of a user key, if there is one; `now_ms` is the time since 1970.
    pub fn take(
        self: &Arc<Self>,
        request_id: RequestId,
        user: i64,
        now_ms: i64,
    ) -> Option<LivePlace> {
        let mut open = self.open.lock();
        if self.limit <= open.sessions.len() {
            return None;
        }
        let number = open.next_number;
        open.next_number += 1;
        let known = Arc::new(Known {
            request_id,
            user,
            since_ms: now_ms,
            later: Mutex::default(),
            frames: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        });
        open.sessions.insert(number, Arc::clone(&known));
        Some(LivePlace { all: Arc::clone(self), number, known })
    }

    /// The sessions that were opened last, at most `limit` of them, the newest first.
    pub fn newest(&self, limit: usize) -> Vec<LiveSession> {
        let newest: Vec<_> =
            self.open.lock().sessions.values().rev().take(limit).map(Arc::clone).collect();
        newest.iter().map(|known| known.seen()).collect()
    }
}

impl Known {
    fn seen(&self) -> LiveSession {
        let (model, key) = self.later.lock().clone();
        LiveSession {
            request_id: self.request_id,
            user: self.user,
            since_ms: self.since_ms,
            model,
            key,
            frames: self.frames.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}

impl LivePlace {
    /// Notes which model the session asks for.
    pub fn asks_for(&self, model: &str) {
        model.clone_into(&mut self.known.later.lock().0);
    }

    /// Notes which service key serves the session; `None` while another one is looked for.
    pub fn is_served_by(&self, key: Option<KeyId>) {
        self.known.later.lock().1 = key;
    }

    /// Notes how many bytes the caller has sent.
    pub fn note_bytes_in(&self, bytes: u64) {
        self.known.bytes_in.store(bytes, Ordering::Relaxed);
    }

    /// Notes further bytes from the upstream.
    pub fn passed(&self, bytes: usize) {
        self.known.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes how many frames both have sent.
    pub fn note_frames(&self, frames: u64) {
        self.known.frames.store(frames, Ordering::Relaxed);
    }
}

impl Drop for LivePlace {
    fn drop(&mut self) {
        self.all.open.lock().sessions.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_has_ended() {
        let all = LiveSessions::new(2);
        let first = all.take(RequestId(1), 1, 0).unwrap();
        let second = all.take(RequestId(2), 2, 0).unwrap();

        assert!(all.take(RequestId(3), 3, 0).is_none());
        assert_eq!(all.count(), 2);
        drop(first);
        let third = all.take(RequestId(3), 3, 0);
        assert!(third.is_some() && all.take(RequestId(4), 4, 0).is_none());
        drop((second, third));
        assert_eq!(all.count(), 0);
        assert!(LiveSessions::new(0).take(RequestId(1), 1, 0).is_none());
    }

    #[test]
    fn the_newest_sessions_are_shown_with_what_is_known_of_them() {
        let all = LiveSessions::new(10);
        let places: Vec<_> =
            (1..=4).map(|user| all.take(RequestId(9), user, 100 * user).unwrap()).collect();
        places[2].asks_for("gemini-live");
        places[2].is_served_by(Some(KeyId(7)));
        places[2].passed(40);
        places[2].passed(2);
        places[2].note_bytes_in(9);
        places[2].note_frames(3);

        let newest = all.newest(2);

        assert_eq!(newest.iter().map(|it| it.user).collect::<Vec<_>>(), [4, 3]);
        assert_eq!((newest[0].model.as_str(), newest[0].key, newest[0].frames), ("", None, 0));
        let known = LiveSession {
            request_id: RequestId(9),
            user: 3,
            since_ms: 300,
            model: "gemini-live".to_owned(),
            key: Some(KeyId(7)),
            frames: 3,
            bytes_in: 9,
            bytes_out: 42,
        };
        assert_eq!(newest[1], known);
        places[2].is_served_by(None);
        assert_eq!(all.newest(2)[1].key, None);
    }
}
