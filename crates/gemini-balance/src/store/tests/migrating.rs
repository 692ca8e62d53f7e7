//! Migrations: wherever one is interrupted, the next start completes it as if nothing had been.

use std::fs;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::error::OpenError;
use crate::store::migrate;
use crate::store::open::OpenOptions;
use crate::store::tests::{TestStore, options, row};

/// Made-up steps behind the first, each of statements that change schema and data.
const STEPS: [&[&str]; 3] = [
    &[
        "ALTER TABLE request_logs ADD COLUMN kind INTEGER;",
        "UPDATE request_logs SET kind = id % 3;",
        "CREATE INDEX logs_by_kind ON request_logs (kind);",
    ],
    &[
        "CREATE TABLE kinds (kind INTEGER PRIMARY KEY, rows INTEGER NOT NULL) STRICT;",
        "INSERT INTO kinds SELECT kind, count(*) FROM request_logs GROUP BY kind;",
        "DROP INDEX logs_by_kind;",
        "DELETE FROM request_logs WHERE kind = 2;",
    ],
    &["ALTER TABLE kinds RENAME TO sorts;", "INSERT INTO meta VALUES ('sorted', x'01');"],
];

#[tokio::test]
async fn an_upgrade_interrupted_at_any_statement_is_completed_by_the_next_start() {
    let (_uninterrupted, options) = at_version_1().await;
    let old = everything(&Connection::open(&options.path).unwrap());
    migrate_to_the_end(&options);
    let expected = everything(&Connection::open(&options.path).unwrap());

    for (step, statements) in STEPS.iter().enumerate() {
        for statement in 0..=statements.len() {
            let (_directory, options) = at_version_1().await;
            let mut connection = Connection::open(&options.path).unwrap();
            let broken = interrupted_after(step, statement);

            let failed = migrate(&mut connection, &options, &broken);

            assert!(matches!(failed, Err(OpenError::Migration { .. })), "{failed:?}");
            let reached = u32::try_from(step).unwrap() + 1;
            assert_eq!(version(&connection), reached, "the step is done or not begun");
            let backup = options.backup_dir.join("gemini-balance.v1-1800000000000.backup");
            assert_eq!(everything(&Connection::open(backup).unwrap()), old);
            drop(connection);
            migrate_to_the_end(&options);
            let found = everything(&Connection::open(&options.path).unwrap());
            assert_eq!(found, expected, "interrupted in step {step} after {statement} statements");
        }
    }
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_stops_the_upgrade_before_its_first_step() {
    let (_directory, options) = at_version_1().await;
    fs::write(&options.backup_dir, b"in the way").unwrap();
    let mut connection = Connection::open(&options.path).unwrap();
    let old = everything(&connection);

    let failed = migrate(&mut connection, &options, &whole());

    assert!(matches!(failed, Err(OpenError::Migration { version: 2, .. })), "{failed:?}");
    assert_eq!(everything(&connection), old);
}

/// A closed database of the first version, with rows.
async fn at_version_1() -> (TempDir, OpenOptions) {
    let store = TestStore::new();
    store.insert(&(0..30).map(row).collect::<Vec<_>>()).await;
    let TestStore { store, directory } = store;
    store.close().await;
    let options = options(&directory);
    (directory, options)
}

/// The steps as they should be.
fn whole() -> Vec<String> {
    STEPS.iter().map(|statements| statements.concat()).collect()
}

/// The steps with one that fails after some of its statements.
fn interrupted_after(step: usize, statements: usize) -> Vec<String> {
    let mut steps = whole();
    let (before, after) = STEPS[step].split_at(statements);
    steps[step] = [before, &["SELECT no_such_function();"], after].concat().concat();
    steps
}

fn migrate(
    connection: &mut Connection,
    options: &OpenOptions,
    steps: &[String],
) -> Result<(), OpenError> {
    let first = migrate::MIGRATIONS[0];
    let all: Vec<_> = [first].into_iter().chain(steps.iter().map(String::as_str)).collect();
    migrate::migrate(connection, options, &all)
}

fn migrate_to_the_end(options: &OpenOptions) {
    let mut connection = Connection::open(&options.path).unwrap();
    // Another minute, another backup: the first one stays what it is.
    let later = OpenOptions { now_ms: options.now_ms + 60_000, ..options.clone() };
    migrate(&mut connection, &later, &whole()).unwrap();
}

/// Schema, version and every row, as text.
fn everything(connection: &Connection) -> Vec<String> {
    let mut all = vec![version(connection).to_string()];
    all.extend(lines(connection, "SELECT quote(sql) FROM sqlite_schema ORDER BY type, name"));
    let tables = lines(
        connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    for table in tables {
        all.push(table.clone());
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let count = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..count).map(|at| row.get_ref(at).unwrap()).collect();
            all.push(format!("{values:?}"));
        }
    }
    all
}

fn lines(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let lines = statement.query_map([], |row| row.get(0)).unwrap();
    lines.map(Result::unwrap).collect()
}

fn version(connection: &Connection) -> u32 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}
