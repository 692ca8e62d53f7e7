//! The pool without what reads the settings, probes keys or knows the store.

use keypool::KeyId;

#[path = "../../crates/gemini-balance/src/pool/lease.rs"]
mod lease;
#[path = "../../crates/gemini-balance/src/pool/line.rs"]
mod line;
#[path = "../../crates/gemini-balance/src/pool/live.rs"]
mod live;
#[path = "../../crates/gemini-balance/src/pool/members.rs"]
mod members;
#[path = "../../crates/gemini-balance/src/pool/refusals.rs"]
mod refusals;
#[path = "../../crates/gemini-balance/src/pool/shown.rs"]
mod shown;

pub use lease::Lease;
pub use live::KeyPool;

use crate::secret::Secret;

/// As the server's.
#[derive(Debug)]
pub struct ServiceKey {
    /// Its row in the store.
    pub id: KeyId,
    /// Never looked at here.
    pub identifier: String,
    /// Never looked at here.
    pub secret: Secret,
}

mod memory {
    /// Nothing is remembered.
    #[derive(Debug, Default)]
    pub(super) struct Unsaved;
}
