//! What was seen: a bounded list of requests, counts of what is open, and a bell that rings at
//! every change so that tests wait for facts and not for time.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use tokio::sync::Notify;

use crate::{call::Call, http};

/// The most body bytes kept over all requests; the oldest requests go first.
const BODY_BYTES_MAX: usize = 512 << 20;

/// One request as it arrived, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Counts the recorded requests from 0.
    pub id: u64,
    /// Counts the connections from 0.
    pub connection: u64,
    /// Counts the requests of one connection from 0.
    pub request_on_connection: u64,
    /// The method as it came.
    pub method: String,
    /// Path and query as they came.
    pub path: String,
    /// Names and values in order, spelt as they came.
    pub headers: Vec<(String, String)>,
    /// The body; text in JSON.
    #[serde(serialize_with = "as_text")]
    pub body: Bytes,
    /// The first credential.
    pub key: Option<String>,
    /// The credentials of all carriers: `x-goog-api-key`, `x-api-key`, `Authorization`, `?key=`
    /// and `?access_token=`.
    pub credentials: Vec<String>,
    /// The model's name without `models/`.
    pub model: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Seen {
    /// The value of the first header of this name, whatever the case.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::values(&self.headers, name).next()
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not ended.
    Open,
    /// Everything was written.
    Answered,
    /// The script ended the connection.
    Broken,
    /// The client left before the end.
    ClientGone {
        /// The events written before that was noticed.
        sent_events: u64,
    },
}

/// Keeps the list and the counts.
pub(crate) struct Records {
    /// `None`: nothing is recorded.
    ring: Option<Mutex<Ring>>,
    connections_open: AtomicUsize,
    requests_open: AtomicUsize,
    changed: Notify,
}

struct Ring {
    seen: VecDeque<Seen>,
    seen_max: usize,
    body_bytes: usize,
    next_id: u64,
}

impl Records {
    /// Keeps `seen_max` requests; with 0 nothing is recorded.
    pub(crate) fn new(seen_max: usize) -> Self {
        let ring = Ring { seen: VecDeque::new(), seen_max, body_bytes: 0, next_id: 0 };
        Self {
            ring: (seen_max > 0).then(|| Mutex::new(ring)),
            connections_open: AtomicUsize::new(0),
            requests_open: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    pub(crate) fn connections_open(&self) -> usize {
        self.connections_open.load(Ordering::SeqCst)
    }

    pub(crate) fn requests_open(&self) -> usize {
        self.requests_open.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.look(<[Seen]>::to_vec)
    }

    pub(crate) fn clear(&self) {
        if let Some(ring) = &self.ring {
            let mut ring = ring.lock();
            ring.seen.clear();
            ring.body_bytes = 0;
        }
    }

    /// Shows the list without copying it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&[Seen]) -> T) -> T {
        match &self.ring {
            Some(ring) => look(ring.lock().seen.make_contiguous()),
            None => look(&[]),
        }
    }

    /// Returns when the condition holds; it is asked again at every change.
    pub(crate) async fn wait_until(&self, holds: impl Fn() -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if holds() {
                return;
            }
            changed.await;
        }
    }

    /// Counts a connection as open until the guard goes.
    pub(crate) fn connection(&self) -> Opened<'_> {
        Opened::new(self, &self.connections_open)
    }

    /// Records a request, and counts it as open until the guard goes.
    pub(crate) fn begin(&self, call: &Call<'_>, connection: u64, number: u64) -> Exchange<'_> {
        let id = self.ring.as_ref().map(|ring| {
            let seen = seen(call, connection, number);
            ring.lock().push(seen)
        });
        Exchange { records: self, id, _open: Opened::new(self, &self.requests_open) }
    }
}

impl Ring {
    fn push(&mut self, mut seen: Seen) -> u64 {
        seen.id = self.next_id;
        self.next_id += 1;
        self.body_bytes += seen.body.len();
        self.seen.push_back(seen);
        while self.seen.len() > self.seen_max || self.body_bytes > BODY_BYTES_MAX {
            let Some(oldest) = self.seen.pop_front() else {
                break;
            };
            self.body_bytes -= oldest.body.len();
        }
        self.next_id - 1
    }

    fn end(&mut self, id: u64, outcome: Outcome) {
        // Ids follow each other, so the distance to the first is the place; it may have gone.
        let Some(first) = self.seen.front().map(|seen| seen.id) else {
            return;
        };
        let place = id.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(seen) = place.and_then(|place| self.seen.get_mut(place)) {
            seen.outcome = outcome;
        }
    }
}

/// Counts as open while it lives.
pub(crate) struct Opened<'a> {
    records: &'a Records,
    count: &'a AtomicUsize,
}

impl<'a> Opened<'a> {
    fn new(records: &'a Records, count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        records.changed.notify_waiters();
        Self { records, count }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        self.records.changed.notify_waiters();
    }
}

/// A request on its way; open while it lives.
pub(crate) struct Exchange<'a> {
    records: &'a Records,
    id: Option<u64>,
    _open: Opened<'a>,
}

impl Exchange<'_> {
    pub(crate) fn end(self, outcome: Outcome) {
        if let (Some(ring), Some(id)) = (&self.records.ring, self.id) {
            ring.lock().end(id, outcome);
        }
    }
}

fn seen(call: &Call<'_>, connection: u64, request_on_connection: u64) -> Seen {
    let request = call.request;
    Seen {
        id: 0,
        connection,
        request_on_connection,
        method: request.method.clone(),
        path: request.target.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        key: call.key().map(str::to_owned),
        credentials: call.credentials.iter().map(|seen| seen.value.to_string()).collect(),
        model: call.model(),
        outcome: Outcome::Open,
    }
}

fn as_text<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(body))
}
