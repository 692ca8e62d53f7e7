//! Places, shared memory and connections: never more than the limit, and nothing lost.

mod support;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use interleavings::admission::{Admission, BodyBudget, NotAdmitted};
use interleavings::connections::Connections;
use shuttle::future::{block_on, spawn};
use shuttle::thread;
use support::{check, lose_patience, spawn_impatient, spawn_waiting};

const PATIENCE: Duration = Duration::from_secs(1);

#[test]
fn never_more_than_the_limit_are_in_and_everyone_comes_in() {
    check(|| {
        let house = House::with_places(2);

        let tasks: Vec<_> = (0..4).map(|name| spawn(house.clone().request(name))).collect();

        for task in tasks {
            assert_eq!(block_on(task).unwrap(), Ok(()));
        }
        house.assert_at_rest();
    });
}

#[test]
fn a_request_that_leaves_the_queue_takes_no_place_along() {
    check(|| {
        let house = House::with_places(1);
        let permit = block_on(house.admission.admit()).unwrap();
        let leaving = spawn_waiting(house.clone().request(0));
        let staying = spawn_waiting(house.clone().request(1));

        let giving_back = thread::spawn(|| drop(permit));
        leaving.abort();
        giving_back.join().unwrap();

        assert_eq!(block_on(staying).unwrap(), Ok(()));
        drop(block_on(leaving));
        house.assert_at_rest();
    });
}

#[test]
fn a_request_whose_patience_ends_takes_no_place_along() {
    check(|| {
        let house = House::with_places(1);
        let permit = block_on(house.admission.admit()).unwrap();
        let impatient = spawn_impatient(house.clone().request(0));
        let patient = spawn_waiting(house.clone().request(1));

        let giving_back = thread::spawn(|| drop(permit));
        lose_patience();
        giving_back.join().unwrap();

        assert_eq!(block_on(patient).unwrap(), Ok(()));
        let outcome = block_on(impatient).unwrap();
        assert!(matches!(outcome, Ok(()) | Err(NotAdmitted::QueueTimeout)), "{outcome:?}");
        house.assert_at_rest();
    });
}

#[test]
fn the_queue_moves_in_the_order_of_its_coming_whoever_leaves() {
    check(|| {
        let house = House::with_places(1);
        let permit = block_on(house.admission.admit()).unwrap();
        let waiting: Vec<_> =
            (0..4).map(|name| spawn_waiting(house.clone().request(name))).collect();

        let giving_back = thread::spawn(|| drop(permit));
        waiting[1].abort();
        giving_back.join().unwrap();
        for task in waiting {
            drop(block_on(task));
        }

        let served = house.seen.served.lock().unwrap().clone();
        assert!(served == [0, 2, 3] || served == [0, 1, 2, 3], "{served:?}");
        house.assert_at_rest();
    });
}

#[test]
fn bodies_never_share_more_than_there_is_and_give_all_of_it_back() {
    check(|| {
        let budget = BodyBudget::new(12);

        let bodies = [6, 8, 5].map(|bytes| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                let mut body = budget.reservation();
                let grown = [bytes / 2, bytes].map(|bytes| body.grow_to(bytes).is_ok());
                assert!(budget.free_bytes() <= 12);
                grown
            })
        });
        let grown = bodies.map(|body| body.join().unwrap());

        assert!(grown.iter().any(|body| body[1]), "nobody got room: {grown:?}");
        assert_eq!(budget.free_bytes(), 12);
    });
}

#[test]
fn never_more_connections_are_open_than_the_limit() {
    check(|| {
        let connections = Arc::new(Connections::default());
        let open = Arc::new(AtomicUsize::new(0));

        let peers = [(); 3].map(|()| {
            let (connections, open) = (Arc::clone(&connections), Arc::clone(&open));
            thread::spawn(move || {
                let Some(connection) = connections.try_open(2) else { return false };
                assert!(open.fetch_add(1, Ordering::SeqCst) < 2, "one connection too many");
                thread::yield_now();
                open.fetch_sub(1, Ordering::SeqCst);
                drop(connection);
                true
            })
        });
        let opened = peers.map(|peer| peer.join().unwrap());

        assert!(opened.iter().filter(|is_open| **is_open).count() >= 2, "{opened:?}");
        assert_eq!(connections.open(), 0);
    });
}

/// The places, and what the requests have seen.
#[derive(Clone)]
struct House {
    admission: Arc<Admission>,
    places: usize,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Who came in, in order.
    served: Mutex<Vec<usize>>,
    /// How many are in; a plain atomic, which is no step of the scheduler.
    inside: AtomicUsize,
}

impl House {
    fn with_places(places: usize) -> Self {
        let admission = Arc::new(Admission::new(places, PATIENCE));
        Self { admission, places, seen: Arc::default() }
    }

    async fn request(self, name: usize) -> Result<(), NotAdmitted> {
        let permit = self.admission.admit().await?;
        self.seen.served.lock().unwrap().push(name);
        let inside = &self.seen.inside;
        assert!(inside.fetch_add(1, Ordering::SeqCst) < self.places, "beyond the limit");
        thread::yield_now();
        inside.fetch_sub(1, Ordering::SeqCst);
        drop(permit);
        Ok(())
    }

    fn assert_at_rest(&self) {
        assert_eq!((self.admission.in_use(), self.admission.queued()), (0, 0));
    }
}
