//! A move that is broken off leaves nothing half done.

use std::fs;

use rusqlite::Connection;

use crate::moving_in::Desk;
use crate::support::eventually;
use crate::support::process::Process;

/// Enough to be killed in the midst of.
const ROWS: u32 = 120_000;
/// Once so much is in our write-ahead log, it is in the midst of it.
const BYTES: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_leaves_nothing_and_the_next_does_it_all() {
    let desk = Desk::new();
    large(&desk);
    let mut killed = Process::start(desk.directory.path(), &[("LOG_LEVEL", "INFO")]);
    killed.line_after("taking over what the Python version has left").await;
    let wal = desk.path("data/gemini-balance.db-wal");
    eventually("it is in the midst of it", async || {
        fs::metadata(&wal).is_ok_and(|wal| BYTES < wal.len())
    })
    .await;

    killed.signal("KILL");
    drop(killed);

    assert_eq!(counts(&desk), (0, 0, 0), "nothing of it is there");
    let mut next = Process::start(desk.directory.path(), &[("LOG_LEVEL", "INFO")]);
    next.address().await;
    drop(next);
    assert_eq!(counts(&desk), (i64::from(ROWS), 1, 1), "all of it, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_can_be_called_off() {
    let desk = Desk::new();
    large(&desk);
    let mut stopped = Process::start(desk.directory.path(), &[("LOG_LEVEL", "INFO")]);
    stopped.line_after("taking over what the Python version has left").await;

    stopped.signal("TERM");
    stopped.exit().await;
    drop(stopped);

    let (rows, ..) = counts(&desk);
    assert!(rows == 0 || rows == i64::from(ROWS), "{rows}: all or nothing");
}

/// Log rows, service keys and user keys that are here.
fn counts(desk: &Desk) -> (i64, i64, i64) {
    (
        desk.count("SELECT count(*) FROM request_logs"),
        desk.count("SELECT count(*) FROM service_keys WHERE deleted_at_ms IS NULL"),
        desk.count("SELECT count(*) FROM user_keys WHERE deleted_at_ms IS NULL"),
    )
}

/// A database of the Python version with a large log.
fn large(desk: &Desk) {
    let path = desk.database(
        "data/sqlite.db",
        "PRAGMA user_version = 10;
         CREATE TABLE key_states (key_identifier TEXT PRIMARY KEY, api_key TEXT NOT NULL);
         CREATE TABLE auth_keys (api_key TEXT PRIMARY KEY, alias TEXT NOT NULL UNIQUE);
         CREATE TABLE request_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL,
             request_time REAL NOT NULL, key_identifier TEXT NOT NULL, auth_key_alias TEXT NOT NULL,
             model_name TEXT NOT NULL, is_success INTEGER NOT NULL);
         INSERT INTO key_states VALUES ('key_sha256_12345678', 'AIzaSyLarge-00000000001');
         INSERT INTO auth_keys VALUES ('a-user-key-of-the-old-one', 'alice');",
    );
    let rows = format!(
        "INSERT INTO request_logs
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         SELECT i, printf('%08x', i), 1795000000.0 + i, 'key_sha256_12345678', 'alice', 'm', i % 7 > 0 FROM n;"
    );
    Connection::open(path).unwrap().execute_batch(&rows).unwrap();
}
