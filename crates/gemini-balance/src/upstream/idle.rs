//! The idle connections of one worker to one endpoint: last in, first out, bounded in number,
//! rest and age.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use crate::clock::Clock;

/// A connection that has rested longer than this is not used again: most servers close theirs
/// after one to four minutes, and a request sent into that moment would be lost.
const IDLE_MS_MAX: u64 = 50_000;
/// A connection older than this is not used again, so that DNS changes take effect.
const AGE_MS_MAX: u64 = 600_000;
/// Idle connections kept per worker and endpoint.
const IDLE_MAX: usize = 512;
/// How often connections are looked for that have rested too long or were closed at the other end.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Connections with nothing under way.
#[derive(Debug)]
pub(super) struct Idle {
    state: Mutex<State>,
    clock: Clock,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    /// The one that has rested longest first.
    connections: VecDeque<Connection>,
    /// Whether a task looks after them.
    is_swept: bool,
}

impl Idle {
    /// None yet. While there are some, a task among `tasks` sweeps out those of no further use.
    pub(super) fn new(clock: Clock, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), clock, tasks })
    }

    /// Takes the most recently used connection that may still be used.
    pub(super) fn pop(&self) -> Option<Connection> {
        let now_ms = self.clock.monotonic_ms();
        let connections = &mut self.state.lock().connections;
        loop {
            let mut connection = connections.pop_back()?;
            if is_worn(&connection, now_ms) {
                // Everything before it has rested even longer.
                connections.clear();
                return None;
            }
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer has been read to its end.
    pub(super) fn push(self: &Arc<Self>, mut connection: Connection) {
        let now_ms = self.clock.monotonic_ms();
        connection.rested_since_ms = now_ms;
        let is_old = AGE_MS_MAX < now_ms.saturating_sub(connection.born_ms);
        let mut state = self.state.lock();
        if is_old || IDLE_MAX <= state.connections.len() {
            return;
        }
        state.connections.push_back(connection);
        if !std::mem::replace(&mut state.is_swept, true) {
            self.tasks.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Drops what is of no further use; true if nothing is left.
    fn is_empty_after_sweep(&self) -> bool {
        let now_ms = self.clock.monotonic_ms();
        let State { connections, is_swept } = &mut *self.state.lock();
        connections.retain_mut(|connection| !is_worn(connection, now_ms) && connection.is_quiet());
        connections.shrink_to_fit();
        *is_swept = !connections.is_empty();
        connections.is_empty()
    }
}

/// Whether a connection has rested too long.
fn is_worn(connection: &Connection, now_ms: u64) -> bool {
    IDLE_MS_MAX < now_ms.saturating_sub(connection.rested_since_ms)
}

async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(idle) = idle.upgrade() else { return };
        if idle.is_empty_after_sweep() {
            return;
        }
    }
}
