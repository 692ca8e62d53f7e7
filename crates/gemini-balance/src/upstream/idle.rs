//! The idle connections of one worker to one endpoint: last in, first out, bounded in number,
//! rest and age.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::{AGE_MS_MAX, IDLE_MAX, IDLE_MS_MAX, Sender};

/// A connection with nothing under way.
#[derive(Debug)]
pub(super) struct Connection {
    /// hyper's handle; closed when dropped.
    pub(super) sender: Sender,
    /// Whether a byte has come since the request under way was sent.
    pub(super) has_spoken: Arc<AtomicBool>,
    /// When it was made, on the monotonic clock.
    pub(super) born_ms: u64,
    /// When it last became idle, on the monotonic clock.
    pub(super) rested_since_ms: u64,
}

/// A stack of idle connections.
#[derive(Debug, Default)]
pub(super) struct Idle {
    stack: Mutex<Vec<Connection>>,
}

impl Idle {
    /// Takes the most recently used connection that may still be used.
    pub(super) fn pop(&self, now_ms: u64) -> Option<Connection> {
        let mut stack = self.stack.lock();
        loop {
            let connection = stack.pop()?;
            if now_ms.saturating_sub(connection.rested_since_ms) > IDLE_MS_MAX {
                // Everything below has rested even longer.
                stack.clear();
                return None;
            }
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer has been read to its end.
    pub(super) fn push(&self, mut connection: Connection, now_ms: u64) {
        let is_old = now_ms.saturating_sub(connection.born_ms) > AGE_MS_MAX;
        if is_old || connection.sender.is_closed() {
            return;
        }
        connection.rested_since_ms = now_ms;
        let mut stack = self.stack.lock();
        if stack.len() < IDLE_MAX {
            stack.push(connection);
        }
    }
}
