//! The waiting line: first come, first served, per model.
//!
//! A request joins only when a key will be free within its patience. Whoever frees a key serves
//! the line under the pool's lock and sends the leases after it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use keypool::{KeyId, Kin};
use tokio::sync::oneshot;

use super::{KeyPool, Lease};

/// Most requests that may wait at once; a further one is refused at once.
const LINE_MAX: usize = 10_000;
/// How many waiters of one model are asked in a row whether a key that they may use is free.
const ASKED_MAX: usize = 64;

/// Everyone who waits for a key.
#[derive(Debug, Default)]
pub(super) struct Line {
    models: HashMap<String, VecDeque<Waiter>>,
    len: usize,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// Whose keys alone will do, if any other will not.
    kin: Option<Kin>,
    tried: Vec<KeyId>,
    sender: oneshot::Sender<Lease>,
}

/// What a waiter holds: its number and where its lease will arrive.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ticket: u64,
    pub(super) lease: oneshot::Receiver<Lease>,
}

/// A place in the line, left on drop.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) pool: &'a Arc<KeyPool>,
    pub(super) ticket: u64,
    pub(super) model: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.state.lock().line.leave(self.model, self.ticket);
    }
}

impl Line {
    /// Joins the line, unless it is full.
    pub(super) fn join(
        &mut self,
        kin: Option<&Kin>,
        model: &str,
        tried: &[KeyId],
    ) -> Option<Waiting> {
        if self.len >= LINE_MAX {
            return None;
        }
        let (sender, lease) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.len += 1;
        self.models.entry(model.to_owned()).or_default().push_back(Waiter {
            ticket,
            kin: kin.cloned(),
            tried: tried.to_vec(),
            sender,
        });
        Some(Waiting { ticket, lease })
    }

    fn leave(&mut self, model: &str, ticket: u64) {
        let Some(waiters) = self.models.get_mut(model) else {
            return;
        };
        if let Ok(index) = waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
            // The waiter's sender goes with it; a lease already sent lies in the receiver.
            drop(waiters.remove(index));
            self.len -= 1;
        }
        if waiters.is_empty() {
            self.models.remove(model);
        }
    }

    /// Hands out leases from the front of each model's line for as long as `lease` has any.
    pub(super) fn serve(
        &mut self,
        mut lease: impl FnMut(Option<&Kin>, &str, &[KeyId]) -> Option<Lease>,
    ) -> Vec<(oneshot::Sender<Lease>, Lease)> {
        let mut served = Vec::new();
        for (model, waiters) in &mut self.models {
            let mut index = 0;
            while index < waiters.len().min(ASKED_MAX) {
                let Some(waiter) = waiters.get(index) else {
                    break;
                };
                match lease(waiter.kin.as_ref(), model, &waiter.tried) {
                    Some(lease) => {
                        let Some(waiter) = waiters.remove(index) else {
                            break;
                        };
                        served.push((waiter.sender, lease));
                    }
                    // Nothing is free for one who would take any: nothing is free at all.
                    None if waiter.tried.is_empty() && waiter.kin.is_none() => break,
                    None => index += 1,
                }
            }
        }
        self.len -= served.len();
        self.models.retain(|_, waiters| !waiters.is_empty());
        served
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}
