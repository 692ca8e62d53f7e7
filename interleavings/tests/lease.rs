//! Leases and the waiting line: whoever waits for a key that comes free gets it, in turn, whatever
//! happens at the same time.

mod support;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use interleavings::clock::Clock;
use interleavings::pool::{KeyPool, Lease, ServiceKey};
use interleavings::secret::Secret;
use keypool::{KeyId, KeyRecord, Policy, Refusal, Verdict};
use shuttle::future::{block_on, spawn};
use shuttle::thread;
use support::{check, lose_patience, spawn_impatient, spawn_waiting};

const MODEL: &str = "gemini-2.5-flash";
const PATIENCE: Duration = Duration::from_secs(1);
const FIRST: KeyId = KeyId(1);
const SECOND: KeyId = KeyId(2);

#[test]
fn a_key_serves_one_at_a_time_and_everyone_in_the_end() {
    check(|| {
        let house = House::with_keys(&[FIRST]);

        let tasks: Vec<_> = (0..4).map(|name| spawn(house.clone().request(name, &[]))).collect();
        let outcomes: Vec<_> = tasks.into_iter().map(|task| block_on(task).unwrap()).collect();

        assert_eq!(outcomes, [Ok(FIRST); 4]);
        house.assert_at_rest();
    });
}

#[test]
fn a_request_that_leaves_the_line_takes_no_key_along() {
    check(|| {
        let house = House::with_keys(&[FIRST]);
        let lease = house.lease(FIRST);
        let leaving = spawn_waiting(house.clone().request(0, &[]));
        let staying = spawn_waiting(house.clone().request(1, &[]));

        let giving_back = thread::spawn(|| drop(lease));
        leaving.abort();
        giving_back.join().unwrap();

        assert_eq!(block_on(staying).unwrap(), Ok(FIRST));
        assert!(block_on(leaving).map_or(true, |outcome| outcome == Ok(FIRST)));
        house.assert_at_rest();
    });
}

#[test]
fn a_place_is_free_as_soon_as_its_request_has_left() {
    check(|| {
        let house = House::with_keys(&[FIRST]);
        let lease = house.lease(FIRST);
        let leaving = spawn_waiting(house.clone().request(0, &[]));
        let impatient = spawn_impatient(house.clone().request(1, &[]));

        leaving.abort();
        lose_patience();
        let outcomes = [leaving, impatient].map(|task| block_on(task).ok());

        assert!(matches!(outcomes, [None, Some(Err(Refusal::Busy { .. }))]), "{outcomes:?}");
        assert_eq!(house.pool.waiting(), 0);
        drop(lease);
        house.assert_at_rest();
    });
}

#[test]
fn a_request_whose_patience_ends_takes_no_key_along() {
    check(|| {
        let house = House::with_keys(&[FIRST]);
        let lease = house.lease(FIRST);
        let impatient = spawn_impatient(house.clone().request(0, &[]));
        let patient = spawn_waiting(house.clone().request(1, &[]));

        let giving_back = thread::spawn(|| drop(lease));
        lose_patience();
        giving_back.join().unwrap();

        assert_eq!(block_on(patient).unwrap(), Ok(FIRST));
        let outcome = block_on(impatient).unwrap();
        assert!(matches!(outcome, Ok(FIRST) | Err(Refusal::Busy { .. })), "{outcome:?}");
        house.assert_at_rest();
    });
}

#[test]
fn the_line_is_served_in_the_order_of_its_coming_whoever_leaves() {
    check(|| {
        let house = House::with_keys(&[FIRST]);
        let lease = house.lease(FIRST);
        let waiting: Vec<_> =
            (0..4).map(|name| spawn_waiting(house.clone().request(name, &[]))).collect();

        let giving_back = thread::spawn(|| lease.settle(Verdict::Healthy, ""));
        waiting[1].abort();
        giving_back.join().unwrap();
        for task in waiting {
            drop(block_on(task));
        }

        let served = house.served();
        assert!(served == [0, 2, 3] || served == [0, 1, 2, 3], "{served:?}");
        house.assert_at_rest();
    });
}

#[test]
fn a_request_that_has_tried_a_key_leaves_it_to_those_behind() {
    check(|| {
        let house = House::with_keys(&[FIRST, SECOND]);
        let first = house.lease(FIRST);
        let second = house.lease(SECOND);
        let choosy = spawn_waiting(house.clone().request(0, &[FIRST]));
        let other = spawn_waiting(house.clone().request(1, &[]));

        let giving_back = thread::spawn(|| drop(first));
        assert_eq!(block_on(other).unwrap(), Ok(FIRST));
        drop(second);
        giving_back.join().unwrap();

        assert_eq!(block_on(choosy).unwrap(), Ok(SECOND));
        house.assert_at_rest();
    });
}

#[test]
fn keys_that_an_admin_switches_on_serve_all_who_wait() {
    check(|| {
        let house = House::with_keys(&[FIRST, SECOND]);
        let leases = [house.lease(FIRST), house.lease(SECOND)];
        let waiting = [0, 1].map(|name| spawn_waiting(house.clone().request(name, &[])));

        let giving_back = thread::spawn(|| drop(leases));
        house.pool.disable_all(&[FIRST, SECOND]);
        giving_back.join().unwrap();
        house.pool.enable_all(&[FIRST, SECOND]);

        for task in waiting {
            assert!(block_on(task).unwrap().is_ok());
        }
        house.assert_at_rest();
    });
}

#[test]
fn a_key_that_an_admin_resets_serves_those_who_wait() {
    check(|| {
        let house = House::with_keys(&[FIRST]);
        let lease = house.lease(FIRST);
        let waiting = [0, 1].map(|name| spawn_waiting(house.clone().request(name, &[])));

        let giving_back = thread::spawn(|| lease.settle(Verdict::Invalid, "no such key"));
        giving_back.join().unwrap();
        house.pool.reset(FIRST);

        for task in waiting {
            assert_eq!(block_on(task).unwrap(), Ok(FIRST));
        }
        house.assert_at_rest();
    });
}

#[test]
fn a_key_that_goes_while_it_is_in_use_leaves_nothing_behind() {
    check(|| {
        let house = House::with_keys(&[FIRST, SECOND]);
        let lease = house.lease(FIRST);
        let tasks: Vec<_> = (0..3).map(|name| spawn(house.clone().request(name, &[]))).collect();

        let giving_back = thread::spawn(|| lease.settle(Verdict::Healthy, ""));
        house.pool.remove(FIRST);
        giving_back.join().unwrap();

        for task in tasks {
            assert!(block_on(task).unwrap().is_ok());
        }
        house.assert_at_rest();
    });
}

/// A pool whose keys serve one request at a time, and what its requests have seen.
#[derive(Clone)]
struct House {
    pool: Arc<KeyPool>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Who was served, in order.
    served: Mutex<Vec<usize>>,
    /// How many hold each key; plain atomics, which are no step of the scheduler.
    holders: [AtomicUsize; 3],
}

impl House {
    fn with_keys(ids: &[KeyId]) -> Self {
        let policy = Policy { key_concurrency_max: 1, ..Policy::default() };
        let pool = KeyPool::new(policy, 7, Clock);
        for id in ids {
            let key = ServiceKey { id: *id, identifier: String::new(), secret: Secret };
            pool.add(key, KeyRecord::new(*id, pool.now()));
        }
        Self { pool, seen: Arc::default() }
    }

    fn lease(&self, id: KeyId) -> Lease {
        self.pool.lease_key(id, MODEL).expect("nobody else is there yet")
    }

    /// One request from its wait to its end, which says which key served it.
    async fn request(self, name: usize, tried: &'static [KeyId]) -> Result<KeyId, Refusal> {
        let lease = self.pool.lease(MODEL, tried, PATIENCE).await?;
        let id = lease.key().id;
        self.seen.served.lock().unwrap().push(name);
        let holders = &self.seen.holders[usize::try_from(id.0).unwrap()];
        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "a key beyond its limit");
        thread::yield_now();
        holders.fetch_sub(1, Ordering::SeqCst);
        if name % 2 == 0 {
            lease.settle(Verdict::Healthy, "");
        }
        Ok(id)
    }

    fn served(&self) -> Vec<usize> {
        self.seen.served.lock().unwrap().clone()
    }

    fn assert_at_rest(&self) {
        assert_eq!((self.pool.waiting(), self.pool.counts().leases), (0, 0));
    }
}
