//! Life and death: who may still start something, and in which order things end.
//!
//! The order is *refuse → drain → settle → flush → close*. [`Lifecycle`] is the signal that
//! everyone watches; what has to be waited for is a task in a `TaskTracker`.

use tokio_util::sync::CancellationToken;

/// The two moments of a shutdown, as signals that any number of tasks can await.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    draining: CancellationToken,
    drained: CancellationToken,
}

impl Lifecycle {
    /// Begins the shutdown: nothing is accepted any more, what is under way goes on.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Ends the drain: what is still under way is ended with an error its caller understands.
    pub fn end_drain(&self) {
        self.draining.cancel();
        self.drained.cancel();
    }

    /// Whether the shutdown has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Whether the time for draining is over.
    pub fn is_drained(&self) -> bool {
        self.drained.is_cancelled()
    }

    /// The signal that the shutdown has begun.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// The signal that the time for draining is over.
    pub fn drained(&self) -> &CancellationToken {
        &self.drained
    }
}
