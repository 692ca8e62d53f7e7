//! Admission: a place among the concurrent requests, and room for a body.
//!
//! Both are guards. The permit is held from admission to the last byte of the answer; the
//! memory reservation lives as long as the body may be sent once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most requests that may wait for a permit at once; a further one is refused at once.
const QUEUE_MAX: usize = 10_000;

/// The concurrency limit with its fair queue.
#[derive(Debug)]
pub struct Admission {
    permits: Arc<Semaphore>,
    limit: usize,
    queued: AtomicUsize,
    queue_timeout: Duration,
}

/// Why a request got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Too many wait already.
    QueueFull,
    /// The wait was too long.
    QueueTimeout,
    /// The limit is gone: the process ends.
    Closed,
}

/// The budget has no room for so much more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// A place among the concurrent requests.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Allows `limit` requests at once; a further one waits up to `queue_timeout`.
    pub fn new(limit: usize, queue_timeout: Duration) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(limit)),
            limit,
            queued: AtomicUsize::new(0),
            queue_timeout,
        }
    }

    /// Waits for a permit, first come, first served.
    ///
    /// # Errors
    ///
    /// [`NotAdmitted::QueueFull`] at once, [`NotAdmitted::QueueTimeout`] after the limit.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the queue.
    pub async fn admit(&self) -> Result<Permit, NotAdmitted> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(Permit { _permit: permit });
        }
        let _place = self.queue()?;
        let permit =
            tokio::time::timeout(self.queue_timeout, Arc::clone(&self.permits).acquire_owned())
                .await
                .map_err(|_| NotAdmitted::QueueTimeout)?
                .map_err(|_| NotAdmitted::Closed)?;
        Ok(Permit { _permit: permit })
    }

    /// How many permits are out.
    pub fn in_use(&self) -> usize {
        self.limit - self.permits.available_permits().min(self.limit)
    }

    /// How many requests wait for a permit.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    fn queue(&self) -> Result<QueuePlace<'_>, NotAdmitted> {
        let place = QueuePlace(&self.queued);
        if self.queued.fetch_add(1, Ordering::Relaxed) >= QUEUE_MAX {
            return Err(NotAdmitted::QueueFull);
        }
        Ok(place)
    }
}

struct QueuePlace<'a>(&'a AtomicUsize);

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory that all request bodies share.
#[derive(Debug)]
pub struct BodyBudget {
    free_bytes: AtomicU64,
}

/// Memory reserved for one body.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<BodyBudget>,
    bytes: u64,
}

impl BodyBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self { free_bytes: AtomicU64::new(bytes) })
    }

    /// Reserves nothing yet.
    pub fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }

    /// How many bytes are free.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }
}

impl Reservation {
    /// Grows to `bytes`, if the budget has room.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; what was reserved before stays reserved.
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), NoRoom> {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else {
            return Ok(());
        };
        self.budget
            .free_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(more))
            .map_err(|_| NoRoom)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.free_bytes.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::{Context, Poll, Waker};

    use tokio::task::unconstrained;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_permit_is_waited_for_in_turn_and_not_forever() {
        let admission = Admission::new(1, Duration::from_secs(5));
        let permit = admission.admit().await.unwrap();

        let refused = admission.admit().await;
        drop(permit);
        let admitted = admission.admit().await;

        assert!(matches!(refused, Err(NotAdmitted::QueueTimeout)));
        assert!(admitted.is_ok());
        assert_eq!((admission.in_use(), admission.queued()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn permits_go_to_the_first_who_stayed_and_none_is_lost() {
        const LIMIT: usize = 3;
        const ROUNDS: usize = 100_000;
        const WAITERS_MAX: usize = 100;
        let admission = Admission::new(LIMIT, Duration::from_secs(5));
        let mut dice = Dice(1);
        // In the order in which they came.
        let mut waiting = VecDeque::new();
        let mut held = Vec::new();
        for _ in 0..ROUNDS {
            // Several things happen before anybody notices.
            for _ in 0..=dice.below(3) {
                match dice.below(4) {
                    0 | 1 if waiting.len() < WAITERS_MAX => {
                        // Polled more often in one turn than a task of its own would be.
                        waiting.push_back(Box::pin(unconstrained(admission.admit())));
                    }
                    2 if !waiting.is_empty() => drop(waiting.remove(dice.below(waiting.len()))),
                    _ if !held.is_empty() => drop(held.swap_remove(dice.below(held.len()))),
                    _ => {}
                }
            }
            let mut cx = Context::from_waker(Waker::noop());
            let mut has_one_to_wait = false;
            waiting.retain_mut(|waiter| match waiter.as_mut().poll(&mut cx) {
                Poll::Ready(permit) => {
                    assert!(!has_one_to_wait, "somebody was overtaken");
                    held.push(permit.unwrap());
                    false
                }
                Poll::Pending => {
                    has_one_to_wait = true;
                    true
                }
            });
            assert!(held.len() <= LIMIT);
            assert!(waiting.is_empty() || held.len() == LIMIT, "a permit was lost");
            assert_eq!((admission.in_use(), admission.queued()), (held.len(), waiting.len()));
        }
        drop((waiting, held));
        assert_eq!((admission.in_use(), admission.queued()), (0, 0));
    }

    /// Numbers that look random and are the same in every run (xorshift).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % limit as u64).unwrap()
        }
    }

    #[test]
    fn a_reservation_gives_back_exactly_what_it_took() {
        let budget = BodyBudget::new(12);
        let mut first = budget.reservation();
        let mut second = budget.reservation();

        assert_eq!(first.grow_to(8), Ok(()));
        assert_eq!(first.grow_to(4), Ok(()));
        assert_eq!(second.grow_to(8), Err(NoRoom));
        drop(first);
        assert_eq!(second.grow_to(8), Ok(()));
        drop(second);

        assert_eq!(budget.free_bytes(), 12);
    }
}
