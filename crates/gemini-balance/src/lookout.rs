//! Looks every few seconds whether somebody must act, and has it told: what is seen of keys, requests and
//! disk comes together here, and [`crate::alerts`] decides what of it is news.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::alerts::{Now, Sight};
use crate::app::App;
use crate::disk::Room;

/// How often it is looked whether somebody must act.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Looks after which the names of lost keys are looked up again, although there are as many.
const NAMES_AGE_MAX: u32 = 12;

/// Looks, and has it told, until the shutdown begins.
pub async fn watch(app: Arc<App>) {
    let mut lost = Lost::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.lifecycle.draining().cancelled() => return,
        }
        let now = Now { monotonic_ms: app.clock.monotonic_ms(), wall_ms: app.clock.wall_ms() };
        let sight = sight(&app, &mut lost).await;
        let messages = app.alerts.look(&sight, &app.config.alerts, now);
        for message in messages {
            tokio::select! {
                () = app.alerts.tell(&message) => {}
                () = app.lifecycle.draining().cancelled() => return,
            }
        }
    }
}

/// The names of the lost keys, as they were looked up last: that looks at all keys.
#[derive(Default)]
struct Lost {
    names: BTreeSet<String>,
    /// Lost keys there were then.
    count: usize,
    /// Looks since then.
    age: u32,
}

impl Lost {
    fn look(&mut self, app: &App, count: usize) -> BTreeSet<String> {
        self.age += 1;
        if self.count != count || NAMES_AGE_MAX < self.age {
            self.names = if count == 0 { BTreeSet::new() } else { app.pool.lost() };
            (self.count, self.age) = (count, 0);
        }
        self.names.clone()
    }
}

/// What is seen at this moment.
async fn sight(app: &Arc<App>, lost: &mut Lost) -> Sight {
    let counts = app.pool.counts();
    let totals = app.metrics.totals();
    let data_dir = app.config.storage.data_dir.clone();
    // Asking for the room waits for the disk.
    let room = tokio::task::spawn_blocking(move || Room::at(&data_dir).ok()).await.ok().flatten();
    let back = app.pool.soonest_return();
    Sight {
        keys: counts.total.saturating_sub(counts.disabled),
        keys_active: counts.active,
        keys_resting: counts.resting,
        back_ms: back.and_then(|at| i64::try_from(app.pool.wall_of_time(at)).ok()),
        lost: lost.look(app, counts.suspended + counts.invalid),
        requests: totals.requests,
        failures: totals.failures,
        disk_percent: room.map(|room| room.free_percent()),
    }
}
