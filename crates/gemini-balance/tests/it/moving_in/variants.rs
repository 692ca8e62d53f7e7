//! What is odd in databases of the Python version, and normal there.

use gemini_balance::clock::Clock;

use crate::moving_in::{Desk, NOW_MS};
use crate::support::{Ask, Setup};

const KEY_STATES: &str = "(key_identifier TEXT PRIMARY KEY, api_key TEXT NOT NULL,
    cool_down_until REAL, request_fail_count INTEGER, cool_down_entry_count INTEGER,
    current_cool_down_seconds INTEGER, last_usage_time REAL, is_in_use INTEGER,
    is_cooled_down INTEGER)";
const LOGS: &str = "(id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL,
    request_time REAL NOT NULL, key_identifier TEXT NOT NULL, auth_key_alias TEXT NOT NULL,
    model_name TEXT NOT NULL, is_success INTEGER NOT NULL, prompt_tokens INTEGER,
    completion_tokens INTEGER, total_tokens INTEGER, error_type TEXT, key_brief TEXT)";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_a_broken_migration_has_left_comes_over() {
    let desk = Desk::new();
    let row = "0, 0, 0, 300, 1795380000.5, 0, 0";
    desk.database(
        "renamed.db",
        &format!(
            "PRAGMA user_version = 4; CREATE TABLE old_key_states {KEY_STATES};
             INSERT INTO old_key_states VALUES ('key_sha256_1', 'AIzaSyLeft-000000001', {row});"
        ),
    );
    desk.database(
        "emptied.db",
        &format!(
            "PRAGMA user_version = 5; CREATE TABLE old_key_states {KEY_STATES};
             CREATE TABLE key_states {KEY_STATES};
             INSERT INTO old_key_states VALUES ('key_sha256_2', 'AIzaSyLeft-000000002', {row});"
        ),
    );
    desk.database(
        "both.db",
        &format!(
            "PRAGMA user_version = 5; CREATE TABLE old_key_states {KEY_STATES};
             CREATE TABLE key_states {KEY_STATES};
             INSERT INTO key_states VALUES ('key_sha256_3', 'AIzaSyLeft-000000003', {row});
             INSERT INTO old_key_states SELECT * FROM key_states;
             INSERT INTO old_key_states VALUES ('key_sha256_4', 'AIzaSyLeft-000000004', {row});"
        ),
    );

    for (name, added) in [
        ("renamed.db", "1 service key,"),
        ("emptied.db", "1 service key,"),
        ("both.db", "2 service keys,"),
    ] {
        let (code, said) = desk.import(&[name]).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(added), "{name}: {said}");
    }

    assert_eq!(desk.count("SELECT count(*) FROM service_keys WHERE is_enabled"), 3);
    assert_eq!(
        desk.count(
            "SELECT count(*) FROM service_keys WHERE NOT is_enabled AND tags = 'old_key_states'"
        ),
        1,
        "one that perhaps was deleted does not serve by itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_users_and_rows_are_told_apart() {
    let desk = Desk::new();
    let old = desk.database(
        "odd.db",
        &format!(
            "PRAGMA user_version = 5;
             CREATE TABLE key_states {KEY_STATES};
             CREATE TABLE auth_keys (api_key TEXT PRIMARY KEY, alias TEXT NOT NULL, call_count INTEGER);
             CREATE TABLE request_logs {LOGS};
             INSERT INTO key_states (key_identifier, api_key, cool_down_until) VALUES
                 ('key_sha256_1', '  AIzaSyOdd-0000000001 ', {until}),
                 ('key_sha256_2', 'AIzaSyOdd-0000000002' || char(10) || 'AIzaSyOdd-0000000003', 'soon'),
                 ('key_sha256_3', '', NULL), ('key_sha256_4', x'ff00', -1e300);
             INSERT INTO auth_keys VALUES ('first-key-of-alice', 'alice', 1),
                 ('second-key-of-alice', 'alice', 1), ('k', 'short', 0), ('', 'none', 0),
                 ('a key with spaces', 'spaces', 0);
             INSERT INTO request_logs VALUES
                 (1, '00000001', {time}.1, 'key_sha256_1', 'alice', 'm', 0, NULL, NULL, NULL, 'auth_error', NULL),
                 (2, '00000001', {time}.2, 'key_sha256_gone', 'alice', 'm', 1, 1, 2, 3, NULL, 'AIza...gone'),
                 (3, 'not hex!', {time}.3, 'key_sha256_3', 'bob', '', 1, -5, 99999999999, 'x', NULL, NULL),
                 (4, '00000004', 'never', 'key_sha256_1', 'alice', 'm', 1, 1, 1, 1, NULL, NULL),
                 (5, '00000005', 1e300, 'key_sha256_1', 'alice', 'm', 1, 1, 1, 1, NULL, NULL),
                 (6, '00000001', {later}.5, 'key_sha256_1', 'alice', 'm', 1, 1, 1, 1, NULL, NULL);",
            until = NOW_MS / 1_000 + 600,
            time = NOW_MS / 1_000 - 90_000,
            later = NOW_MS / 1_000 - 3_600,
        ),
    );
    let setup = Setup::default().set("SQLITE_DB", old.display()).caller("ours");

    let gateway = setup.clock(&Clock::manual(NOW_MS)).start().await;

    let report = gateway.report().unwrap().lines().join("\n");
    for words in [
        "key_states key_sha256_3: service key not taken: empty",
        "key_states key_sha256_4: service key not taken",
        "auth_keys: user key none not taken: empty",
        "auth_keys: user key spaces not taken: holds a space",
        "short enough to be guessed",
        "the name alice is taken",
        "2 log rows say no time that can be read",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
    assert_eq!(gateway.app().pool.counts().total, 3 + 3);
    assert_eq!(gateway.rest_ms_of("AIzaSyOdd-0000000001", "m"), 600_000);
    for (key, name) in
        [("first-key-of-alice", "alice"), ("second-key-of-alice", "alice (2)"), ("k", "short")]
    {
        let caller = gateway.app().user_keys.authenticate(key, NOW_MS).expect("it lets in");
        assert_eq!(*caller.name, *name);
    }
    let rows = gateway.rows().await;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.user_key_name.as_deref().unwrap(),
                row.key_identifier.as_deref().unwrap(),
                row.attempt,
                row.is_final,
            )
        })
        .collect();
    let first = gateway.identifier_of("AIzaSyOdd-0000000001");
    assert_eq!(
        shown,
        [
            ("alice", first.as_str(), 1, false),
            ("alice", "key_sha256_gone", 2, true),
            ("bob", "key_sha256_3", 1, true),
            ("alice", first.as_str(), 1, true),
        ]
    );
    assert_eq!(
        (rows[0].error_kind.as_deref(), rows[1].key_brief.as_deref()),
        (Some("key_invalid"), Some("AIza...gone"))
    );
    assert_eq!(
        (rows[2].tokens.prompt, rows[2].tokens.completion, rows[2].tokens.total),
        (None, Some(u32::MAX), None)
    );
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_nobody_knows_are_no_latencies() {
    let desk = Desk::new();
    let old = desk.database(
        "old.db",
        &format!(
            "CREATE TABLE key_states {KEY_STATES}; CREATE TABLE request_logs {LOGS};
             INSERT INTO request_logs VALUES
                 (1, '00000001', {}, 'key_sha256_1', 'alice', 'm', 1, 1, 2, 3, NULL, NULL);",
            NOW_MS / 1_000 - 60
        ),
    );
    let setup = Setup::default().set("SQLITE_DB", old.display());
    let gateway = setup.clock(&Clock::manual(NOW_MS)).start().await;
    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.app().journal.flush().await.unwrap();

    let path = gateway.directory.path().join("data/gemini-balance.db");
    let models: i64 = rusqlite::Connection::open(path)
        .unwrap()
        .query_row("SELECT count(DISTINCT model_id) FROM rollup_latencies", [], |row| row.get(0))
        .unwrap();

    assert!(models <= 1, "of the row from elsewhere nothing is counted");
    gateway.close_with_made_up_rows().await;
}
