//! How many rows a second the journal puts into a database that has many already.

#![expect(clippy::disallowed_methods, reason = "rows come at a pace of their own")]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use gemini_balance::journal::{Counts, Journal, ROWS_MAX};
use gemini_balance::log_row::LogRow;

use super::log::{self, Log};
use super::report::table;

/// What must be borne.
const PACE: u64 = 20_000;
const LASTING: Duration = Duration::from_secs(20);
/// How often rows come: some at a time.
const TICK: Duration = Duration::from_millis(2);

/// What became of the rows of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logged {
    pub(super) counts: Counts,
    rows_per_second: f64,
    waiting_most: u64,
}

/// Writes rows at the pace that must be borne, and then as fast as they are taken; prints both.
pub(super) async fn measure(database: &Path, log: Log) -> [Logged; 2] {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let store = log::open(database, i64::try_from(now.as_millis()).unwrap());
    let mut runs = Vec::new();
    for pace in [Some(PACE), None] {
        let journal = Journal::start(store.clone()).unwrap();
        let writing = tokio::task::spawn_blocking(move || write(&journal, log, pace));
        runs.push(writing.await.unwrap());
    }
    store.close().await;
    let row = |what: String, logged: &Logged| {
        let Logged { counts, rows_per_second, waiting_most } = logged;
        let figures = [counts.recorded, counts.written, counts.dropped, *waiting_most];
        let figures = figures.map(|figure| figure.to_string());
        [vec![what, format!("{rows_per_second:.0}")], figures.to_vec()].concat()
    };
    let rows = [
        row(format!("{PACE} rows/s for {} s", LASTING.as_secs()), &runs[0]),
        row(format!("as many as are taken for {} s", LASTING.as_secs()), &runs[1]),
    ];
    let columns = ["rows/s written", "recorded", "written", "lost", "waiting at most"];
    table("Logging", &columns, &rows);
    [runs[0], runs[1]]
}

/// Records rows for a while, so many a second or as many as find room, and waits until they are written.
fn write(journal: &Journal, log: Log, pace: Option<u64>) -> Logged {
    let began = Instant::now();
    let mut recorded = 0;
    let mut waiting_most = 0;
    let waiting = || {
        let counts = journal.counts();
        counts.recorded - counts.written
    };
    while began.elapsed() < LASTING {
        waiting_most = waiting_most.max(waiting());
        let due = match pace {
            Some(pace) => u64::try_from(began.elapsed().as_micros()).unwrap() * pace / 1_000_000,
            None => recorded + (ROWS_MAX as u64 / 2).saturating_sub(waiting()),
        };
        for number in recorded..due {
            journal.record(row(log, number));
        }
        recorded = recorded.max(due);
        std::thread::sleep(TICK);
    }
    while 0 < waiting() {
        std::thread::sleep(TICK);
    }
    let counts = journal.counts();
    let rows_per_second = counts.written as f64 / began.elapsed().as_secs_f64();
    Logged { counts, rows_per_second, waiting_most }
}

/// As those of the log, but of now.
fn row(log: Log, number: u64) -> LogRow {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let ended_at_ms = i64::try_from(now.as_millis()).unwrap();
    LogRow { ended_at_ms, ..log.row(i64::try_from(number).unwrap()) }
}
