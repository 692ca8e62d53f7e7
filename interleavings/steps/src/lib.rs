//! The standard library, but for its atomics: each of their operations is a step that the
//! scheduler may put another thread before.

pub use std::*;

/// As in the standard library.
pub mod sync {
    pub use std::sync::*;

    /// Shuttle's atomics.
    pub mod atomic {
        pub use shuttle::sync::atomic::*;
    }
}
