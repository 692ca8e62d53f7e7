//! Each schema version of the Python version, compared row by row with its own SQL.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use gemini_balance::clock::Clock;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::moving_in::{Desk, NOW_MS, finished, fixture, looks};
use crate::support::{Ask, Gateway, Setup};

/// A row of the log, as far as both have it.
type Row = (u128, i64, String, String, String, bool, [Option<i64>; 3]);

#[tokio::test(flavor = "multi_thread")]
async fn every_version_comes_over_at_the_first_start_row_by_row() {
    for version in 1..=10 {
        let desk = Desk::new();
        let old = desk.file("old/sqlite.db", fs::read(fixture(version)).unwrap());
        let before = looks(&old);

        let gateway = start(&old).await;

        assert_eq!(looks(&old), before, "version {version}: the old file is untouched");
        let theirs = Connection::open(fixture(version)).unwrap();
        check_service_keys(&gateway, &theirs);
        check_user_keys(&gateway, &theirs).await;
        if has(&theirs, "request_logs", "request_id") {
            check_rows(&gateway, &theirs).await;
            check_statistics(&gateway, &theirs).await;
        }
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_first_start_says_what_came_over() {
    let gateway = start(&fixture(10)).await;

    let report = gateway.report().expect("something was taken over");

    assert_eq!(
        report.headline(),
        "taken over from the Python version of Gemini Balance (schema version 10): 10 service \
         keys, 3 user keys, 3,823 log rows"
    );
    let lines = report.lines().join("\n");
    for words in [
        "53 log rows of 1 deleted service keys are kept",
        "25 log rows of 1 deleted user keys are kept",
        "2 service keys rest there",
        "1 service keys were left in use there",
        "kept all keys in clear",
    ] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    assert!(!lines.contains("FIXTURE"), "no key is shown");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resting_keys_rest_on_and_the_others_serve() {
    let gateway = start(&fixture(10)).await;
    let theirs = Connection::open(fixture(10)).unwrap();

    for suffix in ["q429", "s403"] {
        let key = key(suffix);
        let models = texts(
            &theirs,
            &format!(
                "SELECT DISTINCT model_name FROM request_logs l JOIN key_states k
                 USING (key_identifier) WHERE k.api_key = '{key}'"
            ),
        );
        assert!(!models.is_empty());
        for model in models {
            assert!(0 < gateway.rest_ms_of(&key, &model), "{suffix} {model}");
        }
    }
    for suffix in ["ok01", "ok07", "x400"] {
        assert_eq!(gateway.buckets_of(&key(suffix)), [], "{suffix} is free");
    }
    Ask::gemini().is_answered(&gateway.stranger().bearer("8aY6f7SEMKdtIm1dJRBWvIVlvoIYWNWN")).await;
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_start_takes_nothing_over_again() {
    let gateway = start(&fixture(10)).await;
    let rows = gateway.rows().await.len();

    let gateway = gateway.restart().await;

    assert!(gateway.report().is_none());
    assert_eq!(gateway.rows().await.len(), rows);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_hand_it_is_the_same_and_a_second_time_adds_only_what_is_new() {
    let desk = Desk::new();
    let old = desk.file("old.db", fs::read(fixture(10)).unwrap());

    let (trial, foreseen) = desk.import(&["old.db", "--dry-run"]).await;
    assert!(!desk.path("data").exists(), "a trial makes nothing");
    let (first, said) = desk.import(&["old.db"]).await;
    let more = "INSERT INTO request_logs SELECT 9001, 'feedbeef', 1795385000.5, key_identifier,
        auth_key_alias, model_name, 1, 1, 2, 3, NULL, key_brief FROM request_logs WHERE id = 1";
    Connection::open(&old).unwrap().execute_batch(more).unwrap();
    let (second, said_again) = desk.import(&["old.db"]).await;

    assert_eq!((trial, first, second), (0, 0, 0), "{foreseen}{said}{said_again}");
    let summary = "10 service keys, 3 user keys, 3,823 log rows";
    assert!(foreseen.contains(&format!("would be taken over from the Python version of Gemini Balance (schema version 10): {summary}")), "{foreseen}");
    assert!(said.contains(summary), "{said}");
    assert!(
        said_again.contains(
            "0 service keys, 0 user keys, 1 log row; 10 service keys are here already; \
             3 user keys are here already; 3,823 log rows are here already"
        ),
        "{said_again}"
    );
    assert_eq!(desk.count("SELECT count(*) FROM request_logs"), 3_824);
    assert_eq!(desk.count("SELECT count(*) FROM service_keys WHERE deleted_at_ms IS NOT NULL"), 1);
    assert_eq!(desk.count("SELECT count(*) FROM user_keys WHERE deleted_at_ms IS NOT NULL"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_left_behind() {
    let desk = Desk::new();
    let old = fixture(10).display().to_string();

    let (code, said) = desk.import(&[&old, "--no-log"]).await;

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("10 service keys, 3 user keys\n"), "{said}");
    assert_eq!(desk.count("SELECT count(*) FROM request_logs"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_takes_it_over_by_a_job() {
    let gateway = Setup::default().caller("ours").clock(&Clock::manual(NOW_MS)).start().await;
    let admin = gateway.admin().await;
    let bytes = fs::read(fixture(10)).unwrap();

    let looked = admin.send(http::Method::POST, "/api/imports", bytes).await;
    assert_eq!(looked.status, 200, "{}", looked.text());
    let looked = looked.json();
    assert_eq!(gateway.app().pool.counts().total, 3, "looking changes nothing");
    let path = format!("/api/imports/{}", looked["id"].as_str().unwrap());
    let begun = admin.post(&path, &json!({})).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    let job = finished(&admin, &begun.json()).await;

    let report = &looked["report"];
    assert_eq!((&report["source"], &report["is_trial"]), (&json!("predecessor"), &json!(true)));
    assert_eq!(report["service_keys"], json!({"added": 10, "duplicate": 0, "invalid": 0}));
    assert_eq!(
        (&report["log_rows"], report["items"].as_array().unwrap().len()),
        (&json!(3823), 13)
    );
    assert_eq!((&job["action"], &job["stage"]), (&json!("move_in"), &json!("done")));
    assert_eq!((&job["counts"], &job["total"]), (&json!({"added": 13}), &json!(13)));
    let theirs = Connection::open(fixture(10)).unwrap();
    check_service_keys(&gateway, &theirs);
    check_rows(&gateway, &theirs).await;
    assert!(!gateway.buckets_of(&key("q429")).is_empty(), "it rests at once");
    Ask::openai().is_answered(&gateway.stranger().bearer("luFZt9nVbBdy7ZiSgXmMkJ4lyQnKrp8i")).await;
    assert_eq!(admin.post(&path, &json!({})).await.status, 404, "it is forgotten");
    gateway.close_with_made_up_rows().await;
}

async fn start(old: &Path) -> Gateway {
    let setup = Setup::default().set("SQLITE_DB", old.display()).caller("a caller of ours");
    setup.clock(&Clock::manual(NOW_MS)).start().await
}

/// A key of the fixtures, by its end.
fn key(suffix: &str) -> String {
    format!("AIzaSyFIXTURE-{}{suffix}", "0".repeat(21))
}

fn check_service_keys(gateway: &Gateway, theirs: &Connection) {
    let mut statement =
        theirs.prepare("SELECT key_identifier, api_key, last_usage_time FROM key_states").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        let (identifier, key): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_eq!(gateway.identifier_of(&key), identifier);
        count += 1;
    }
    assert_eq!(gateway.app().pool.counts().total, count + 3, "three were here");
}

async fn check_user_keys(gateway: &Gateway, theirs: &Connection) {
    if !has(theirs, "auth_keys", "api_key") {
        return;
    }
    let mut statement = theirs.prepare("SELECT api_key, alias FROM auth_keys").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (key, alias): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let caller = gateway.app().user_keys.authenticate(&key, NOW_MS).expect("it lets in");
        assert_eq!(*caller.name, *alias);
    }
    if !has(theirs, "request_logs", "request_id") {
        return;
    }
    let calls: HashMap<String, i64> = pairs(
        theirs,
        "SELECT a.alias, count(DISTINCT request_id) FROM auth_keys a
         LEFT JOIN request_logs ON auth_key_alias = a.alias GROUP BY 1",
    )
    .into_iter()
    .collect();
    let users = gateway.admin().await.get("/api/auth_keys").await.json();
    for user in users.as_array().unwrap() {
        let expected = calls.get(user["alias"].as_str().unwrap()).copied().unwrap_or(0);
        assert_eq!(user["call_count"], expected, "{user}");
    }
}

#[expect(clippy::cast_possible_truncation, reason = "times of this century")]
async fn check_rows(gateway: &Gateway, theirs: &Connection) {
    let column = |name| if has(theirs, "request_logs", name) { name } else { "NULL" };
    let sql = format!(
        "SELECT request_id, request_time, key_identifier, auth_key_alias, model_name, is_success,
                {}, {}, {} FROM request_logs",
        column("prompt_tokens"),
        column("completion_tokens"),
        column("total_tokens")
    );
    let mut statement = theirs.prepare(&sql).unwrap();
    let expected = statement.query_map([], |row| {
        let id: String = row.get(0)?;
        let seconds: f64 = row.get(1)?;
        Ok((
            u128::from_str_radix(&id, 16).unwrap(),
            (seconds * 1_000.0).floor() as i64,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            [row.get(6)?, row.get(7)?, row.get(8)?],
        ))
    });
    let mut expected: Vec<Row> = expected.unwrap().collect::<Result<_, _>>().unwrap();
    let entries = gateway.rows().await;
    let ours = entries.iter().map(|entry| {
        let tokens = &entry.tokens;
        let tokens = [tokens.prompt, tokens.completion, tokens.total];
        (
            entry.request_id.0,
            entry.ended_at_ms,
            entry.key_identifier.clone().unwrap(),
            entry.user_key_name.clone().unwrap(),
            entry.model.clone(),
            entry.is_success,
            tokens.map(|count| count.map(i64::from)),
        )
    });
    let mut ours: Vec<Row> = ours.collect();
    expected.sort();
    ours.sort();
    assert_eq!(ours.len(), expected.len());
    for (ours, expected) in ours.iter().zip(&expected) {
        assert_eq!(ours, expected);
    }
    let requests = "SELECT count(DISTINCT request_id) FROM request_logs";
    let requests: i64 = theirs.query_row(requests, [], |row| row.get(0)).unwrap();
    let finals = entries.iter().filter(|entry| entry.is_final).count();
    assert_eq!(finals as i64, requests, "one row of each request is its last");
}

async fn check_statistics(gateway: &Gateway, theirs: &Connection) {
    let admin = gateway.admin().await;
    // Tokens of a failed attempt were paid for as well, where there are any.
    for (kind, value, condition) in
        [("requests", "count(*)", "is_success = 1"), ("tokens", "sum(total_tokens)", "TRUE")]
    {
        if kind == "tokens" && !has(theirs, "request_logs", "total_tokens") {
            continue;
        }
        let sql = format!(
            "SELECT date(request_time, 'unixepoch'), {value} FROM request_logs
             WHERE {condition} GROUP BY 1"
        );
        let expected: BTreeMap<String, i64> = pairs(theirs, &sql).into_iter().collect();
        let path = format!("/api/stats/daily_usage_heatmap?type={kind}&timezone_str=UTC");
        let map = admin.get(&path).await.json();
        let ours: BTreeMap<String, i64> = map
            .as_array()
            .unwrap()
            .iter()
            .map(|day| (day[0].as_str().unwrap().to_owned(), day[1].as_i64().unwrap_or(0)))
            .collect();
        assert_eq!(ours, expected, "{kind}");
    }
    let unknown = admin.get("/api/request_logs?limit=1").await.json();
    let row: &Value = &unknown["logs"][0];
    assert!(row["error_type"].is_null() || row["error_type"].is_string(), "{row}");
}

fn has(connection: &Connection, table: &str, column: &str) -> bool {
    let sql = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";
    connection.prepare(sql).unwrap().exists([table, column]).unwrap()
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let texts = statement.query_map([], |row| row.get(0)).unwrap();
    texts.collect::<Result<_, _>>().unwrap()
}

fn pairs(connection: &Connection, sql: &str) -> Vec<(String, i64)> {
    let mut statement = connection.prepare(sql).unwrap();
    let pairs = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.unwrap_or(0))))
        .unwrap();
    pairs.collect::<Result<_, _>>().unwrap()
}
