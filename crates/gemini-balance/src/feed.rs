//! A feed: the last items in memory, each with a number, and every further one to whoever watches.
//!
//! Publishing never waits. A watcher who cannot keep up loses items, is told how many, and goes on
//! with the next; nobody else notices. Numbers count up without gaps. What is kept is bounded by
//! number and by size.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Watchers of one feed at once; one more is refused.
pub const SUBSCRIBERS_MAX: usize = 100;

/// Items a watcher may fall behind before it loses some; a power of two, as the channel needs.
pub const BACKLOG_MAX: usize = 1_024;

/// What a feed can keep.
pub trait Item {
    /// About how much memory it takes, in bytes.
    fn bytes(&self) -> usize;
}

/// How much a feed keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// So many items at most.
    pub items_max: usize,
    /// And those of so many bytes in all.
    pub bytes_max: usize,
}

/// A shared feed; clones are handles to the same one.
#[derive(Debug)]
pub struct Feed<T>(Arc<Shared<T>>);

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<T> {
    bounds: Kept,
    state: Mutex<State<T>>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct State<T> {
    next_id: u64,
    /// The items before `next_id`, oldest first.
    kept: VecDeque<Arc<T>>,
    kept_bytes: usize,
    watchers: broadcast::Sender<Arc<T>>,
}

/// Where a watcher begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With all that is kept.
    AtTheOldest,
    /// With the first item that is yet to come.
    AtTheNext,
    /// Behind the item of this number, as far as what follows it is kept.
    After(u64),
}

/// All places for watchers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{SUBSCRIBERS_MAX} others are watching already; close one of them")]
pub struct TooManySubscribers;

impl<T: Item> Feed<T> {
    /// Keeps the last items within `bounds`; the first one has the number `first_id`.
    #[must_use]
    pub fn new(bounds: Kept, first_id: u64) -> Self {
        Self(Arc::new(Shared {
            bounds,
            state: Mutex::new(State {
                next_id: first_id,
                kept: VecDeque::new(),
                kept_bytes: 0,
                watchers: broadcast::Sender::new(BACKLOG_MAX),
            }),
            places: Arc::new(Semaphore::new(SUBSCRIBERS_MAX)),
        }))
    }

    /// Makes an item of its number, keeps it and shows it to everybody watching.
    pub fn publish(&self, make: impl FnOnce(u64) -> T) -> Arc<T> {
        let state = &mut *self.0.state.lock();
        let item = Arc::new(make(state.next_id));
        state.next_id += 1;
        state.kept_bytes += item.bytes();
        state.kept.push_back(Arc::clone(&item));
        let Kept { items_max, bytes_max } = self.0.bounds;
        while items_max < state.kept.len() || bytes_max < state.kept_bytes {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.kept_bytes = state.kept_bytes.saturating_sub(oldest.bytes());
        }
        // Fails only when nobody watches.
        let _ = state.watchers.send(Arc::clone(&item));
        item
    }

    /// Watches, with what is kept from `begin` on first.
    ///
    /// # Errors
    ///
    /// [`TooManySubscribers`] when [`SUBSCRIBERS_MAX`] are watching.
    pub fn subscribe(&self, begin: Begin) -> Result<Subscription<T>, TooManySubscribers> {
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else {
            return Err(TooManySubscribers);
        };
        let state = self.0.state.lock();
        let oldest_id = state.next_id - state.kept.len() as u64;
        let (first_id, is_gapless) = match begin {
            Begin::AtTheOldest => (oldest_id, true),
            Begin::AtTheNext => (state.next_id, true),
            // A number that was never given says nothing about what was seen.
            Begin::After(id) if state.next_id <= id => (oldest_id, false),
            Begin::After(id) => (oldest_id.max(id + 1), oldest_id <= id + 1),
        };
        let skipped = usize::try_from(first_id - oldest_id).unwrap_or(usize::MAX);
        Ok(Subscription {
            kept: state.kept.iter().skip(skipped).cloned().collect(),
            items: state.watchers.subscribe(),
            last_id: first_id.saturating_sub(1),
            is_gapless,
            _place: place,
        })
    }
}

/// One watcher; its place is free again when it is dropped.
#[derive(Debug)]
pub struct Subscription<T> {
    kept: VecDeque<Arc<T>>,
    items: broadcast::Receiver<Arc<T>>,
    last_id: u64,
    is_gapless: bool,
    _place: OwnedSemaphorePermit,
}

/// What a watcher sees next.
#[derive(Debug, PartialEq)]
pub enum Seen<T> {
    /// An item.
    Item(Arc<T>),
    /// This many items went by unseen because the watcher was too slow.
    Lagged(u64),
}

impl<T> Subscription<T> {
    /// The number before that of the first item.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Whether the watcher sees everything that came after where it wanted to begin.
    #[must_use]
    pub fn is_gapless(&self) -> bool {
        self.is_gapless
    }

    /// The next item, from those that are kept first; `None` when the feed has ended.
    ///
    /// # Cancellation
    ///
    /// Loses nothing when dropped while waiting.
    pub async fn next(&mut self) -> Option<Seen<T>> {
        if let Some(item) = self.kept.pop_front() {
            return Some(Seen::Item(item));
        }
        match self.items.recv().await {
            Ok(item) => Some(Seen::Item(item)),
            Err(RecvError::Lagged(count)) => Some(Seen::Lagged(count)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_begins_where_it_wants_as_far_as_that_is_kept() {
        let feed = feed(2, ["one", "two", "three"]);

        for (begin, expected, is_gapless) in [
            (Begin::AtTheOldest, &["two", "three", "four"][..], true),
            (Begin::AtTheNext, &["four"], true),
            (Begin::After(102), &["four"], true),
            (Begin::After(101), &["three", "four"], true),
            (Begin::After(100), &["two", "three", "four"], true),
            (Begin::After(99), &["two", "three", "four"], false),
            (Begin::After(103), &["two", "three", "four"], false),
            (Begin::After(u64::MAX), &["two", "three", "four"], false),
        ] {
            let feed = feed.copy();
            let mut watcher = feed.subscribe(begin).unwrap();
            feed.publish(|_| "four");

            assert_eq!(watcher.is_gapless(), is_gapless, "{begin:?}");
            assert_eq!(watcher.last_id() + expected.len() as u64, 103, "{begin:?}");
            assert_eq!(seen(&mut watcher, expected.len()).await, expected, "{begin:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_by_size_too() {
        let feed = Feed::new(Kept { items_max: 10, bytes_max: 10 }, 0);

        for (item, expected) in [
            ("four", &["four"][..]),
            ("fives", &["four", "fives"]),
            ("to", &["fives", "to"]),
            ("longer than all", &[]),
            ("a", &["a"]),
        ] {
            feed.publish(|_| item);

            let kept = feed.subscribe(Begin::AtTheOldest).unwrap().kept;
            assert_eq!(kept.iter().map(|item| **item).collect::<Vec<_>>(), expected);
        }
    }

    #[tokio::test]
    async fn a_watcher_who_is_too_slow_is_told_how_much_it_missed() {
        let feed = Feed::new(bounds(0), 0);
        let mut watcher = feed.subscribe(Begin::AtTheOldest).unwrap();
        for _ in 0..BACKLOG_MAX + 24 {
            feed.publish(|id| id);
        }

        assert_eq!(watcher.next().await, Some(Seen::Lagged(24)));
        assert_eq!(watcher.next().await, Some(Seen::Item(Arc::new(24))));
    }

    #[test]
    fn one_watcher_too_many_is_refused_until_another_leaves() {
        let feed = Feed::<u64>::new(bounds(0), 0);
        let mut watchers: Vec<_> =
            (0..SUBSCRIBERS_MAX).map(|_| feed.subscribe(Begin::AtTheNext).unwrap()).collect();

        assert_eq!(feed.subscribe(Begin::AtTheNext).unwrap_err(), TooManySubscribers);

        watchers.pop();
        assert!(feed.subscribe(Begin::AtTheNext).is_ok());
    }

    #[tokio::test]
    async fn a_watcher_notices_when_the_feed_has_ended() {
        let feed = feed(0, []);
        let mut watcher = feed.subscribe(Begin::AtTheNext).unwrap();

        drop(feed);

        assert_eq!(watcher.next().await, None);
    }

    impl Feed<&'static str> {
        /// Another feed that keeps the same.
        fn copy(&self) -> Self {
            let state = self.0.state.lock();
            let copy = Self::new(self.0.bounds, state.next_id - state.kept.len() as u64);
            state.kept.iter().for_each(|item| drop(copy.publish(|_| **item)));
            copy
        }
    }

    fn feed<const N: usize>(kept_max: usize, items: [&'static str; N]) -> Feed<&'static str> {
        let feed = Feed::new(bounds(kept_max), 100);
        items.into_iter().for_each(|item| drop(feed.publish(|_| item)));
        feed
    }

    impl Item for &'static str {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    impl Item for u64 {
        fn bytes(&self) -> usize {
            size_of::<Self>()
        }
    }

    /// Any number of bytes.
    fn bounds(items_max: usize) -> Kept {
        Kept { items_max, bytes_max: usize::MAX }
    }

    async fn seen(watcher: &mut Subscription<&'static str>, count: usize) -> Vec<&'static str> {
        let mut items = Vec::new();
        for _ in 0..count {
            match watcher.next().await {
                Some(Seen::Item(item)) => items.push(*item),
                other => panic!("expected an item, saw {other:?}"),
            }
        }
        items
    }
}
