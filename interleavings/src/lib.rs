//! The concurrent core of the server, compiled as it is against primitives whose every step is
//! scheduled: the pool's lock, line and lease, the permits, the shared memory, the connections.
//!
//! What the core only carries about is a stand-in here: time stands still, a secret is empty,
//! nothing is remembered or told.

#![expect(dead_code, reason = "some of the core is for rooms that are not here")]

extern crate steps as std;

#[path = "../../crates/gemini-balance/src/admission.rs"]
pub mod admission;
#[path = "../../crates/gemini-balance/src/connections.rs"]
pub mod connections;
pub mod pool;

/// Stands still.
pub mod clock {
    /// Always at the origin of both times.
    #[derive(Clone, Debug)]
    pub struct Clock;

    impl Clock {
        /// Always zero.
        pub fn monotonic_ms(&self) -> u64 {
            0
        }

        /// Always zero.
        pub fn wall_ms(&self) -> i64 {
            0
        }
    }
}

/// Nobody has a page open.
pub mod events {
    /// Tells nobody.
    #[derive(Debug, Default)]
    pub struct Teller;
}

/// Empty.
pub mod secret {
    /// No secret at all.
    #[derive(Debug)]
    pub struct Secret;
}
