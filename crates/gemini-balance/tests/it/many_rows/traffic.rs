//! Callers at a steady pace, who do not care what the admin does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::support::{Ask, Client};

/// How many ask, and how often each of them: 500 questions a second.
const CALLERS: usize = 40;
const PACE: Duration = Duration::from_millis(80);

/// Callers, until it is dropped.
#[derive(Debug)]
pub(super) struct Traffic {
    took: Arc<Mutex<Vec<Duration>>>,
    callers: JoinSet<()>,
}

impl Traffic {
    pub(super) fn begin(client: &Client) -> Self {
        let took = Arc::<Mutex<Vec<Duration>>>::default();
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn(ask(client.clone(), Arc::clone(&took)));
        }
        Self { took, callers }
    }

    /// How long each answer took that came since the last call.
    pub(super) fn take(&mut self) -> Vec<Duration> {
        assert!(self.callers.try_join_next().is_none(), "a caller was not served");
        std::mem::take(&mut self.took.lock())
    }

    /// How long each of `count` answers takes from now on.
    pub(super) async fn next(&mut self, count: usize) -> Vec<Duration> {
        self.take();
        while self.took.lock().len() < count {
            tokio::time::sleep(PACE).await;
        }
        self.take()
    }
}

async fn ask(client: Client, took: Arc<Mutex<Vec<Duration>>>) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let began = Instant::now();
        Ask::openai().is_answered(&client).await;
        took.lock().push(began.elapsed());
    }
}
