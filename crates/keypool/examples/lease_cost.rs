//! What leasing a key and giving it back costs, with few keys and with many.
//!
//! ```text
//! cargo run --release -p keypool --example lease_cost
//! ```
//!
//! Prints one line of JSON per number of keys. Each figure is of one lease and one settlement together, the
//! clock's own two readings included.
#![expect(clippy::print_stdout, reason = "it talks to the person at the terminal")]

use std::collections::VecDeque;
use std::time::Instant;

use keypool::{KeyId, KeyRecord, Policy, Pool, Time, Verdict};

const MODEL: &str = "gemini-2.5-flash";
/// Requests that run while the next one asks.
const RUNNING: usize = 64;
const ROUNDS: u64 = 1_000_000;
const WARM_UP: u64 = 100_000;

fn main() {
    for keys in [50, 50_000] {
        let mut nanos = measure(keys);
        nanos.sort_unstable();
        let at = |permille: usize| nanos.get(nanos.len() * permille / 1_000).copied().unwrap_or(0);
        println!(
            r#"{{"keys":{keys},"p50_ns":{},"p99_ns":{},"p999_ns":{}}}"#,
            at(500),
            at(990),
            at(999)
        );
    }
}

/// The nanoseconds of each round.
fn measure(keys: u64) -> Vec<u128> {
    let mut pool = Pool::new(Policy::default(), 1);
    for id in 1..=keys {
        pool.add(KeyRecord::new(KeyId(id), Time::default()), Time::default());
    }
    let mut running = VecDeque::new();
    let mut nanos = Vec::new();
    for round in 0..WARM_UP + ROUNDS {
        // A thousand requests a second.
        let now = Time::from_millis(round);
        let began = Instant::now();
        let leased = pool.lease(MODEL, &[], now);
        if let Some(lease) = running.pop_front().filter(|_| RUNNING <= running.len()) {
            pool.settle(lease, Verdict::Healthy, "", now);
        }
        let took = began.elapsed().as_nanos();
        running.extend(leased);
        if WARM_UP <= round {
            nanos.push(took);
        }
        if round % 1_000 == 0 {
            pool.take_changes();
        }
    }
    nanos
}
