//! When the requests of an open loop are due: at a fixed rate, whatever becomes of those before.
//!
//! A connection that is free takes the next due request. Its latency counts from the instant at
//! which it was due, so that waiting for a slow server, and for a free connection, is in it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

/// The beat of one run.
#[derive(Debug)]
pub(crate) struct Pacemaker {
    start: Instant,
    interval: Duration,
    count: u64,
    taken: AtomicU64,
    due: Semaphore,
}

impl Pacemaker {
    /// Begins to beat, `rate` times a second until `length` has passed; `connections` is how many
    /// wait for it.
    ///
    /// A thread does it, since it sleeps to some 60 µs while the timers of the runtime sleep to a
    /// millisecond.
    ///
    /// # Errors
    ///
    /// If the system has no thread left.
    pub(crate) fn start(
        rate: u32,
        length: Duration,
        connections: usize,
    ) -> anyhow::Result<Arc<Self>> {
        let pacemaker = Arc::new(Self {
            start: Instant::now(),
            interval: Duration::from_secs(1) / rate.max(1),
            count: u64::from(rate) * length.as_secs(),
            taken: AtomicU64::new(0),
            due: Semaphore::new(0),
        });
        let beating = Arc::clone(&pacemaker);
        thread::Builder::new().name("pacemaker".to_owned()).spawn(move || {
            for beat in 0..beating.count {
                let ahead = beating.due_at(beat).saturating_duration_since(Instant::now());
                if !ahead.is_zero() {
                    thread::sleep(ahead);
                }
                beating.due.add_permits(1);
            }
            // Whoever waits now wakes for a beat that is not, and ends.
            beating.due.add_permits(connections);
        })?;
        Ok(pacemaker)
    }

    /// Waits until a request is due and returns the instant at which it was, or `None` at the end.
    pub(crate) async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let beat = self.taken.fetch_add(1, Ordering::Relaxed);
        (beat < self.count).then(|| self.due_at(beat))
    }

    fn due_at(&self, beat: u64) -> Instant {
        let nanoseconds = u128::from(beat) * self.interval.as_nanos();
        self.start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}
