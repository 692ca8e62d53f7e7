//! Migrations: wherever one is interrupted, the next start completes it as if nothing had been.

use std::fs;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::random::RequestId;
use crate::store::Store;
use crate::store::calendar::TimeRange;
use crate::store::error::OpenError;
use crate::store::log_pages::LogFilter;
use crate::store::migrate;
use crate::store::open::{self, OpenOptions};
use crate::store::tests::{TestStore, options, row};

/// Made-up steps behind those there are, each of statements that change schema and data.
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
    let (_uninterrupted, options) = at_present().await;
    let old = everything(&Connection::open(&options.path).unwrap());
    migrate_to_the_end(&options);
    let expected = everything(&Connection::open(&options.path).unwrap());

    for (step, statements) in STEPS.iter().enumerate() {
        for statement in 0..=statements.len() {
            let (_directory, options) = at_present().await;
            let mut connection = Connection::open(&options.path).unwrap();
            let broken = interrupted_after(step, statement);

            let failed = migrate(&mut connection, &options, &broken);

            assert!(matches!(failed, Err(OpenError::Migration { .. })), "{failed:?}");
            let reached = u32::try_from(step).unwrap() + migrate::newest();
            assert_eq!(version(&connection), reached, "the step is done or not begun");
            let backup = format!("gemini-balance.v{}-1800000000000.backup", migrate::newest());
            let backup = options.backup_dir.join(backup);
            assert_eq!(everything(&Connection::open(backup).unwrap()), old);
            drop(connection);
            migrate_to_the_end(&options);
            let found = everything(&Connection::open(&options.path).unwrap());
            assert_eq!(found, expected, "interrupted in step {step} after {statement} statements");
        }
    }
}

#[tokio::test]
async fn the_upgrade_to_the_present_version_is_whole_or_not_begun() {
    let upgrade = migrate::MIGRATIONS[1];
    let statements: Vec<&str> = upgrade.split_inclusive(";\n").collect();
    assert!(10 < statements.len());

    for done in 0..statements.len() {
        let (_directory, options) = at_version_1();
        let mut connection = Connection::open(&options.path).unwrap();
        let old = everything(&connection);
        let broken = format!("{}SELECT no_such_function();", statements[..done].concat());

        let steps = [migrate::MIGRATIONS[0], &broken];
        let failed = migrate::migrate(&mut connection, &options, &steps);

        assert!(matches!(failed, Err(OpenError::Migration { version: 2, .. })), "{failed:?}");
        assert_eq!(everything(&connection), old, "after {done} statements");
    }
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_stops_the_upgrade_before_its_first_step() {
    let (_directory, options) = at_present().await;
    fs::write(&options.backup_dir, b"in the way").unwrap();
    let mut connection = Connection::open(&options.path).unwrap();
    let old = everything(&connection);

    let failed = migrate(&mut connection, &options, &whole());

    let next = migrate::newest() + 1;
    let is_next = |version: u32| version == next;
    assert!(
        matches!(failed, Err(OpenError::Migration { version, .. }) if is_next(version)),
        "{failed:?}"
    );
    assert_eq!(everything(&connection), old);
}

#[tokio::test]
async fn a_database_of_the_first_version_comes_over_with_all_it_knows() {
    let (_directory, options) = at_version_1();

    let store = Store::open(&options).unwrap();

    // Before the sums are folded, and after.
    for _ in 0..2 {
        let range = TimeRange { start_ms: V1_START_MS, end_ms: V1_START_MS + 300 * V1_STEP_MS };
        let expected: i64 = (0..V1_ROWS).sum();
        let sums = store.overview(TimeRange::ALL).await.unwrap().usage.sums;
        assert_eq!((sums.attempts, sums.requests), (500, 375));
        assert_eq!(sums.total_tokens, expected.unsigned_abs());
        assert_eq!(store.overview(range).await.unwrap().usage.sums.attempts, 300);
        let models = store.usage_by_model(TimeRange::ALL, 10).await.unwrap();
        let models = models.iter().map(|it| (it.model.as_str(), it.usage.sums.attempts));
        assert_eq!(models.collect::<Vec<_>>(), [("a", 250), ("b", 250)]);
        let users = store.usage_by_user_key(TimeRange::ALL, 10).await.unwrap();
        let users = users.iter().map(|it| (it.user_key_id, it.usage.sums.attempts));
        assert_eq!(users.collect::<Vec<_>>(), [(Some(1), 167), (Some(2), 167), (Some(3), 166)]);
        let keys = store.usage_by_service_key(TimeRange::ALL, 10).await.unwrap();
        assert!(keys.len() == 5 && keys.iter().all(|it| it.usage.sums.attempts == 100));
        let slice = store.log_slice(range, 100, 10).await.unwrap();
        assert_eq!((slice.total, slice.rows[0].tokens.total), (300, Some(199)));
        store.fold().await.unwrap();
    }
    let key = LogFilter { service_key_id: Some(3), ..LogFilter::ALL };
    let rows = store.log_page(key, None, 1_000).await.unwrap().rows;
    let numbers: Vec<_> = rows.iter().map(|row| row.tokens.total.unwrap()).collect();
    assert_eq!(numbers, (0..500).rev().filter(|number| number % 5 == 2).collect::<Vec<_>>());
    let not_final = LogFilter { is_final: Some(false), ..LogFilter::ALL };
    assert_eq!(store.log_page(not_final, None, 1_000).await.unwrap().rows.len(), 125);
    assert_eq!(store.request(RequestId(41)).await.unwrap()[0].tokens.total, Some(41));
    assert_eq!(store.service_key(1).await.unwrap().unwrap().last_used_at_ms, Some(77));
    assert_eq!(store.service_key(2).await.unwrap().unwrap().last_used_at_ms, None);
}

const V1_ROWS: i64 = 500;
const V1_START_MS: i64 = 1_795_392_000_000;
const V1_STEP_MS: i64 = 900_000;

/// A database as the first version left it: a row each quarter-hour, in three parts, whose tokens are its number.
fn at_version_1() -> (TempDir, OpenOptions) {
    let directory = TempDir::new().unwrap();
    let options = options(&directory);
    fs::create_dir(options.path.parent().unwrap()).unwrap();
    let connection = Connection::open(&options.path).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
             PRAGMA application_id = {}; PRAGMA user_version = 1;",
            open::APPLICATION_ID
        ))
        .unwrap();
    connection.execute_batch(migrate::MIGRATIONS[0]).unwrap();
    connection
        .execute_batch(&format!(
            "INSERT INTO words VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 4, 'openai'), (4, 3, 'chat');
             INSERT INTO outcomes VALUES (1, 1, 3, 4, 0, 200, NULL), (2, 2, 3, 4, 0, 200, NULL);
             WITH RECURSIVE numbers (n) AS
                 (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {V1_ROWS})
             INSERT INTO request_logs
                 SELECT ({V1_START_MS} + n * {V1_STEP_MS} - 1577836800000) * 128,
                        unhex(printf('%032x', n)), n % 3 + 1, n % 5 + 1, n % 2 + 1, 1, n % 4 <> 0,
                        NULL, NULL, NULL, NULL, n, NULL, 7, 0, 0, n / 200
                 FROM numbers;"
        ))
        .unwrap();
    for (dimension, subject) in [(0, "0"), (1, "user_key_id"), (2, "service_key_id")] {
        for (span, length_ms) in [(0, 900_000), (1, 86_400_000)] {
            let sql = format!(
                "INSERT INTO rollups
                     SELECT {dimension}, {span}, ((id >> 7) + 1577836800000) / {length_ms},
                            {subject}, outcome_id, count(*), sum(is_final), count(*), 0, 0, 0, 0,
                            sum(total_tokens)
                     FROM request_logs GROUP BY 3, 4, 5"
            );
            connection.execute(&sql, []).unwrap();
        }
    }
    for (id, last_used_at_ms) in [(1_u8, "77"), (2, "NULL")] {
        let sql = format!(
            "INSERT INTO service_keys (key_identifier, fingerprint, brief, sealed, provider,
                 project, tier, note, tags, is_enabled, created_at_ms, last_used_at_ms)
             VALUES ('key-{id}', ?1, '', x'00', '', '', 0, '', '', TRUE, 1, {last_used_at_ms})"
        );
        connection.execute(&sql, [[id; 32]]).unwrap();
    }
    (directory, options)
}

/// A closed database of the present version, with rows.
async fn at_present() -> (TempDir, OpenOptions) {
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
    let present = migrate::MIGRATIONS.into_iter();
    let all: Vec<_> = present.chain(steps.iter().map(String::as_str)).collect();
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
